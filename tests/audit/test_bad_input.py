"""What a user can get wrong is one line and an exit code, and leaves nothing half."""

from __future__ import annotations

import fcntl
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from audit import synthesis
from biometrics.faces.faceset import FaceSet
from reports.results import load_results
from tests.audit import tiny
from tests.audit.conftest import Faceleak, Finished

Prepare = Callable[[Path], list[str]]


def nothing_half(run: Path) -> None:
    if run.is_dir():
        assert not (run / "results.json").exists()
        assert not (run / "report.html").exists()
        assert tiny.unfinished(run) == []


# --- faces, names and settings


def no_folder(work: Path) -> list[str]:
    return [f"faces.path={work / 'photoz'}"]


def empty_folder(work: Path) -> list[str]:
    (work / "photos").mkdir()
    return [f"faces.path={work / 'photos'}"]


def a_file(work: Path) -> list[str]:
    (work / "photos").write_text("x")
    return [f"faces.path={work / 'photos'}"]


def no_sub_folders(work: Path) -> list[str]:
    (work / "photos").mkdir()
    (work / "photos" / "x.jpg").write_bytes(b"x")
    return [f"faces.path={work / 'photos'}"]


def no_pictures(work: Path) -> list[str]:
    for name in ("a", "b"):
        (work / "photos" / name).mkdir(parents=True)
        (work / "photos" / name / "notes.txt").write_text("not a picture")
        (work / "photos" / name / "empty.jpg").touch()
    return [f"faces.path={work / 'photos'}"]


def one_subject(work: Path) -> list[str]:
    (work / "photos" / "only").mkdir(parents=True)
    faces = synthesis.generate_faces(1, 2, seed=3)
    for number, crop in enumerate(faces.crops):
        Image.fromarray(crop).save(work / "photos" / "only" / f"{number}.png")
    return [f"faces.path={work / 'photos'}"]


def settings(*overrides: str) -> Prepare:
    return lambda _work: ["faces.path=photos", *overrides]


def no_pairs_file(work: Path) -> list[str]:
    return [*empty_folder(work), "faces.pairs=pairz.txt"]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (no_folder, "no such folder: "),
        (empty_folder, "holds no pictures; expected one sub-folder for each subject"),
        (a_file, "no such folder: "),
        (no_sub_folders, "holds no pictures; expected one sub-folder for each subject"),
        (no_pictures, "no face found in any of the 4 pictures"),
        (one_subject, "too few people: 1 subjects with a face gave"),
        (no_pairs_file, "pairz.txt"),
        (settings("judgez=[dlib]"), "unknown setting 'judgez'"),
        (
            settings("target=dlip"),
            "unknown backbone 'dlip' (did you mean 'dlib'?); known: adapter:SOURCE->TARGET, dlib",
        ),
        (settings("judges=[dlib, facenett]"), "unknown backbone 'facenett'"),
        (settings("attacks=[liner]"), "unknown attack 'liner' (did you mean 'linear'?)"),
        (settings("attacks=[{linear: {rigde: 1}}]"), "attack 'linear' has no setting 'rigde'"),
        (settings("attacks=[{linear: {ridge: -1}}]"), "attack 'linear', setting 'ridge'"),
        (settings("weights.mobilfacenet=x"), "unknown backbone 'mobilfacenet' (did you mean"),
        (settings("target=mobilefacenet"), "weights mobilefacenet missing: give the checkpoint"),
        (settings("target=onnx:x.onnx"), "backbone 'onnx:x.onnx': no such file: x.onnx"),
        (settings("judges=[dlib, 'torchscript:x.pt']"), "'torchscript:x.pt': no such file: x.pt"),
        (settings("judges=['insightface:x.onnx']"), "'insightface:x.onnx': no such file: x.onnx"),
        (settings("attacks=[{dfd: {perceptual: 'onnx:x.onnx'}}]"), "'onnx:x.onnx': no such file"),
        (settings("judges=['module:absent.network']"), "no such folder"),  # only not measured
    ],
)
def test_what_cannot_be_audited_is_one_line_and_exit_2(
    faceleak: Faceleak, tmp_path: Path, prepare: Prepare, said: str
) -> None:
    (tmp_path / "run.yaml").write_text("title: x\n")
    overrides = [word for text in prepare(tmp_path / "work") for word in ("--set", text)]
    ended = faceleak("audit", tmp_path / "run.yaml", "--out", "run", *overrides)
    assert said in ended.error
    assert (ended.code, ended.out) == (2, "")
    nothing_half(tmp_path / "work" / "run")


