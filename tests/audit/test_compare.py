"""``faceleak compare`` as a whole, on generated people."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from audit.compare import compare
from audit.compare_config import CompareConfig
from audit.compare_plan import planned_audits
from audit.compared_run import ComparedRun, read_runs
from audit.config import load_as
from audit.outcomes import OUTCOMES
from audit.predictability import predictabilities
from audit.projection import check_projection
from audit.watch import Watch
from biometrics.metrics.scores import similarity_matrix
from biometrics.template_form import FORMS
from biometrics.template_map import fit_template_map
from reports.results import CompareResult, Measured, NotMeasured, load_results
from tests.audit import tiny
from tests.audit.conftest import Faceleak

CONFIG = """\
title: Two models
targets: [eigenfaces, lbp]
formats: [lbp]
judges: [faceleak-mini]
faces: {synth: {subjects: 12, pictures: 2, attacker_subjects: 50, threshold_subjects: 90}}
attacks: [linear, linear-pixels]
fmr: [1e-2, 1e-3]
output: {samples: 1}
"""
JUDGES = ["eigenfaces", "lbp", "faceleak-mini"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a comparison was made from the command line, once for all tests."""
    place = tmp_path_factory.mktemp("compare")
    (place / "two.yaml").write_text(CONFIG)
    printed = tiny.faceleak(place, "compare", "two.yaml", "--out", "both")
    assert printed.returncode == 0, printed.stderr
    (place / "printed.txt").write_text(printed.stdout)
    return place


@pytest.fixture(scope="module")
def result(home: Path) -> CompareResult:
    found = load_results(home / "both").compare
    assert found is not None
    return found


@pytest.fixture(scope="module")
def runs(home: Path) -> list[ComparedRun]:
    return read_runs([home / "both" / "eigenfaces", home / "both" / "lbp"])


def test_the_matrix_is_complete_and_every_cell_has_an_interval(result: CompareResult) -> None:
    assert result.judges == JUDGES
    cells = {(cell.source, cell.judge): cell for cell in result.matrix}
    assert set(cells) == {(s, j) for s in ("eigenfaces", "lbp") for j in JUDGES}
    for (source, judge), cell in cells.items():
        for column in (cell.type1, cell.type2, cell.type2_reference):
            rate = column["1e-2"]
            assert isinstance(rate, Measured)
            assert rate.low is not None
            assert isinstance(column["1e-3"], NotMeasured)  # too few people set thresholds
        assert cell.unseen == (judge == "faceleak-mini"), (source, judge)


def test_rows_repeat_what_the_runs_say(result: CompareResult, home: Path) -> None:
    assert (result.judge, result.fmr) == ("faceleak-mini", "1e-2")
    values = [row.headline.value for row in result.rows]  # type: ignore[union-attr]
    assert values == sorted(values, reverse=True)
    for row in result.rows:
        attacks = tiny.read(home / "both" / row.run)["attacks"]
        best = max(
            (a for a in attacks if not a["control"]),
            key=lambda a: a["judges"]["faceleak-mini"]["type1"]["1e-2"]["value"],
        )
        told = best["judges"]["faceleak-mini"]
        assert row.attack == best["attack"]
        assert row.headline.value == told["type1"]["1e-2"]["value"]  # type: ignore[union-attr]
        assert row.image["psnr_crop"].value == best["image"]["psnr_crop"]["value"]  # type: ignore[union-attr]


def test_the_difference_is_that_of_the_rows(result: CompareResult) -> None:
    (found,) = result.differences
    rows = {row.name: row for row in result.rows}
    left, right = rows[found.left].headline, rows[found.right].headline
    assert isinstance(left, Measured)
    assert isinstance(right, Measured)
    difference = found.sar["1e-2"]
    assert isinstance(difference, Measured)
    assert difference.value == pytest.approx(left.value - right.value, abs=1e-6)
    assert difference.low is not None


def test_runs_share_the_faces_and_templates_on_disk(home: Path) -> None:
    one, other = (home / "both" / name for name in ("eigenfaces", "lbp"))
    for name in ("faces/crops.npy", "templates/lbp/templates.parquet"):
        assert (one / name).stat().st_ino == (other / name).stat().st_ino
    weights = "backbones/eigenfaces/weights.safetensors"
    assert (one / weights).stat().st_ino == (other / weights).stat().st_ino


def again(faceleak: Faceleak, home: Path, *words: str) -> None:
    """Another comparison of the same installation, in this process."""
    with contextlib.chdir(home):
        ended = faceleak("compare", *words, "--salt", ".config/faceleak/salt")
    assert ended.code == 0, ended.err


