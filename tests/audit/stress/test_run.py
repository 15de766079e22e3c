"""A whole stress run: it agrees with an audit of the same people, and does nothing twice."""

from __future__ import annotations

import json
import shutil
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from attacks.inversion.linear import Linear
from attacks.perturbation.base import Perturbation, Perturbed, Pictures
from audit.compare import share_stages
from audit.people import People
from audit.pipeline import run_audit
from audit.purge import purge
from audit.run_folder import RunFolder, Stage
from audit.stress import run as stress_run
from audit.stress.bench import Workbench
from audit.stress.pictures import picture_rows
from audit.watch import Watch
from biometrics.errors import ConfigError
from reports.results import Measured, Results, StressResult, load_results
from tests.audit.stress.small import PICTURES, SUBJECTS, TARGET, rows_of, run_small, small_config

ALL = {"subjects": None, "pictures": None}


class Darker(Perturbation):
    """A share of the light is taken away."""

    name = "darker"
    unit = "share of the light"
    identity = 0.0

    def apply(self, pictures: Pictures) -> Perturbed:
        assert self.strength is not None
        crops = np.rint(pictures.crops * (1.0 - self.strength)).astype(np.uint8)
        return Perturbed(crops, pictures.landmarks)


def _stress(bench: Workbench) -> list[StressResult]:
    rows = bench.draw(bench.sizes.subjects, bench.sizes.pictures)
    return picture_rows(bench, "quality", [Darker(0.0), Darker(0.9)], rows)


