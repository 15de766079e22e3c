from __future__ import annotations

import json

import pytest

from audit.working import failing
from reports.cost import cost_table, duration
from reports.likeness_tables import glossary, likeness_tables, not_measured
from reports.measure_words import PERCEIVED, PIXELS, measure_of
from reports.results import (
    NOT_RUN,
    AttackResult,
    JudgeResult,
    Measured,
    NotMeasured,
    Results,
    dump_results,
)
from reports.words import DASH, Cell, Table, gathered
from tests.reports import factory


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def headings(table: Table) -> list[str]:
    return [column.text if isinstance(column, Cell) else column for column in table.columns]


def tables_of(*attacks: AttackResult) -> dict[str, Table]:
    found = likeness_tables(factory.results(attacks=list(attacks)))
    return {table.caption.split(",")[0].split(" at once")[0]: table for table in found}


def image(**values: Measured | NotMeasured) -> AttackResult:
    return factory.attack("linear", 0.4, image=values, image_notes={})


def test_measures_stand_in_their_tables_with_unit_and_direction() -> None:
    found = likeness_tables(factory.results())
    shown = [headings(table)[1:] for table in found]
    assert shown == [
        ["SSIM, whole crop", "SSIM, inside the face", "MS-SSIM", "PSNR, whole crop"],
        ["LPIPS, SqueezeNet"],
        ["Space of dlib"],
        ["Landmark MSE, predicted", "Landmark MSE, found again", "Below 30 px²"],
        ["Jaw", "Brows", "Nose", "Eyes", "Mouth"],
    ]
    last = found[0].columns[-1]
    assert isinstance(last, Cell)
    assert (last.detail, plain(last.extra)) == ("dB, higher is better", "n = 412")
    assert [row[0].text for row in found[0].rows] == [a.attack for a in factory.attacks()]


def test_a_measure_that_nobody_has_is_one_line_with_its_command() -> None:
    perceived, spaces = likeness_tables(factory.results())[1:3]
    assert perceived.below == [
        "Not measured: LPIPS, AlexNet: " + factory.NO_LPIPS.not_measured,
        "Not measured: FID · KID: " + factory.NO_FID.not_measured,
    ]
    assert spaces.below == [
        "Not measured: Space of mobilefacenet: " + factory.NO_SPACE.not_measured
    ]
    assert not_measured(factory.results()) == [*perceived.below, *spaces.below]


def test_a_table_of_which_nothing_was_measured_is_its_line_alone() -> None:
    (table,) = tables_of(image(fid=factory.NO_FID)).values()
    assert table.rows == []
    assert table.below == ["Not measured: FID: " + factory.NO_FID.not_measured]


def test_what_was_not_asked_for_is_not_mentioned() -> None:
    assert tables_of(image()) == {}
    assert tables_of(image(fid=NOT_RUN)) == {}


def test_a_measure_that_some_lack_keeps_its_column() -> None:
    one = image(fid=Measured(value=80.0, n=412))
    table = tables_of(one, image(fid=factory.NO_FID))["Likeness as networks see it"]
    assert [row[1].text for row in table.rows] == ["80", "not measured"]
    assert table.notes == [factory.NO_FID.not_measured]
    assert table.below == []


def test_a_note_is_at_the_heading_where_all_share_it_and_else_at_the_values() -> None:
    value = Measured(value=80.0, n=412)
    one = image(fid=value).model_copy(update={"image_notes": {"fid": "too few"}})
    other = one.model_copy(update={"image_notes": {"fid": "enough"}})
    table = tables_of(one, one)["Likeness as networks see it"]
    heading = table.columns[1]
    assert isinstance(heading, Cell)
    assert (heading.note, [row[1].note for row in table.rows], table.notes) == (
        "1",
        ["", ""],
        ["too few"],
    )
    table = tables_of(one, other)["Likeness as networks see it"]
    assert [row[1].note for row in table.rows] == ["1", "2"]
    assert table.notes == ["too few", "enough"]


def test_parts_of_the_face_keep_their_order_through_a_file() -> None:
    """Keys are sorted in results.json."""
    again = Results.model_validate(json.loads(dump_results(factory.results())))
    assert list(again.attacks[1].landmarks.regions) == sorted(factory.REGIONS)
    assert headings(likeness_tables(again)[-1])[1:] == ["Jaw", "Brows", "Nose", "Eyes", "Mouth"]


