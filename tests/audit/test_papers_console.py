"""The table of ``faceleak reproduce``, and the papers that ship."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console

from attacks.base import make_settings
from audit import reproduce as module
from audit.config import load_config
from audit.papers_console import show_reproduction
from audit.reproduce import Reproduction, papers, read_paper, reproduce
from audit.watch import Watch
from reports.results import Measured, load_results
from tests.audit import tiny
from tests.audit.conftest import Finished
from tests.audit.paper import Ran


@pytest.fixture
def made(paper_runs: Ran, tmp_path: Path) -> Reproduction:
    return reproduce("paper2026", tmp_path / "out", Watch.quiet())


def text_of(made: Reproduction, width: int = 100) -> list[str]:
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    show_reproduction(made, console)
    console.file.close()
    return console.export_text().splitlines()


def test_the_table_fits_100_columns_and_loses_nothing(made: Reproduction) -> None:
    lines = text_of(made)
    assert max(len(line) for line in lines) <= 100
    cells = [line.split() for line in lines]
    full = ["full", "model", "23.8", "18", "-", "0.432", "13.25", "123", "-", "-", "50.0", "%"]
    assert full in cells
    assert ["without", "20.0", "21", "0.5", "0.432", "-", "123", "-", "-", "50.0", "%"] in cells
    text = "\n".join(lines)
    assert "A paper: Table 1" in text
    assert "full model (smoke run)" in text
    assert "5,000,000" in text
    assert "not measured: FID: fid-inception is missing" in text
    assert "without: not working: so it is" in text
    assert "smoke run: fewer than three passes" in text
    assert "- Data: theirs is larger." in lines


def test_memory_has_a_column_where_it_was_counted(made: Reproduction) -> None:
    took = next(line for line in text_of(made) if "3 MiB" in line)
    assert took.split()[-6:] == ["77", "3", "MiB", "3,723", "0.9", "0.25"]
    rows = [row.model_copy(update={"memory": None}) for row in made.rows]
    plain = text_of(made.model_copy(update={"rows": rows}))
    assert not any("MiB" in line or "a step" in line for line in plain)
    heading = next(line for line in plain if line.startswith("what it took"))
    assert heading.split()[-5:] == ["steps", "seconds", "loss", "first", "last"]


def test_what_differs_is_indented_where_it_is_long(made: Reproduction) -> None:
    long = made.model_copy(update={"differences": ["word " * 30]})
    first, second = text_of(long)[-2:]
    assert first.startswith("- word word")
    assert second.startswith("  word")
    assert max(len(first), len(second)) <= 100


def test_a_table_without_smoke_runs_does_not_explain_them(made: Reproduction) -> None:
    rows = [row.model_copy(update={"smoke": False}) for row in made.rows]
    assert "smoke" not in "\n".join(text_of(made.model_copy(update={"rows": rows})))


def test_generated_people_are_reproduced_with(
    paper_folder: Path, finished: Finished, tmp_path: Path
) -> None:
    """A real run: the stages of the finished one, whose settings are the same."""
    rows = """\
title: A paper
source: here
table: Table 1
measures: {PSNR: psnr_crop, "MS-SSIM": ms_ssim, LPIPS: lpips_alex, MSE: landmarks.mse_redetected}
rows:
  - {row: ridge, config: tiny.yaml, attack: linear, paper: {PSNR: 1}}
  - {row: decoder, config: tiny.yaml, attack: landmark-texture}
"""
    (paper_folder / "paper.yaml").write_text(rows)
    (paper_folder / "tiny.yaml").write_text(tiny.CONFIG)
    out = tmp_path / "out"
    out.mkdir()
    tiny.copy_run(finished.path, out / "dlib")
    found = reproduce("paper2026", out, Watch.quiet(), full=True)
    audited = {attack.attack: attack for attack in load_results(finished.path).attacks}
    for row, known in zip(found.rows, ("linear", "landmark-texture"), strict=True):
        assert row.ours["PSNR"] == audited[known].image["psnr_crop"]
        assert row.ours["MSE"] == audited[known].landmarks.mse_redetected
        assert isinstance(row.ours["MS-SSIM"], Measured)
        assert row.unseen_type1 == {}
        cost = audited[known].training
        assert (row.passes, row.steps) == ((cost.passes, cost.steps) if cost else (0, 0))
        assert row.smoke is (cost is not None), "one epoch"
    ridge, decoder = found.rows
    assert (ridge.passes, ridge.first_loss) == (0, None)
    assert decoder.first_loss == decoder.last_loss is not None, "one epoch"
    assert max(map(len, text_of(found))) <= 100


# --- the papers that ship


@pytest.mark.parametrize("name", papers())
def test_a_paper_that_ships_can_be_run(name: str) -> None:
    """Every row names a configuration that loads and an attack of it whose settings are valid."""
    paper = read_paper(name)
    photos = ["faces.path=photos"]
    for row in paper.rows:
        config = load_config(module._folder() / name / row.config, overrides=photos)  # type: ignore[operator]
        settings = {attack.name: attack.settings for attack in config.attacks}
        assert row.attack in settings, row.row
        make_settings(row.attack, settings[row.attack])
        assert set(row.paper) <= set(paper.measures), row.row
    known = {"psnr_crop", "ssim_crop", "psnr_face", "ssim_face", "ms_ssim", "fid", "kid"}
    known |= {"lpips_alex", "lpips_vgg", "lpips_squeeze", "landmarks.mse_predicted"}
    known |= {"landmarks.mse_redetected", "landmarks.share_near"}
    assert set(paper.measures.values()) <= known
