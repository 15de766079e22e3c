from __future__ import annotations

import csv
import stat
from pathlib import Path

from reports.exports import COLUMNS, write_csv
from reports.results import Results
from tests.reports import factory


def rows_of(document: Results, path: Path) -> list[dict[str, str]]:
    write_csv(document, path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_attack_judge_fmr_and_measure_is_one_row(tmp_path: Path) -> None:
    rows = rows_of(factory.results(), tmp_path / "r.csv")
    assert tuple(rows[0]) == COLUMNS
    keys = [(r["attack"], r["judge"], r["fmr"], r["measure"]) for r in rows]
    assert len(set(keys)) == len(keys)
    # 6 attacks; 3 judges each with 3 measures at 3 FMRs, 3 at 2, and 3 without an FMR;
    # beside them the detection rate, 10 image measures, 3 of landmarks and 4 costs;
    # one attack has 5 parts of the face and 4 facts of its training
    assert len(rows) == 6 * (3 * (3 * 3 + 3 * 2 + 3) + 1 + 10 + 3 + 4) + 5 + 4
    assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == 0o600


def test_values_are_exact_and_what_was_not_measured_is_empty(tmp_path: Path) -> None:
    rows = rows_of(factory.results(), tmp_path / "r.csv")
    found = {(r["attack"], r["judge"], r["fmr"], r["measure"]): r for r in rows}
    row = found["landmark-texture", "mobilefacenet", "1e-2", "type1"]
    assert float(row["value"]) == 0.56
    assert (float(row["low"]), float(row["high"]), row["n"]) == (0.56 - 0.03, 0.56 + 0.03, "412")
    assert (row["unseen"], row["control"], row["not_measured"]) == ("yes", "no", "")
    row = found["linear", "dlib", "1e-4", "type1"]
    assert (row["value"], row["low"], row["high"], row["n"]) == ("", "", "", "")
    assert row["not_measured"] == factory.FEW.not_measured
    assert found["linear", "", "", "lpips_alex"]["value"] == ""


def test_likeness_by_part_and_cost_are_rows_without_a_judge(tmp_path: Path) -> None:
    rows = rows_of(factory.results(), tmp_path / "r.csv")
    found = {(r["attack"], r["measure"]): r for r in rows if not r["judge"]}
    assert found["landmark-texture", "landmark_mse_nose"]["value"] == "6.4"
    assert found["landmark-texture", "landmark_share_near"]["n"] == "412"
    assert found["linear", "landmark_share_near"]["not_measured"] == "not part of this run"
    assert found["linear", "fid"]["not_measured"].endswith("faceleak weights pull fid-inception")
    assert found["linear", "frechet_dlib"]["value"] == "0.0431"
    costs = {r["measure"]: (r["value"], r["n"]) for (a, _), r in found.items() if a[:4] == "land"}
    assert costs["training_parameters"] == ("1240320", "")
    assert costs["training_passes"] == ("60", "")
    assert costs["seconds_fit"] == ("754.6", "")
    assert costs["picture_size"] == ("224", "")
    assert ("linear", "training_steps") not in found


def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(tmp_path: Path) -> None:
    document = factory.results(attacks=[factory.attack("=cmd|' /C calc'!A0", 0.3)])
    rows = rows_of(document, tmp_path / "r.csv")
    assert {r["attack"] for r in rows} == {"'=cmd|' /C calc'!A0"}
