from __future__ import annotations

import csv
from pathlib import Path

from reports.compare_exports import COMPARE_COLUMNS
from reports.exports import COLUMNS, write_csv
from reports.results import CompareResult, Results
from tests.reports import compare_factory as made
from tests.reports import factory


def rows_of(document: Results, path: Path) -> list[dict[str, str]]:
    write_csv(document, path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def only(rows: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    (found,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return found


def count_numbers(value: object) -> int:
    """Estimates anywhere below a part of the document, by brute force."""
    if isinstance(value, dict):
        if "not_measured" in value or {"value", "low", "high", "n"} <= value.keys():
            return 1
        return sum(count_numbers(item) for item in value.values())
    return sum(count_numbers(item) for item in value) if isinstance(value, list) else 0


def test_every_number_of_a_comparison_is_one_row(tmp_path: Path) -> None:
    compare = made.comparison()
    rows = rows_of(made.document(compare), tmp_path / "r.csv")
    assert tuple(rows[0]) == COMPARE_COLUMNS
    keys = [tuple(row[name] for name in COMPARE_COLUMNS[:9]) for row in rows]
    assert len(set(keys)) == len(keys)
    plain = sum(
        len(things) * facts
        for things, facts in (
            (compare.rows, 2),  # rank and dimension
            (compare.formats, 2),  # dimension and bytes
            (compare.predictability, 1),  # pairs
            ([compare.projection], 1),  # components
        )
    )
    assert len(rows) == count_numbers(compare.model_dump()) + plain


def test_values_are_exact_and_stand_beside_whose_they_are(tmp_path: Path) -> None:
    rows = rows_of(made.document(), tmp_path / "r.csv")
    row = only(rows, part="rows", source="dlib", measure="sar", fmr="1e-3")
    assert (row["value"], row["n"], row["judge"]) == ("0.412", "412", made.JUDGE)
    assert float(row["low"]) == 0.412 - 0.03
    assert only(rows, part="rows", source="lbp", measure="rank")["value"] == "3"
    assert only(rows, part="rows", source="lbp", measure="own", fmr="1e-3")["judge"] == "lbp"
    assert only(rows, part="rows", source="lbp", measure="psnr_crop")["judge"] == ""
    row = only(rows, part="differences", source="dlib", against="lbp", measure="sar", fmr="1e-3")
    assert float(row["value"]) == 0.412 - 0.108
    cell = {"part": "matrix", "source": "dlib", "judge": "lbp", "measure": "type2", "fmr": "1e-3"}
    assert only(rows, **cell)["unseen"] == "no"
    row = only(rows, part="formats", source="dlib", form="1 bit", measure="difference")
    assert float(row["value"]) == 0.412 * (0.72 - 1)
    row = only(rows, part="rows", source="dlib", measure="sar", fmr="1e-4")
    assert (row["value"], row["n"]) == ("", "")
    assert row["not_measured"] == factory.FEW.not_measured


def test_a_report_that_also_compares_keeps_its_columns(tmp_path: Path) -> None:
    rows = rows_of(factory.results(compare=made.comparison()), tmp_path / "r.csv")
    assert tuple(rows[0]) == COLUMNS


def test_texts_that_a_spreadsheet_would_run_are_made_harmless(tmp_path: Path) -> None:
    bad = "=cmd|' /C calc'!A0"
    compare = made.comparison(rows=[made.row("dlib", name=bad, attack=bad, judge=bad, target=bad)])
    rows = rows_of(made.document(compare), tmp_path / "r.csv")
    assert not [value for row in rows for value in row.values() if value.startswith("=")]
    assert only(rows, measure="rank")["source"] == f"'{bad}"


def test_an_empty_comparison_has_only_a_heading(tmp_path: Path) -> None:
    assert rows_of(made.document(CompareResult()), tmp_path / "r.csv") == []