@pytest.fixture(scope="module", autouse=True)
def _family() -> Iterator[None]:
    """One family that does next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        module = types.ModuleType("darker")
        module.stress = _stress  # type: ignore[attr-defined]
        patch.setitem(stress_run.HOMES, "quality", "darker")
        patch.setitem(__import__("sys").modules, "darker", module)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stress") / "run"


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return run_small(folder, ["quality"], ALL)


def test_the_clean_row_is_that_of_an_audit_of_the_same_people(
    results: Results, folder: Path, tmp_path: Path
) -> None:
    config = small_config(["quality"], ALL).audits()[TARGET]
    share_stages(folder, tmp_path / "audit")
    audited = load_results(run_audit(config, tmp_path / "audit", Watch(None)))
    row = next(a for a in audited.attacks if a.attack == "linear").judges[TARGET]
    (clean,) = rows_of(results, "none")
    assert clean.n_attempts == SUBJECTS * PICTURES
    for fmr in ("1e-2", "1e-3"):
        assert clean.type1[fmr] == row.type1[fmr]
        assert clean.type2[fmr] == row.type2[fmr]
        assert clean.tmr[fmr] == row.type2_reference[fmr]
        assert clean.reconstruction_fmr[fmr] == row.reconstruction_fmr[fmr]
    assert isinstance(clean.reconstruction_fmr["1e-2"], Measured)
    assert clean.unseen is row.unseen is False


def test_nothing_done_gives_the_clean_numbers_to_the_last_bit(results: Results) -> None:
    (clean,), (empty,) = rows_of(results, "none"), rows_of(results, "darker", strength=0.0)
    for name in ("type1", "type2", "tmr", "detection_rate", "n_failed"):
        assert getattr(empty, name) == getattr(clean, name)
    shift = empty.measures["shift"]
    assert isinstance(shift, Measured)
    assert shift == clean.measures["shift"]
    change = empty.difference["1e-2"]
    assert isinstance(change, Measured)
    assert change.value == 0.0


def test_a_dark_picture_moves_the_template(results: Results) -> None:
    (dark,) = rows_of(results, "darker", strength=0.9)
    shift = dark.measures["shift"]
    assert isinstance(shift, Measured)
    assert shift.value < 0.9
    assert dark.label == "darker 0.9 share of the light"


def test_every_picture_that_a_row_names_is_there(results: Results, folder: Path) -> None:
    (dark,) = rows_of(results, "darker", strength=0.9)
    assert len(dark.samples) == 4
    for sample in dark.samples:
        for name in (sample.original, sample.perturbed, sample.reconstruction):
            assert name is not None
            assert (folder / name).is_file()


def test_a_second_run_does_no_stage_again(
    results: Results, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    stage = RunFolder.stage

    def watched(self: RunFolder, *args: object, **kwargs: object) -> Stage:
        done = stage(self, *args, **kwargs)  # type: ignore[arg-type]
        if done.fresh:
            built.append(str(done.folder))
        return done

    monkeypatch.setattr(RunFolder, "stage", watched)
    again = run_small(folder, ["quality"], ALL)
    assert built == []
    assert again.stress == results.stress


def test_other_settings_leave_no_report_of_the_old_ones(
    folder: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_bench: Workbench) -> list[StressResult]:
        raise KeyboardInterrupt

    kept = (folder / "results.json").read_bytes()
    monkeypatch.setattr(stress_run, "family_run", lambda _family: stopped)
    with pytest.raises(KeyboardInterrupt):
        run_small(folder, ["quality"], ALL)
    assert (folder / "results.json").read_bytes() == kept  # the same settings: still true
    with pytest.raises(KeyboardInterrupt):
        run_small(folder, ["quality"], {"pictures": 1})
    assert not (folder / "results.json").exists()


def test_an_interrupted_second_run_leaves_the_pictures_that_the_results_name(
    folder: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_bench: Workbench) -> list[StressResult]:
        raise KeyboardInterrupt

    kept = run_small(folder, ["quality"], ALL)
    with monkeypatch.context() as patch:
        patch.setattr(stress_run, "family_run", lambda _family: stopped)
        with pytest.raises(KeyboardInterrupt):
            run_small(folder, ["quality"], ALL)
    assert kept == load_results(folder)
    named = named_in(kept)
    assert named
    assert all((folder / name).is_file() for name in named)


def test_pictures_that_no_row_names_any_more_are_removed(folder: Path, results: Results) -> None:
    before = named_in(run_small(folder, ["quality"], ALL))
    after = named_in(run_small(folder, ["quality"], {**ALL, "shown": 1}))
    assert len(after) < len(before)
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*.png")}
    assert there == after


def named_in(results: Results) -> set[str]:
    """The pictures that rows name."""
    samples = [s.model_dump().values() for row in results.stress for s in row.samples]
    return {str(name) for values in samples for name in values if str(name).endswith(".png")}


def test_the_provenance_names_what_the_attack_consulted(
    folder: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert results.provenance.judges_consulted == ["dlib"]  # it was tuned there
    told = classmethod(lambda _cls, _settings, target: frozenset({target}))
    monkeypatch.setattr(Linear, "consulted", told)
    assert run_small(folder, ["quality"], ALL).provenance.judges_consulted == [TARGET]
    manifest = json.loads((folder / TARGET / "manifest.json").read_text())
    assert manifest["judges_consulted"] == [TARGET]


def test_an_attack_that_saw_the_leaked_people_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(attacks: object, people: People) -> None:
        assert len(people.split.leaked) == SUBJECTS * PICTURES
        raise ConfigError(f"{attacks} saw them")

    monkeypatch.setattr("audit.targets_run.check_brought", refuses)
    with pytest.raises(ConfigError, match=r"linear.* saw them"):
        run_small(tmp_path, ["quality"], ALL)
    assert not (tmp_path / "results.json").exists()


def test_the_journal_tells_of_the_run_and_names_nobody(results: Results, folder: Path) -> None:
    lines = (folder / "journal.jsonl").read_text().splitlines()
    words = [json.loads(line) for line in lines]
    assert any("results written" in str(entry) for entry in words)


def test_an_out_folder_among_the_faces_is_refused(tmp_path: Path) -> None:
    config = small_config(["quality"], {}, faces={"path": tmp_path})
    with pytest.raises(ConfigError, match="lies in the folder of faces"):
        stress_run.run_stress(config, tmp_path / "run", Watch(None))


def test_purge_leaves_the_figures_and_no_picture_or_template(
    results: Results, folder: Path, tmp_path: Path
) -> None:
    run_small(folder, ["quality"], ALL)  # another test took its results away
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    purge(copy)
    left = {p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()}
    own = {f"{place}{name}" for place in ("", f"{TARGET}/") for name in (".lock", "manifest.json")}
    journals = {"journal.jsonl", f"{TARGET}/journal.jsonl"}
    assert left <= own | journals | {"results.json", "stress.yaml"}
    after = load_results(copy)
    assert all(row.samples == [] for row in after.stress)
    assert [row.type1 for row in after.stress] == [row.type1 for row in results.stress]
