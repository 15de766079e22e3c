"""Stages that are done once, whole, and never half."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.run_folder import RunFolder, full_disk_as_error, private_files, stage_key
from biometrics.errors import InputError, OutputError


def writes(name: str = "x", content: str = "1") -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


def refuses(_folder: Path) -> None:
    raise AssertionError("a finished stage must not run")


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        first = run.stage("a/b", {"seed": 1}, writes())
    with RunFolder(tmp_path / "run") as run:
        second = run.stage("a/b", {"seed": 1}, refuses)
    assert (first.fresh, second.fresh) == (True, False)
    assert (first.key, first.folder, first.seconds) == (second.key, second.folder, second.seconds)


def test_other_inputs_replace_the_whole_stage(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.stage("a", {"seed": 1}, writes("old"))
        found = run.stage("a", {"seed": 2}, writes("new"))
    assert sorted(p.name for p in found.folder.iterdir()) == ["new", "stage.json"]


def test_the_key_depends_on_name_and_inputs_and_not_on_their_order() -> None:
    one = stage_key("a", {"x": 1, "y": 2})
    assert stage_key("a", {"y": 2, "x": 1}) == one
    assert len({one, stage_key("b", {"x": 1, "y": 2}), stage_key("a", {"x": 1, "y": 3})}) == 3


def test_a_failed_stage_leaves_nothing_and_keeps_the_earlier_one(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        writes("half")(folder)
        raise ZeroDivisionError

    with RunFolder(tmp_path / "run") as run:
        run.stage("a", {"seed": 1}, writes())
        with pytest.raises(ZeroDivisionError):
            run.stage("a", {"seed": 2}, fails)
        assert run.stage("a", {"seed": 1}, refuses).fresh is False
    assert not list((tmp_path / "run").rglob(".unfinished*"))


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}'])
def test_a_stage_without_a_readable_record_is_done_again(tmp_path: Path, damage: str) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.stage("a", {}, writes())
        (tmp_path / "run" / "a" / "stage.json").write_text(damage)
        assert run.stage("a", {}, writes()).fresh


@pytest.mark.parametrize(
    "left",
    [
        ".unfinished-faces/x",
        "a/.unfinished-b/c/x",
        ".results.json.ab12.tmp",
        "figures/.x.png.c.tmp",
    ],
)
def test_the_next_start_removes_rubbish(tmp_path: Path, left: str) -> None:
    with RunFolder(tmp_path / "run"):
        pass
    path = tmp_path / "run" / left
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    with RunFolder(tmp_path / "run"):
        assert not path.exists()


def test_a_start_killed_before_its_manifest_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".unfinished-manifest.json").write_text('{"sta')
    with RunFolder(tmp_path) as run:
        assert run.stage("a", {}, writes()).fresh


@pytest.mark.parametrize("name", ["photo.jpg", ".unfinished-thesis", "results.json"])
def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=rf"no faceleak run \({name}\); choose another --out"):
        RunFolder(tmp_path).__enter__()
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match="is a file; --out names a folder"):
        RunFolder(tmp_path / "run").__enter__()
    with pytest.raises(OutputError, match=r"cannot write to .*run/below: Not a directory"):
        RunFolder(tmp_path / "run" / "below").__enter__()
    assert (tmp_path / "run").read_text() == "mine"


def test_only_one_may_write(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as run:
        run.stage("a", {}, writes())
        manifest = (tmp_path / "run" / "manifest.json").read_bytes()
        with pytest.raises(InputError, match="another faceleak is writing to"):
            RunFolder(tmp_path / "run").__enter__()
        assert (tmp_path / "run" / "manifest.json").read_bytes() == manifest
    with RunFolder(tmp_path / "run"):
        pass


@pytest.mark.parametrize("fails", [False, True])
def test_files_are_private_and_the_umask_comes_back(tmp_path: Path, fails: bool) -> None:
    before = os.umask(0o022)
    try:
        if fails:
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "x").touch()
            with pytest.raises(InputError):
                RunFolder(tmp_path / "run").__enter__()
        else:
            with RunFolder(tmp_path / "run") as run:
                made = run.stage("a", {}, writes()).folder
            assert stat.S_IMODE((made / "x").stat().st_mode) == 0o600
            assert stat.S_IMODE(made.stat().st_mode) == 0o700
        with private_files():
            pass
        now = os.umask(0o022)
        assert now == 0o022
    finally:
        os.umask(before)


def test_the_results_stay_known_while_another_start_works(tmp_path: Path) -> None:
    """Else a start that is killed early would have them made again, with another date."""
    with RunFolder(tmp_path / "run") as run:
        (run.path / "results.json").write_text("{}")
        run.finish("key")
    with RunFolder(tmp_path / "run") as run:
        assert json.loads((run.path / "manifest.json").read_text())["results"] == "key"
        assert run.has_results("key")
        assert not run.has_results("other")
        (run.path / "results.json").unlink()
        assert not run.has_results("key")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_no_room_is_said_in_words(tmp_path: Path, number: int) -> None:
    with (
        pytest.raises(
            OutputError, match=r"cannot write to .*; finished stages are kept, run again"
        ),
        full_disk_as_error(tmp_path),
    ):
        raise OSError(number, os.strerror(number))


def test_what_numpy_says_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    said = "150528 requested and 4096 written"
    with pytest.raises(OutputError, match="the disk is full"), full_disk_as_error(tmp_path):
        raise OSError(said)


def test_a_file_of_the_run_is_whole_or_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with RunFolder(tmp_path / "run") as run:
        run.write("split.csv", "before")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", half)
            with pytest.raises(OutputError):
                run.write("split.csv", "after")
        assert (run.path / "split.csv").read_text() == "before"
        assert not list(run.path.glob(".unfinished*"))


def test_a_file_elsewhere_is_not_blamed_on_the_run(tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/photos/x.jpg")
    with pytest.raises(PermissionError), full_disk_as_error(tmp_path):
        raise error
    inside = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "faces"))
    with pytest.raises(OutputError), full_disk_as_error(tmp_path):
        raise inside


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), full_disk_as_error(tmp_path):
        raise ConnectionError(errno.ECONNRESET, "reset")