def test_only_shown_measures_are_explained() -> None:
    names = [measure.name for measure in glossary(factory.results())]
    assert "LPIPS, SqueezeNet" in names
    assert "FID" not in names
    assert names.count("Space of a judge") == 1
    assert glossary(factory.results(attacks=[])) == []


def test_every_known_measure_says_which_way_is_better() -> None:
    for name in (*PIXELS, *PERCEIVED, "frechet_x", "mse_predicted", "share_near"):
        higher = name.startswith(("ssim", "psnr", "ms_ssim", "share"))
        assert measure_of(name).better == ("higher" if higher else "lower"), name
        assert measure_of(name).says.endswith(".")
    assert (measure_of("new").name, measure_of("new").direction) == ("new", "")


def cells(*ns: int, low: float | None = 0.1) -> list[list[Cell]]:
    table = Table("", ("a",))
    high = None if low is None else 0.9
    made = [table.estimate(Measured(value=0.5, low=low, high=high, n=n)) for n in ns]
    return [[Cell("r"), cell] for cell in made]


def test_an_n_that_a_column_shares_is_said_once() -> None:
    table = gathered(Table("t", ("a", "b"), cells(7, 7)))
    heading = table.columns[1]
    assert isinstance(heading, Cell)
    assert (heading.text, plain(heading.detail)) == ("b", "n = 7")
    assert [(row[1].text != "", row[1].extra) for row in table.rows] == [(True, "")] * 2
    assert all("90.0" in row[1].detail for row in table.rows)


def test_differing_numbers_stay_where_they_are() -> None:
    before = Table("t", ["a", "b"], cells(7, 8))
    assert gathered(before) == before


def test_no_interval_in_a_whole_column_is_said_once() -> None:
    missing = Table("", ("a",)).estimate(NOT_RUN)
    rows = [*cells(7, 7, low=None), [Cell("r"), missing]]
    table = gathered(Table("t", ("a", "b"), rows))
    heading = table.columns[1]
    assert isinstance(heading, Cell)
    assert (heading.detail, plain(heading.extra)) == ("no interval", "n = 7")
    assert [row[1].detail for row in table.rows] == ["", "", ""]
    assert table.rows[2][1] == missing


def test_the_cost_of_training_and_of_each_template() -> None:
    table = cost_table(factory.results())
    texts = [[plain(cell.text) for cell in row] for row in table.rows]
    assert texts == [  # no controls: nobody would run them
        ["linear", DASH, DASH, DASH, DASH, "1 min 1 s", "1,908", "224 px"],
        ["landmark-texture", "1,240,320", "8,450", "60", "3,960", "12 min 35 s", "1,908", "224 px"],
    ]
    assert table.notes == ["Solved or drawn directly: nothing is trained step by step."]


def test_the_memory_of_a_step_has_a_column_where_it_was_counted() -> None:
    results = factory.results()
    counted = [
        a.model_copy(
            update={"training": a.training and a.training.model_copy(update={"memory": 5 << 20})}
        )
        for a in results.attacks
    ]
    table = cost_table(results.model_copy(update={"attacks": counted}))
    place = list(table.columns).index("Memory of a step")
    assert [plain(row[place].text) for row in table.rows] == [DASH, "5 MiB"]
    assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, DASH),
        (0.0, "0 s"),
        (59.99, "59.99 s"),
        (60.0, "1 min 0 s"),
        (3599.9, "1 h 0 min"),
        (18720.0, "5 h 12 min"),
    ],
)
def test_durations_in_words(seconds: float | None, text: str) -> None:
    assert plain(duration(seconds)) == text


def judged(value: float) -> AttackResult:
    said = JudgeResult(unseen=True, type1={"1e-2": factory.rate(value)})
    return factory.attack("linear", 0.4, judges={"m": said})


def test_the_reports_know_the_words_of_the_audit_for_an_attack_that_does_not_work() -> None:
    note = failing(judged(0.05), judged(0.05))
    assert note
    row = judged(0.05).model_copy(update={"note": f"{note}; and more"})
    assert (row.not_working, row.remark) == (note, "and more")
    row = judged(0.9).model_copy(update={"note": failing(judged(0.9), judged(0.05)) or "else"})
    assert (row.not_working, row.remark) == ("", "else")
