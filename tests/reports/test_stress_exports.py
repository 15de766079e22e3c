from __future__ import annotations

import csv
from pathlib import Path

from reports.exports import COLUMNS, write_csv
from reports.results import Measured, NotMeasured, Results, StressResult
from reports.stress_exports import STRESS_COLUMNS
from reports.stress_select import BY_FMR
from tests.reports import factory
from tests.reports import stress_factory as made

KEY = STRESS_COLUMNS[: STRESS_COLUMNS.index("value")]


def rows_of(document: Results, path: Path) -> list[dict[str, str]]:
    write_csv(document, path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def estimate(line: dict[str, str]) -> Measured | NotMeasured:
    if line["not_measured"]:
        assert not any(line[name] for name in ("value", "low", "high", "n"))
        return NotMeasured(not_measured=line["not_measured"])
    ends = [float(line[name]) if line[name] else None for name in ("low", "high")]
    return Measured(value=float(line["value"]), low=ends[0], high=ends[1], n=int(line["n"]))


def test_every_number_comes_back_from_the_table(tmp_path: Path) -> None:
    """The rows, built again from the text, are the rows that were written."""
    written = [row for row in made.rows() if row.map is None and not row.roc]
    lines = rows_of(made.document(written), tmp_path / "r.csv")
    assert tuple(lines[0]) == STRESS_COLUMNS
    by_row: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for line in lines:
        by_row.setdefault(tuple(line[name] for name in KEY[:10]), []).append(line)
    for row in written:
        key = (
            row.family,
            row.perturbation,
            "" if row.strength is None else repr(row.strength),
            row.unit,
            row.label,
            "yes" if row.repaired else "no",
            row.attack,
            row.backbone,
            row.judge,
            "yes" if row.unseen else "no",
        )
        told = {(line["measure"], line["fmr"]): line for line in by_row[key]}
        for name in BY_FMR:
            found = {f: estimate(line) for (m, f), line in told.items() if m == name}
            assert found == getattr(row, name)
        measures = {
            m.removeprefix("measures."): estimate(line)
            for (m, _), line in told.items()
            if m.startswith("measures.")
        }
        assert measures == row.measures
        if row.n_attempts:
            assert told["n_attempts", ""]["value"] == str(row.n_attempts)
            assert told["n_failed", ""]["value"] == str(row.n_failed)
            assert estimate(told["detection_rate", ""]) == row.detection_rate
        assert {line["note"] for line in by_row[key]} == {row.note}
    keys = [tuple(line[name] for name in KEY) for line in lines]
    assert len(set(keys)) == len(keys)


def test_an_audit_with_stress_rows_keeps_its_columns(tmp_path: Path) -> None:
    document = factory.results(stress=made.quality())
    assert tuple(rows_of(document, tmp_path / "r.csv")[0]) == COLUMNS


def test_texts_that_a_spreadsheet_would_run_are_made_harmless(tmp_path: Path) -> None:
    bad = "=cmd|' /C calc'!A0"
    hostile = StressResult(
        family="quality",
        perturbation=bad,
        unit=bad,
        label=bad,
        attack=bad,
        backbone=bad,
        judge=bad,
        note=bad,
        measures={bad: NotMeasured(not_measured=bad)},
        type1={"1e-3": NotMeasured(not_measured=bad)},
    )
    lines = rows_of(made.document([hostile]), tmp_path / "r.csv")
    assert len(lines) == 2
    assert not [value for line in lines for value in line.values() if value.startswith("=")]
