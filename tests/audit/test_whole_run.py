"""A whole audit of generated people, as the command line does it."""

from __future__ import annotations

import json
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attacks.base import ATTACKS
from audit.attempts import CONTROLS
from audit.config import load_config
from audit.pipeline import run_audit
from audit.pseudonyms import salt_file
from audit.watch import Watch
from biometrics.backbones.base import BACKBONES, Fittable
from reports.results import (
    AttackResult,
    Estimate,
    Headline,
    Measured,
    NotMeasured,
    Results,
    load_results,
)
from tests.audit import tiny
from tests.audit.conftest import Faceleak, Finished

SECOND_RUN_SECONDS = 20

NO_PAGE = "output.formats=[json]"
"""Drawing the page takes longer than all else in a run whose stages are done."""


@pytest.fixture(scope="module")
def results(finished: Finished) -> Results:
    return load_results(finished.path)


def estimates(attack: AttackResult) -> Iterator[tuple[str, Estimate]]:
    """Every estimate of a row with its name."""
    yield "detection_rate", attack.detection_rate
    yield from attack.image.items()
    yield "mse_predicted", attack.landmarks.mse_predicted
    yield "mse_redetected", attack.landmarks.mse_redetected
    yield from (("mse_redetected", value) for value in attack.landmarks.regions.values())
    yield "share_near", attack.landmarks.share_near
    for judge in attack.judges.values():
        yield from (("rank1", judge.rank1), ("rank10", judge.rank10))
        yield "similarity", judge.similarity
        for name in ("type1", "type2", "type2_reference", "reconstruction_fmr"):
            yield from ((name, value) for value in getattr(judge, name).values())
        yield from (("ignoring", value) for value in judge.sar_ignoring_detection.values())
        yield from (("margin", value) for value in judge.margin_over_nearest.values())


# --- what is in results.json


def test_attacks_and_controls_stand_in_one_table(results: Results) -> None:
    names = [attack.attack for attack in results.attacks]
    assert names == ["linear", "landmark-texture", *CONTROLS]
    assert set(CONTROLS) == {name for name in ATTACKS.names() if name.startswith("control:")}
    for attack in results.attacks:
        assert attack.control is attack.attack.startswith("control:")
        assert attack.n_attempts == tiny.SUBJECTS * tiny.PICTURES
        assert list(attack.judges) == ["dlib"]


def test_every_rate_is_an_estimate_with_its_interval_and_n(results: Results) -> None:
    pairs = tiny.SUBJECTS * (tiny.SUBJECTS - 1) // 2
    seen = 0
    for attack in results.attacks:
        for name, value in estimates(attack):
            if isinstance(value, NotMeasured):
                assert len(value.not_measured) > 10
                continue
            seen += 1
            expected = pairs if name == "reconstruction_fmr" else tiny.SUBJECTS
            assert value.n == expected or name == "mse_redetected", name
            if name not in ("similarity", "ssim_crop", "ssim_face", "margin") and value.value <= 1:
                assert value.low is not None, name
    assert seen >= 15 * len(results.attacks)


def test_an_fmr_is_used_only_where_pairs_suffice(results: Results) -> None:
    for attack in results.attacks:
        judge = attack.judges["dlib"]
        assert isinstance(judge.type1["1e-2"], Measured)
        too_few = judge.type1["1e-3"]
        assert isinstance(too_few, NotMeasured)
        assert "4005 distinct subject pairs" in too_few.not_measured
    thresholds = results.backbones["dlib"].thresholds
    assert isinstance(thresholds["1e-2"], float)
    assert isinstance(thresholds["1e-3"], NotMeasured)


