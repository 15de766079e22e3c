"""An audit of a store of which too little can be read: the report first, then exit 4."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from reports.html import REPORT_NAME
from reports.results import load_results
from tests.audit.conftest import Faceleak
from tests.audit.kept import sign

ROWS = 20


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A table of which rows 4 and 9 hold a word instead of a number; of no known model, so that
    nothing is inverted."""
    rows = np.random.default_rng(3).normal(size=(ROWS, 32)).tolist()
    rows[4][7] = rows[9][0] = "broken"
    path = tmp_path / "store" / "leaked.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[f"v{i}" for i in range(32)], *rows])
    sign(path)
    return path


def test_the_report_is_written_and_the_rows_are_named(
    damaged: Path, faceleak: Faceleak, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    ended = faceleak("audit", "--store", damaged, "--out", run)
    assert ended.code == 4
    assert "2 of 20 rows of leaked.csv cannot be read: coverage 0.900, below 0.95" in ended.error
    assert "row 4: holds something that is no number; row 9: holds" in ended.error
    assert str(run / REPORT_NAME) in ended.error
    summary = load_results(run).store
    assert summary is not None
    assert (summary.coverage, summary.n_templates) == (0.9, ROWS - 2)
    assert "row 4: holds something that is no number" in (run / REPORT_NAME).read_text()


def test_less_may_be_asked_for(damaged: Path, faceleak: Faceleak, tmp_path: Path) -> None:
    argv = ("audit", "--store", damaged, "--out", tmp_path / "run")
    assert faceleak(*argv, "--set", "min_coverage=0.9").code == 0
    assert faceleak(*argv, "--set", "min_coverage=0.91").code == 4
