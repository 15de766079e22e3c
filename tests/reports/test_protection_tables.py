"""The line of a scheme, the strongest attack behind it, and what chance gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.protection_numbers import attack_tables, linkage_table, missing_table
from reports.protection_select import (
    KEY_KNOWN,
    at,
    attacked,
    by_knowledge,
    by_setting,
    closest_linkage,
    is_control,
    knowledge_of,
    labels_of,
    linked,
    on_templates,
    setting_of,
    strongest,
    upper,
    with_keys,
    without_controls,
)
from reports.protection_tables import control_tables, summary_tables, unmeasured_table
from reports.protection_words import LINKED, attack_words
from reports.results import Measured, NotMeasured, ProtectionResult
from reports.tables import EVERYBODYS_FACE
from reports.words import NBSP, Cell, Table, fmr_label, interval, main
from tests.reports import protection_factory as made
from tests.reports.factory import HOSTILE, rate

FMR = "1e-3"


def line(table: Table, label: str) -> dict[str, Cell]:
    """The cells of a scheme by ``group: column``."""
    found = next(row for row in table.rows if row[0].text == label)
    names = [column if isinstance(column, str) else column.text for column in table.columns]
    details = ["" if isinstance(column, str) else column.detail for column in table.columns]
    return {
        f"{name} ({detail.split(',')[0]})" if names.count(name) > 1 else name: cell
        for name, detail, cell in zip(names, details, found, strict=True)
    }


def summary(backbone: str = "dlib", rows: list[ProtectionResult] | None = None) -> Table:
    tables = summary_tables(made.rows() if rows is None else rows)
    return next(table for table in tables if f"of {backbone} " in table.caption)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 1), st.floats(0, 0.2), st.sampled_from(["", "control:mean", "linear"]),
            st.booleans(),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_the_strongest_attack_has_the_highest_upper_bound(
    drawn: list[tuple[float, float, str, bool]],
) -> None:
    rows = [
        made.row(
            attack=attack,
            control=control,
            knowledge="key" if attack else "",
            type1={FMR: Measured(value=x, low=max(0.0, x - wide), high=x + wide, n=9)},
        )
        for x, wide, attack, control in drawn
    ]
    bounds = [x + wide for x, wide, attack, control in drawn if attack == "linear" and not control]
    found = strongest(rows, FMR)
    assert (found is None) is (not bounds)
    if found is not None:
        assert upper(found.value) == max(bounds)
        assert found.row.attack == "linear"


def test_a_wide_interval_beats_a_higher_value_and_a_missing_rate_loses() -> None:
    wide = made.row(attack="a", knowledge="key", type1={FMR: rate(0.30, 50, 0.2)})
    narrow = made.row(attack="b", knowledge="key", type1={FMR: rate(0.35, 900, 0.01)})
    lacking = made.row(attack="c", knowledge="key", type1={"1e-2": rate(0.99)})
    assert strongest([narrow, wide, lacking], FMR) == (wide, "type1", wide.type1[FMR])
    assert strongest([lacking], FMR) is None
    assert at({}, FMR) is None


def test_knowledge_goes_from_least_to_most_and_each_has_its_strongest() -> None:
    rows = [r for r in made.rows() if r.scheme == "biohash" and r.backbone == "dlib"]
    found = by_knowledge(rows, FMR)
    assert list(found) == ["nothing", "scheme", "one-key", "key", "all-keys"]
    for name, one in found.items():
        assert one is not None
        assert knowledge_of(one.row) == name
        told = [r.type1[FMR] for r in attacked(rows) if knowledge_of(r) == name]
        assert upper(one.value) == max(upper(v) for v in told if isinstance(v, Measured))


def test_keys_count_only_where_there_are_any() -> None:
    rows = made.rows()
    for some in by_setting(without_controls(rows)).values():
        told = with_keys(some)
        if any(row.keyed for row in some):
            assert all(row.knowledge in KEY_KNOWN for row in told)
        else:
            assert told == on_templates(some)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.081, 0.2, "above"),
        (0.08, 0.2, "open"),
        (0.02, 0.081, "open"),
        (0.02, 0.08, "inside"),
        (0.0, 0.01, "inside"),
    ],
)
def test_an_interval_is_told_from_chance_by_the_upper_end_of_chance(
    low: float, high: float, found: str
) -> None:
    value = Measured(value=(low + high) / 2, low=low, high=high, n=9)
    one = made.linkage("key", 0.05).model_copy(update={"d_sys": value})
    assert linked(one) == found
    plain = one.model_copy(update={"d_sys": Measured(value=0.9, n=9)})
    assert linked(plain) == "open"
    why = NotMeasured(not_measured="one key only")
    for name in ("d_sys", "null"):
        assert linked(one.model_copy(update={name: why})) == "not measured"


def test_the_linker_that_tells_most_above_chance_stands_for_all() -> None:
    high_chance = made.linkage("key", 0.5, null=Measured(value=0.45, low=0.4, high=0.5, n=9))
    low_chance = made.linkage("key", 0.4)
    why = NotMeasured(not_measured="x")
    silent = made.linkage("key", 0.9).model_copy(update={"d_sys": why})
    row = made.row(linkage=[silent, high_chance, low_chance])
    assert closest_linkage([row], KEY_KNOWN) == low_chance
    assert closest_linkage([row], ["scheme"]) is None
    assert closest_linkage([made.row(linkage=[silent])]) == silent


def test_the_one_table_has_a_line_for_every_scheme_of_every_backbone() -> None:
    rows = made.rows()
    tables = summary_tables(rows)
    assert len(tables) == 2
    labels = labels_of(without_controls(rows))
    for table in tables:
        assert [row[0].text for row in table.rows] == list(labels.values())
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert sum(width for _, width in table.groups) == len(table.columns)
        assert fmr_label(FMR) in table.caption
    first = next(iter(labels.values()))
    assert first == "unprotected"


def test_a_line_holds_the_bound_the_linkage_the_renewal_and_the_price() -> None:
    cells = line(summary(), "PolyProtect, overlap 2")
    rows = [r for r in made.rows() if r.scheme == "polyprotect" and r.backbone == "dlib"]
    best = strongest(with_keys(rows), FMR)
    assert best is not None
    assert (cells["Type-I"].text, cells["Type-I"].detail) == (
        main(best.value, "rate"),
        interval(best.value),
    )
    notes = summary().notes
    assert notes[int(cells["Type-I"].note) - 1] == f"{attack_words(best.row)}."
    plain = next(row for row in rows if not row.attack)
    for name, column, kind in (
        ("tmr", "Stolen key", "rate"),
        ("tmr_difference", "Change", "margin"),
        ("tmr_genuine_key", "Genuine key", "rate"),
    ):
        value = getattr(plain, name)[FMR]
        assert cells[column].text == main(value, kind)  # type: ignore[arg-type]
    assert cells["D_sys (keys secret)"].text == "0.05"
    assert cells["D_sys (keys secret)"].extra == f"chance \u2264{NBSP}0.08"
    assert cells["D_sys (keys secret)"].tone == ""
    assert cells["D_sys (keys leaked)"].text == "0.60"
    assert cells["D_sys (keys leaked)"].tone == "flag"
    assert cells["Maximal"].text == "0.66"
    revoked = strongest(rows, FMR, ("revoked_type1", "revoked_type2"))
    assert revoked is not None
    assert cells["SAR"].text == main(revoked.value, "rate")
    assert cells["Size"].text == f"2,048{NBSP}bits"
    assert cells["Size"].detail == f"3.25{NBSP}\u00b5s"


def test_a_scheme_without_a_key_has_nothing_to_renew_and_is_bounded_all_the_same() -> None:
    cells = line(summary(), "1 bit a value")
    for column in ("D_sys (keys leaked)", "SAR", "Genuine key"):
        assert cells[column].text == "no key"
    assert cells["Type-I"].text.endswith("%")


def test_what_could_not_be_measured_says_why_in_its_line_and_in_the_list() -> None:
    table = summary()
    cells = line(table, "PFRNet-like split")
    for column in ("Type-I", "Type-II", "Stolen key"):
        assert cells[column].text == "not measured"
        assert table.notes[int(cells[column].note) - 1] == made.NO_LABELS
    missing = unmeasured_table(made.rows())
    assert [(row[0].text, row[-1].text) for row in missing.rows] == [
        ("PFRNet-like split", made.NO_LABELS)
    ] * 2
    odd = made.row(attack="x", knowledge="key", type1={FMR: NotMeasured(not_measured="too few")})
    assert missing_table([odd]).rows[0][-1].text == "too few"


def test_a_keyed_scheme_without_an_attack_that_has_the_keys_has_no_bound() -> None:
    secret = made.row(attack="linear", knowledge="scheme", type1=made.by_fmr(0.001))
    table = summary(rows=[made.row(tmr=made.by_fmr(0.9)), secret])
    cell = line(table, "BioHashing, 64 bits")["Type-I"]
    assert cell.text == "not measured"
    assert table.notes[int(cell.note) - 1] == "no attack that has the keys was tried"


def test_no_table_calls_a_scheme_irreversible() -> None:
    rows = made.rows()
    tables = [*summary_tables(rows), *control_tables(rows), *attack_tables(rows, "all")]
    texts = [text for t in tables for row in t.rows for c in row for text in (c.text, c.detail)]
    assert not [text for text in texts if "irreversible" in text.lower()]


@pytest.mark.parametrize(("own", "flagged"), [(0.0031, True), (0.0029, False)])
def test_everybodys_face_is_set_off(own: float, flagged: bool) -> None:
    row = made.row(
        attack="linear",
        knowledge="key",
        type1={FMR: rate(0.5)},
        type2={FMR: rate(0.4)},
        reconstruction_fmr={FMR: rate(own, 412, 0.0001)},
        revoked_type1={FMR: rate(0.1)},
    )
    table = attack_tables([row], "dlib")[0]
    names = [column if isinstance(column, str) else column.text for column in table.columns]
    tones = dict(zip(names, (cell.tone for cell in table.rows[0]), strict=True))
    for name in ("Type-I", "Type-II", "Own FMR"):
        assert (tones[name] == "flag") is flagged, name
    assert tones["Type-I revoked"] != "flag"
    assert (EVERYBODYS_FACE in table.notes) is flagged
    whole = summary(rows=[row])
    assert (line(whole, row.label)["Type-I"].tone == "flag") is flagged
    assert (EVERYBODYS_FACE in whole.notes) is flagged


def test_linkage_prints_bins_counts_and_chance() -> None:
    rows = [r for r in made.rows() if r.scheme == "polyprotect" and r.backbone == "dlib"]
    table = linkage_table(rows, "dlib")
    texts = [[cell.text for cell in row] for row in table.rows]
    assert [row[-3:] for row in texts] == [["20", "1,240", "98,000"]] * 2
    assert [row[-5] for row in texts] == [LINKED["inside"], LINKED["above"]]
    assert texts[0][-6] == "0.05"


def test_controls_stand_apart() -> None:
    rows = made.rows()
    told = {row[0].text for table in control_tables(rows) for row in table.rows}
    assert any("control:mean" in text for text in told)
    assert any("random templates" in text for text in told)
    assert not any("random templates" in row[0].text for row in summary().rows)
    strong = strongest(rows, FMR)
    assert strong is not None
    assert not is_control(strong.row)


def test_schemes_of_one_name_are_told_apart_by_their_settings() -> None:
    labels = labels_of(made.rows())
    assert len(set(labels.values())) == len(labels)
    assert "random projection (dim 32)" in labels.values()
    assert "PolyProtect, overlap 2" in labels.values()
    twice = [made.row(label="x", parameters={"on": True}), made.row(label="x", parameters={})]
    assert set(labels_of(twice).values()) == {"x (on yes)", "x"}
    assert setting_of(twice[0]) != setting_of(twice[1])


def test_names_of_plug_ins_are_texts_of_the_tables() -> None:
    table = summary_tables(made.hostile())[0]
    assert table.rows[0][0].text == HOSTILE