def test_attacks_print_their_margin_over_the_nearest_face(results: Results) -> None:
    rows = {attack.attack: attack.judges["dlib"] for attack in results.attacks}
    nearest = rows["control:nearest"].type1["1e-2"]
    for attack in results.attacks:
        margins = attack.judges["dlib"].margin_over_nearest
        assert set(margins) == {"1e-2", "1e-3"}
        if attack.control:
            assert margins["1e-2"] == NotMeasured(not_measured="this row is a control itself")
        else:
            own, margin = rows[attack.attack].type1["1e-2"], margins["1e-2"]
            assert isinstance(own, Measured)
            assert isinstance(nearest, Measured)
            assert isinstance(margin, Measured)
            assert margin.value == pytest.approx(own.value - nearest.value, abs=1e-12)


def test_without_an_unseen_judge_there_is_no_headline_and_no_good_grade(results: Results) -> None:
    assert results.headline is None
    assert results.grade in "CDEF"
    assert "own model only" in results.verdict
    assert "without an unseen judge" in results.grade_reason
    assert not any(j.unseen for a in results.attacks for j in a.judges.values())


def test_generated_people_are_said_to_be_nobody(results: Results) -> None:
    assert results.faces is not None
    assert results.faces.generated
    assert f"{tiny.SUBJECTS} generated people" in results.verdict
    assert any("subjects of this run are nobody" in note for note in results.notes)
    assert any("same appearance model that generated" in note for note in results.notes)
    assert any("no liveness check" in note for note in results.notes)
    for attack in results.attacks:
        assert bool(attack.note) is not attack.control


def test_likeness_is_measured_or_says_which_file_to_pull(results: Results) -> None:
    for attack in results.attacks:
        measured = {name for name, v in attack.image.items() if isinstance(v, Measured)}
        assert measured == {"psnr_crop", "psnr_face", "ssim_crop", "ssim_face", "ms_ssim"}
        for name in ("lpips_alex", "lpips_vgg", "lpips_squeeze", "fid", "kid"):
            why = attack.image[name]
            assert isinstance(why, NotMeasured)
            assert "faceleak weights pull" in why.not_measured
        assert attack.image_notes == {}, "nothing is said of what was not measured"


def test_a_row_says_how_large_its_pictures_are(results: Results, finished: Finished) -> None:
    for attack in results.attacks:
        place = finished.path / "reconstructions" / attack.attack.replace(":", "-")
        crops = np.load(place / "crops.npy", mmap_mode="r")
        assert crops.shape[1:] == (attack.picture_size, attack.picture_size, 3)
        if attack.attack == "linear" or attack.control:
            assert attack.training is None, "closed form"
    assert results.search == []


def test_the_split_is_counted_and_saved(results: Results, finished: Finished) -> None:
    assert results.faces is not None
    counts = (results.faces.attacker, results.faces.threshold, results.faces.leaked)
    people = (tiny.ATTACKERS, tiny.THRESHOLDS, tiny.SUBJECTS)
    assert [c.subjects for c in counts] == list(people)
    assert [c.pictures for c in counts] == [tiny.PICTURES * n for n in people]
    lines = (finished.path / "split.csv").read_text().splitlines()
    assert lines[:2] == ["# seed 7", "face_id,subject_id,role"]
    assert len(lines) == 2 + tiny.PICTURES * sum(people)


def test_figures_have_their_data(results: Results, finished: Finished) -> None:
    assert set(results.curves) == {"landmark-texture"}
    assert set(results.histograms) == set(results.det) == {"dlib"}
    assert set(results.histograms["dlib"].attacks) == {a.attack for a in results.attacks}
    assert len(results.samples) == 3 * 2
    for sample in results.samples:
        assert sample.original is not None
        assert sample.reconstruction is not None
        assert (finished.path / sample.original).is_file()
        assert (finished.path / sample.reconstruction).is_file()


def test_what_made_the_numbers_is_written_down(results: Results, finished: Finished) -> None:
    assert results.provenance.seed == 7
    assert all(len(sha) == 64 for sha in results.provenance.inputs.values())
    assert set(results.provenance.inputs) == {"generator", "weights.dlib"}
    manifest = json.loads((finished.path / "manifest.json").read_text())
    assert {"faceleak", "seed", "inputs", "weights", "judges_consulted", "results"} <= set(manifest)
    assert manifest["judges_consulted"] == ["dlib"] == results.provenance.judges_consulted
    assert {"faces", "templates/dlib", "attacks/linear"} <= set(manifest["stages"])
    assert load_config(finished.path / "audit.yaml") == load_config(finished.config)
    assert {"dlib", "appearance-lfw"} <= {weight.name for weight in results.weights}
    assert "audit.no-unseen-judge" in {finding.id for finding in results.findings}