def test_a_second_start_does_nothing_again(home: Path, faceleak: Faceleak) -> None:
    stages = {p: p.stat().st_mtime_ns for p in (home / "both").rglob("stage.json")}
    before = tiny.read(home / "both")
    again(faceleak, home, "two.yaml", "--out", "both")
    assert {p: p.stat().st_mtime_ns for p in (home / "both").rglob("stage.json")} == stages
    assert tiny.without_times(tiny.read(home / "both")) == tiny.without_times(before)


def test_another_comparison_in_the_folder_leaves_no_report_of_the_first(
    home: Path, tmp_path: Path
) -> None:
    out = tiny.copy_run(home / "both", tmp_path / "both")
    with pytest.raises(Exception, match="is none of the targets"):
        compare([str(home / "two.yaml")], out, Watch.quiet(), overrides=["formats=[x]"])
    assert (out / "report.html").is_file()  # refused before anything was touched
    first = home / "both" / "eigenfaces"
    other = tiny.copy_run(first, tmp_path / "other")
    settings = (other / "audit.yaml").read_text()
    (other / "audit.yaml").unlink()  # it is one file with the first run's
    (other / "audit.yaml").write_text(settings.replace("seed: 7", "seed: 8"))
    with pytest.raises(Exception, match="cannot be compared"):
        compare([str(first), str(other)], out, Watch.quiet())
    assert not (out / "report.html").exists()
    assert not (out / "results.json").exists()


def test_the_console_says_who_leaks_most(home: Path, result: CompareResult) -> None:
    text = (home / "printed.txt").read_text()
    assert "eigenfaces and lbp cannot be told apart" in text
    for row in result.rows:
        assert f"{row.rank}  {row.name}" in text
    assert "Accepted by faceleak-mini, in % [95 % interval] at FMR 1e-2" in text
    assert all(form.name in text for form in FORMS)
    assert "report: both/report.html" in text
    assert max(map(len, text.splitlines())) <= 80
    assert (home / "both" / "report.html").read_text().startswith("<!doctype html>")


def test_finished_runs_are_compared_without_their_models(
    home: Path, result: CompareResult, faceleak: Faceleak
) -> None:
    again(faceleak, home, "both/eigenfaces", "both/lbp", "--out", "again")
    found = load_results(home / "again").compare
    assert found is not None
    assert found.rows == result.rows
    assert found.predictability == result.predictability
    assert found.formats == []


def test_every_form_is_tried_against_the_templates_as_they_are(result: CompareResult) -> None:
    assert [row.form for row in result.formats] == [form.name for form in FORMS]
    first, *others = result.formats
    assert {row.backbone for row in result.formats} == {"lbp"}
    assert isinstance(first.difference["1e-2"], NotMeasured)
    for row, form in zip(others, FORMS[1:], strict=True):
        assert (row.dim, row.bytes) == (form.dim(2891), form.bytes(2891))
        difference, now, before = row.difference["1e-2"], row.type1["1e-2"], first.type1["1e-2"]
        assert isinstance(difference, Measured)
        assert isinstance(now, Measured)
        assert isinstance(before, Measured)
        assert difference.value == pytest.approx(now.value - before.value, abs=1e-9)
        assert isinstance(row.tmr["1e-2"], Measured)


def test_the_attack_on_a_form_learns_from_templates_of_that_form(
    result: CompareResult, home: Path
) -> None:
    """The attack that is kept takes as many values as the form has, and is none of the others."""
    seen = set()
    for row, form in zip(result.formats, FORMS, strict=True):
        folder = home / "both" / "formats" / f"lbp-{form.slug}" / "attacks"
        (path,) = folder.rglob(f"{row.attack}.safetensors")
        mean = load_file(path)["mean"]
        assert len(mean) == row.dim, form.name
        seen.add(mean.tobytes())
    assert len(seen) == len(FORMS)


def test_the_first_form_is_the_audit_itself(result: CompareResult) -> None:
    row = next(r for r in result.rows if r.name == "lbp")
    first = result.formats[0]
    assert first.attack == row.attack
    assert first.type1 == row.sar
    assert first.type2 == row.type2
    assert first.tmr == row.tmr


def test_eigenfaces_are_given_back_as_far_as_they_hold_the_picture(
    runs: list[ComparedRun], result: CompareResult
) -> None:
    found = result.projection
    assert found is not None
    assert found == check_projection(runs[0])
    assert check_projection(runs[1]) is None
    projection, shown = found.projection, found.reconstruction
    assert isinstance(projection, Measured)
    assert isinstance(shown, Measured)
    assert found.attack == "linear-pixels"
    assert shown.value > projection.value - 0.5
    assert found.difference.value == pytest.approx(shown.value - projection.value)  # type: ignore[union-attr]