# --- weights


@pytest.fixture
def wrong_shape(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.ckpt"
    torch.save({"net_state_dict": {"conv1.conv.weight": torch.zeros(3, 3)}}, path)
    return path


def test_weights_of_the_wrong_shape_stop_the_attacked_model(
    finished: Finished, faceleak: Faceleak, tmp_path: Path, wrong_shape: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    wanted = ["--set", "target=mobilefacenet", "--set", f"weights.mobilefacenet={wrong_shape}"]
    ended = faceleak("audit", finished.config, "--out", run, *wanted)
    assert f"{wrong_shape} does not fit MobileFaceNet: missing: " in ended.error
    assert (ended.code, ended.out) == (2, "")
    assert tiny.unfinished(run) == []


def test_weights_of_the_wrong_shape_leave_a_judge_unmeasured(
    finished: Finished, faceleak: Faceleak, tmp_path: Path, wrong_shape: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    wanted = ["judges=[dlib, mobilefacenet]", f"weights.mobilefacenet={wrong_shape}"]
    overrides = [word for text in wanted for word in ("--set", text)]
    ended = faceleak("audit", finished.config, "--out", run, *overrides)
    assert ended.code == 0, ended.err
    assert "does not fit MobileFaceNet" in load_results(run).judges_missing["mobilefacenet"]
    assert "judge mobilefacenet not measured" in ended.out


# --- where the run is written


def below_a_file(work: Path) -> Path:
    (work / "file").write_text("x")
    return work / "file" / "run"


def a_file_itself(work: Path) -> Path:
    (work / "run").write_text("x")
    return work / "run"


def foreign(work: Path) -> Path:
    (work / "run").mkdir()
    (work / "run" / "thesis.tex").write_text("x")
    return work / "run"


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        (below_a_file, 1, "cannot write to "),
        (lambda _: Path("/proc/faceleak/run"), 1, "cannot write to /proc/faceleak/run"),
        (a_file_itself, 2, "is a file; --out names a folder"),
        (foreign, 2, "holds files that are no faceleak run (thesis.tex)"),
    ],
)
def test_a_place_that_cannot_be_written(
    faceleak: Faceleak,
    tmp_path: Path,
    finished: Finished,
    place: Callable[[Path], Path],
    code: int,
    said: str,
) -> None:
    out = place(tmp_path / "work")
    before = sorted(p for p in (tmp_path / "work").rglob("*"))
    ended = faceleak("audit", finished.config, "--out", out)
    assert said in ended.error
    assert (ended.code, ended.out) == (code, "")
    assert sorted(p for p in (tmp_path / "work").rglob("*")) == before


def test_a_run_that_another_process_writes_is_left_alone(
    faceleak: Faceleak, tmp_path: Path, finished: Finished
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    manifest = (run / "manifest.json").read_bytes()
    with (run / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = faceleak("audit", finished.config, "--out", run)
    assert "another faceleak is writing to" in ended.error
    assert ended.code == 2
    assert (run / "manifest.json").read_bytes() == manifest


# --- disk full


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may grow beyond this many bytes: writing gives EFBIG, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("lost", "size"),
    [
        ("faces", 1_000_000),
        ("templates/dlib", 100_000),
        ("attacks/linear", 50_000),
        ("attacks/landmark-texture", 1_000_000),
        ("reconstructions/control-nearest", 200_000),
        ("figures/00-original.png", 20_000),
        ("results.json", 60_000),
        ("report.html", 100_000),
    ],
)
def test_a_full_disk_is_said_and_the_run_goes_on_from_there(
    faceleak: Faceleak, tmp_path: Path, finished: Finished, lost: str, size: int
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    path = run / lost
    if path.is_dir():
        shutil.rmtree(path)
    if lost.startswith("figures"):
        lost = "results.json"
    (run / "report.html").unlink()
    (run / "results.json").unlink(missing_ok=lost != "report.html")
    with files_up_to(size):
        ended = faceleak("audit", finished.config, "--out", run)
    assert f"cannot write to {run}: " in ended.error
    assert "finished stages are kept, run again" in ended.error
    assert (ended.code, ended.out) == (1, "")
    assert not (run / "report.html").exists()
    assert tiny.unfinished(run) == []
    assert (run / lost).exists() is False


def test_after_a_full_disk_a_second_start_ends_the_run(
    faceleak: Faceleak, tmp_path: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(finished.home))  # the same salt, so the same pseudonyms
    run = tiny.copy_run(finished.path, tmp_path / "run")
    shutil.rmtree(run / "reconstructions")
    (run / "results.json").unlink()
    with files_up_to(1_000_000):
        assert faceleak("audit", finished.config, "--out", run).code == 1
    assert faceleak("audit", finished.config, "--out", run).code == 0
    assert tiny.without_times(tiny.read(run)) == tiny.without_times(tiny.read(finished.path))


def test_no_space_left_on_the_device(
    faceleak: Faceleak, tmp_path: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_faces: FaceSet, folder: Path) -> None:
        (folder / "crops.npy").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FaceSet, "save", full)
    ended = faceleak("audit", finished.config, "--out", "run")
    assert ended.error.startswith("faceleak: error: cannot write to run: No space left on device")
    assert ended.code == 1
    nothing_half(tmp_path / "work" / "run")


# --- odd pictures that are fine


def test_pictures_of_all_kinds_and_sizes_are_audited(faceleak: Faceleak, tmp_path: Path) -> None:
    """So few people that no FMR can be measured; the report says so instead of guessing."""
    photos = tmp_path / "photos"
    faces = synthesis.generate_faces(26, 2, seed=5)
    for number, (crop, name) in enumerate(zip(faces.crops, faces.table["subject_id"], strict=True)):
        write_oddly(photos / f"<b>{name}<b>", number, crop)
    (photos / f"<b>{name}<b>" / "notes.txt").write_text("not a picture")
    (photos / f"<b>{name}<b>" / "empty.png").touch()
    Image.new("RGB", (300, 200), "grey").save(photos / f"<b>{name}<b>" / "wall.png")
    (tmp_path / "few.yaml").write_text("attacks: linear\nappearance: {texture_size: 32}\n")
    wanted = [f"faces.path={photos}", "judges=[dlib, eigenfaces]"]
    overrides = [word for text in wanted for word in ("--set", text)]
    ended = faceleak("audit", tmp_path / "few.yaml", "--out", "run", *overrides)
    assert ended.code == 0, ended.err
    found = load_results(tmp_path / "work" / "run")
    assert found.faces is not None
    assert found.faces.n_faces >= 45
    assert {"empty file": 1, "not a picture": 1}.items() <= found.faces.skipped.items()
    assert (found.grade, found.headline) == ("not graded", None)
    assert "too few people" in found.verdict
    assert "There is no verdict" in ended.out
    assert "generated" not in found.verdict
    judges = found.attacks[0].judges
    assert {name: judge.unseen for name, judge in judges.items()} == {
        "dlib": False,
        "eigenfaces": False,
    }
    names_stay_inside(tmp_path / "work" / "run", "person-")


def write_oddly(folder: Path, number: int, crop: np.ndarray[Any, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(crop)
    side = 180 + 37 * (number % 5)
    picture = picture.resize((side, side + number % 3))
    if number % 4 == 1:
        picture = picture.convert("L")
    picture.save(folder / f"{number}{('.png', '.jpg', '.webp', '.bmp')[number % 4]}")


def names_stay_inside(run: Path, word: str) -> None:
    assert word in (run / "split.csv").read_text()
    for name in ("results.json", "report.html", "manifest.json"):
        assert word not in (run / name).read_text(encoding="utf-8"), name