# --- files


def test_artefacts_are_for_their_owner_only(finished: Finished) -> None:
    for path in [finished.path, *finished.path.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} has mode {mode:o}"
    assert tiny.unfinished(finished.path) == []


def test_the_page_needs_nothing_outside_itself(finished: Finished) -> None:
    page = (finished.path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    loaded = re.findall(r"""(?:\b(?:src|href)\s*=\s*|url\()["']?([^"'\s>)]+)""", page)
    assert loaded
    assert [link for link in loaded if not link.startswith(("data:", "#"))] == []
    assert "own model only" in page


def test_the_page_comes_from_the_folder_alone(
    finished: Finished, tmp_path: Path, faceleak: Faceleak
) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.copy(finished.path / "results.json", moved)
    shutil.copytree(finished.path / "figures", moved / "figures")
    assert faceleak("report", moved).code == 0
    assert (moved / "report.html").read_bytes() == (finished.path / "report.html").read_bytes()


# --- a second start


@pytest.fixture(autouse=True)
def _same_installation(finished: Finished) -> Iterator[None]:
    """With another salt the results would be made again."""
    with salt_file(finished.home / ".config" / "faceleak" / "salt"):
        yield


def test_a_second_start_does_nothing_again(finished: Finished, tmp_path: Path) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in run.rglob("stage.json")}
    content = (run / "results.json").read_bytes()
    (run / "report.html").unlink()
    start = time.perf_counter()
    run_audit(load_config(finished.config), run, Watch.quiet())
    assert time.perf_counter() - start < SECOND_RUN_SECONDS
    assert (run / "results.json").read_bytes() == content
    assert (run / "report.html").read_bytes() == (finished.path / "report.html").read_bytes()
    assert {p: p.stat().st_mtime_ns for p in run.rglob("stage.json")} == before


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("output.reveal=true", False),
        ("output.samples=2", True),
        ("title=Other", True),
    ],
)
def test_results_are_made_again_only_where_they_would_differ(
    finished: Finished, tmp_path: Path, override: str, again: bool
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in run.rglob("stage.json")}
    written = (run / "results.json").stat().st_mtime_ns
    run_audit(load_config(finished.config, overrides=[override, NO_PAGE]), run, Watch.quiet())
    assert ((run / "results.json").stat().st_mtime_ns != written) is again
    assert {p: p.stat().st_mtime_ns for p in run.rglob("stage.json")} == before