def test_templates_of_one_model_tell_those_of_another(runs: list[ComparedRun]) -> None:
    """By hand: ridge maps on the attacker's pictures, accepted at the judge's threshold."""
    found = {(p.source, p.judge): p for p in predictabilities(runs, JUDGES, Watch.quiet())}
    assert set(found) == {(s, j) for s in ("eigenfaces", "lbp") for j in JUDGES if s != j}
    told = found["lbp", "faceleak-mini"]
    run = runs[1]
    mine, theirs = run.templates("lbp"), run.templates("faceleak-mini")
    roles = run.roles(theirs)
    attacker, leaked = roles == "attacker", roles == "leaked"
    names, vectors = theirs.subject_ids[leaked], theirs.vectors[leaked]
    threshold = run.results.backbones["faceleak-mini"].thresholds["1e-2"]
    assert isinstance(threshold, float)
    scores = similarity_matrix(vectors, vectors, "cosine")
    mated = (names[:, None] == names) & ~np.eye(len(names), dtype=bool)
    photographs = told.photographs["1e-2"]
    assert isinstance(photographs, Measured)
    assert photographs.value == pytest.approx((scores[mated] >= threshold).mean(), abs=1e-9)
    assert told.pairs == 100
    learnt = fit_template_map(mine.vectors[attacker], theirs.vectors[attacker], unit=True)
    mapped = similarity_matrix(learnt.apply(mine.vectors[leaked]), vectors, "cosine") >= threshold
    same, strangers = told.same_picture["1e-2"], told.strangers["1e-2"]
    assert isinstance(same, Measured)
    assert isinstance(strangers, Measured)
    # As many pictures of each, so that plain means are those over people.
    assert same.value == pytest.approx(mapped.diagonal().mean(), abs=1e-9)
    assert strangers.value == pytest.approx(mapped[names[:, None] != names].mean(), abs=1e-9)
    assert same.value > 2 * strangers.value  # the map knows something of whom it maps


def test_several_configurations_judge_each_other() -> None:
    faces = "faces={synth: {subjects: 12}}"
    one = load_as(CompareConfig, overrides=[faces, "target=lbp", "judges=[dlib]"])
    two = load_as(CompareConfig, overrides=[faces, "targets=[eigenfaces, lbp]", "judges=[lbp]"])
    audits = planned_audits([one, two])
    assert {name: a.target for name, a in audits.items()} == {
        "lbp": "lbp",
        "eigenfaces": "eigenfaces",
        "lbp-2": "lbp",
    }
    assert audits["lbp"].judges == ("lbp", "eigenfaces", "dlib")
    assert set(audits["eigenfaces"].judges) == {"lbp", "eigenfaces"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["both/lbp"], "a comparison needs two backbones or more"),
        (["two.yaml", "--set", "targets=[lbp]", "--set", "formats=[]"], "needs two backbones"),
        (["."], ". is a folder but no run"),
        (["both/lbp", "both/eigenfaces", "--set", "seed=3"], "--set changes configurations"),
        (["two.yaml", "--set", "targets=[lbp, lpb]", "--set", "formats=[]"], "backbone 'lpb'"),
        (["two.yaml", "--set", "formats=[dlib]"], "'dlib' is none of the targets"),
        (["two.yaml", "--set", "target_s=3"], "unknown setting 'target_s'"),
        (["two.yaml", "--set", "training.averages=true"], "pictures; leave out training"),
        (["two.yaml", "--set", "training={filter: true}"], "pictures; leave out training"),
        (["two.yaml", "--set", "attacks=[appearance]"], "add an attack that needs no model"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    home: Path, faceleak: Faceleak, words: list[str], says: str
) -> None:
    for name in ("two.yaml", "both"):
        Path(name).symlink_to(home / name)
    ended = faceleak("compare", *words, "--out", "new")
    assert ended.code == 2
    assert says in ended.error
    assert not Path("new", "results.json").exists()


def test_runs_of_other_people_or_attacks_are_refused(home: Path, tmp_path: Path) -> None:
    one = home / "both" / "eigenfaces"
    other = shutil.copytree(home / "both" / "lbp", tmp_path / "lbp")
    settings = (other / "audit.yaml").read_text()
    (other / "audit.yaml").write_text(settings.replace("- linear-pixels\n", ""))
    with pytest.raises(Exception, match="they differ in 'attacks'"):
        compare([str(one), str(other)], tmp_path / "out", Watch.quiet())
    (other / "audit.yaml").write_text(settings)
    (other / OUTCOMES).unlink()
    with pytest.raises(Exception, match=r"holds no outcomes\.parquet"):
        compare([str(one), str(other)], tmp_path / "out", Watch.quiet())
