"""Poor pictures: a small run whose rows are checked against each other and against scikit-image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from audit.stress.quality import perturbations
from audit.stress.settings import QualitySettings
from reports.results import Measured, Results, StressResult
from tests.audit.stress.small import rows_of, run_small

STRESS: dict[str, Any] = {
    "shown": 1,
    "pictures": 2,
    "quality": {
        "subjects": 6,
        "blur": [1, 5],
        "low_resolution": 14,
        "jpeg": 5,
        "noise": [0, 8, 60],
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quality")


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return run_small(folder, ["quality"], STRESS)


def row(results: Results, perturbation: str, **fields: Any) -> StressResult:
    (found,) = rows_of(results, perturbation, **fields)
    return found


def value(of: StressResult, name: str) -> float:
    measured = of.measures[name]
    assert isinstance(measured, Measured), name
    return measured.value


def test_every_picture_is_tried_and_shown(results: Results) -> None:
    tried = [(r.perturbation, r.strength) for r in results.stress]
    assert tried == [
        ("none", None),
        ("grey", None),
        ("blur", 1.0),
        ("blur", 5.0),
        ("low-resolution", 14.0),
        ("jpeg", 5.0),
        ("noise", 0.0),
        ("noise", 8.0),
        ("noise", 60.0),
    ]
    assert all(r.family == "quality" and len(r.samples) == 1 for r in results.stress)


def test_no_noise_gives_the_clean_numbers_exactly(results: Results) -> None:
    clean, same = row(results, "none"), row(results, "noise", strength=0.0)
    for name in ("type1", "type2", "tmr", "detection_rate"):
        assert getattr(same, name) == getattr(clean, name)
    for name in ("shift", "psnr_reconstruction", "sharpness_reconstruction", "sharpness_clean"):
        assert same.measures[name] == clean.measures[name]
    assert value(same, "psnr_source") == 100  # the cap: equal pictures
    assert same.measures["sharpness_source"] == same.measures["sharpness_clean"]


def test_the_gain_is_reconstruction_minus_source(results: Results) -> None:
    for found in results.stress[1:]:
        gain = value(found, "psnr_reconstruction") - value(found, "psnr_source")
        assert value(found, "gain_over_source") == pytest.approx(gain)
    assert "gain_over_source" not in results.stress[0].measures


def test_noise_has_its_psnr_and_moves_the_template(results: Results) -> None:
    found = row(results, "noise", strength=8.0)
    assert value(found, "psnr_source") == pytest.approx(20 * np.log10(255 / 8), abs=0.3)
    shifts = [value(row(results, "noise", strength=s), "shift") for s in (0.0, 8.0, 60.0)]
    assert shifts == sorted(shifts, reverse=True)


def test_blur_takes_sharpness_and_noise_counts_as_such(results: Results) -> None:
    clean = value(row(results, "none"), "sharpness_clean")
    blurred = [value(row(results, "blur", strength=s), "sharpness_source") for s in (1.0, 5.0)]
    assert clean > blurred[0] > blurred[1]
    assert value(row(results, "noise", strength=60.0), "sharpness_source") > clean


def test_a_second_run_uses_what_is_done(results: Results, folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("stage.json")}
    again = run_small(folder, ["quality"], STRESS)
    assert again.stress == results.stress
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob("stage.json")}


def test_the_mildest_of_each_kind_comes_first_and_quick_tries_fewer() -> None:
    full, quick = perturbations(QualitySettings()), perturbations(QualitySettings().quick())
    assert len(full) == 13
    assert len(quick) == 5
    assert {p.slug for p in quick} <= {p.slug for p in full}
    assert QualitySettings().quick().subjects == 100


@pytest.mark.parametrize(
    "wrong", [{"blur": [-1]}, {"jpeg": [0]}, {"jpeg": 96}, {"low_resolution": 225}, {"noise": 300}]
)
def test_strengths_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"(greater|less) than or equal"):
        QualitySettings(**wrong)
