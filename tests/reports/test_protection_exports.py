from __future__ import annotations

import json
from pathlib import Path

from reports.exports import COLUMNS
from reports.protection_exports import PROTECTION_COLUMNS
from reports.protection_select import BY_FMR
from reports.results import NotMeasured, ProtectionResult
from tests.reports import factory
from tests.reports import protection_factory as made
from tests.reports.test_stress_exports import estimate, rows_of

NUMBERS = PROTECTION_COLUMNS.index("linker")


def key_of(row: ProtectionResult) -> tuple[str, ...]:
    flags = {True: "yes", False: "no"}
    known = row.knowledge if row.attack else ""
    return (
        *(row.scheme, row.label, row.family, flags[row.keyed]),
        json.dumps(row.parameters, sort_keys=True) if row.parameters else "",
        *(flags[row.control], row.backbone, row.attack, known, flags[row.key_known], row.leak),
        *(str(row.records), str(row.queries), row.method),
        *(row.judge, row.judged, flags[row.unseen]),
    )


def test_every_number_comes_back_from_the_table(tmp_path: Path) -> None:
    """The rows, built again from the text, are the rows that were written."""
    written = made.rows()
    lines = rows_of(made.document(written), tmp_path / "r.csv")
    assert tuple(lines[0]) == PROTECTION_COLUMNS
    known = PROTECTION_COLUMNS.index("knowledge")
    for row in written:
        key = key_of(row)
        mine = [
            line
            for line in lines
            if all(
                line[name] == key[i]
                for i, name in enumerate(PROTECTION_COLUMNS[:NUMBERS])
                if i != known
            )
        ]
        own = [line for line in mine if not line["linker"] and line["knowledge"] == key[known]]
        told = {(line["measure"], line["fmr"]): line for line in own}
        assert len(told) == len(own)
        for name in BY_FMR:
            found = {f: estimate(line) for (m, f), line in told.items() if m == name}
            assert found == getattr(row, name), name
        for start, values in (("image.", row.image), ("measures.", row.measures)):
            found = {
                m.removeprefix(start): estimate(line)
                for (m, _), line in told.items()
                if m.startswith(start)
            }
            assert found == values
        counts = ("n_attempts", "n_failed") if row.attack else ("keys", "dim", "stored_bits")
        for name in counts:
            assert told[name, ""]["value"] == str(getattr(row, name))
        if row.attack:
            assert estimate(told["recovered_cosine", ""]) == row.recovered_cosine
            assert estimate(told["detection_rate", ""]) == row.detection_rate
        else:
            assert estimate(told["microseconds", ""]) == row.microseconds
        for linkage in row.linkage:
            some = {
                line["measure"]: line
                for line in mine
                if (line["linker"], line["knowledge"]) == (linkage.linker, linkage.knowledge)
            }
            assert estimate(some["d_sys"]) == linkage.d_sys
            assert estimate(some["d_sys_by_chance"]) == linkage.null
            assert estimate(some["maximal_linkability"]) == linkage.maximal
            for name in ("bins", "mated", "non_mated"):
                measure = name if name == "bins" else f"{name}_scores"
                assert some[measure]["value"] == str(getattr(linkage, name))
        assert {line["note"] for line in own} == {row.note}


def test_an_audit_with_protections_keeps_its_columns(tmp_path: Path) -> None:
    document = factory.results(protections=made.rows()[:3])
    assert tuple(rows_of(document, tmp_path / "r.csv")[0]) == COLUMNS


def test_texts_that_a_spreadsheet_would_run_are_made_harmless(tmp_path: Path) -> None:
    bad = "=cmd|' /C calc'!A0"
    row = made.row(
        bad,
        bad,
        scheme=bad,
        label=bad,
        parameters={bad: bad},
        attack=bad,
        method=bad,
        note=bad,
        measures={bad: NotMeasured(not_measured=bad)},
        linkage=[made.linkage("key", 0.1, linker=bad)],
    )
    lines = rows_of(made.document([row]), tmp_path / "r.csv")
    assert len(lines) == 11
    assert not [value for line in lines for value in line.values() if value.startswith("=")]