def test_formats_that_are_no_longer_asked_for_do_not_stay(
    finished: Finished, tmp_path: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    assert (run / "results.csv").is_file()
    overrides = ["output.formats=[json]"]
    run_audit(load_config(finished.config, overrides=overrides), run, Watch.quiet())
    assert not (run / "results.csv").exists()
    assert not (run / "report.html").exists()


def test_templates_of_a_fitted_judge_belong_to_its_weights(
    finished: Finished, tmp_path: Path
) -> None:
    """Eigenfaces have no published hash: two fits must not share their templates."""
    factory = BACKBONES.get("eigenfaces")
    assert isinstance(factory, Fittable)
    run, found = tiny.copy_run(finished.path, tmp_path / "run"), []
    for seed in (1, 2):
        crops = np.random.default_rng(seed).integers(0, 256, (12, 224, 224, 3), dtype=np.uint8)
        weights = tmp_path / f"{seed}.safetensors"
        factory.fit(crops, weights)
        overrides = ["judges=[eigenfaces]", f"weights.eigenfaces={weights}", "attacks=[linear]"]
        overrides.append(NO_PAGE)
        run_audit(load_config(finished.config, overrides=overrides), run, Watch.quiet())
        found.append(keys(run)["templates/eigenfaces"])
    assert found[0] != found[1]


def test_another_setting_repeats_what_depends_on_it_and_nothing_else(
    finished: Finished, tmp_path: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    before = keys(run)
    overrides = ["attacks=[{linear: {ridge: 0.5}}]", NO_PAGE]
    run_audit(load_config(finished.config, overrides=overrides), run, Watch.quiet())
    after = keys(run)
    changed = {name for name in after if before[name] != after[name]}
    assert changed == {
        "attacks/linear",
        "reconstructions/linear",
        "scores/linear/dlib",
        "scores/linear/images",
    }


def keys(run: Path) -> dict[str, str]:
    stages: dict[str, dict[str, Any]] = json.loads((run / "manifest.json").read_text())["stages"]
    return {name: stage["key"] for name, stage in stages.items()}


# --- what is printed


def test_progress_is_plain_lines_on_stderr(finished: Finished) -> None:
    lines = finished.stderr.splitlines()
    assert lines
    too_few = "nothing will be measured at FMR 1e-3: 90 people set thresholds, 246 are needed"
    others = [line for line in lines if not re.fullmatch(r".+ \.\.\. \d+\.\d s", line)]
    assert others == [too_few]
    assert "\x1b" not in finished.stderr + finished.stdout


def test_the_result_is_printed_within_80_columns(finished: Finished, results: Results) -> None:
    out = finished.stdout
    lines = out.splitlines()
    report = f"report: {finished.path}/report.html"
    assert lines[-1] == report
    assert out.endswith(f"{report}\n")
    assert max(len(line) for line in lines if line != report) <= 80
    assert results.verdict in " ".join(" ".join(lines).split())
    assert f"grade {results.grade}" in out
    assert out.count("not measured: ") == 1, "each reason is printed once"


# --- judges that are not ready


def test_a_judge_without_weights_is_not_measured(
    finished: Finished, tmp_path: Path, faceleak: Faceleak
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    judges = "judges=[dlib, mobilefacenet]"
    ended = faceleak("audit", finished.config, "--out", run, "--set", judges)
    assert ended.code == 0, ended.err
    found = load_results(run)
    assert set(found.judges_missing) == {"mobilefacenet"}
    assert "weights mobilefacenet missing" in found.judges_missing["mobilefacenet"]
    assert [list(attack.judges) for attack in found.attacks] == [["dlib"]] * len(found.attacks)
    assert "judge mobilefacenet not measured: weights mobilefacenet missing" in ended.out
    assert keys(run) == keys(finished.path)


def test_without_any_judge_there_are_attempts_and_no_grade(
    finished: Finished, tmp_path: Path, faceleak: Faceleak
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    ended = faceleak("audit", finished.config, "--out", run, "--set", "judges=[mobilefacenet]")
    assert ended.code == 0, ended.err
    found = load_results(run)
    assert (found.grade, found.headline) == ("not graded", None)
    assert "no judge was ready" in found.verdict
    assert all(isinstance(attack.detection_rate, Measured) for attack in found.attacks)
    assert (run / "report.html").is_file()


def test_an_fmr_stricter_than_the_headlines_gives_no_verdict(
    finished: Finished, tmp_path: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    run_audit(load_config(finished.config, overrides=["fmr=[1e-3]", NO_PAGE]), run, Watch.quiet())
    found = load_results(run)
    assert found.grade == "not graded"
    assert "too few people" in found.grade_reason
    assert not isinstance(found.headline, Headline)


def test_an_interrupted_change_leaves_no_report_of_other_settings(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    monkeypatch.setattr("audit.pipeline.gather_people", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_audit(load_config(finished.config, overrides=["seed=9"]), run, Watch.quiet())
    assert not (run / "results.json").exists()
    assert not (run / "report.html").exists()


def _interrupted(*_arguments: object) -> None:
    raise KeyboardInterrupt
