"""A run on disk: stages that are done once, whole, and never half.

Each stage writes into a hidden temporary folder that is renamed when it is complete, so a run that
is killed at any moment leaves finished stages and rubbish that the next start removes. A stage is
keyed by the hash of its settings and of the keys of the stages it reads; a finished stage with the
same key is skipped.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError

from audit.journal import Journal
from biometrics.errors import InputError, OutputError
from faceleak import __version__
from reports.results import RESULTS_NAME

STAGE_FILE = "stage.json"
MANIFEST = "manifest.json"
LOCK = ".lock"
TEMPORARY = ".unfinished-"
RESULTS_KEY = "results"
PRIVATE = 0o077
"""Artefacts are 0600 and folders 0700."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS)

STAGES_VERSION = 2
"""Part of every key; raised when a stage's code changes what it writes."""


@dataclass(frozen=True)
class Stage:
    """A finished stage.

    Attributes:
        folder: what it wrote.
        key: hash of everything that went in.
        seconds: how long it took when it ran.
        fresh: whether it ran now, rather than in an earlier start.
    """

    folder: Path
    key: str
    seconds: float
    fresh: bool


class RunFolder:
    """The folder of one run; use it as a context manager, which locks it against a second run.

    Args:
        path: of the folder.
        again: a run that is there is opened as it is: its manifest stays whole.

    Raises:
        InputError: the path exists and is no run, or another process is writing to it.
        OutputError: it cannot be created or written.
    """

    def __init__(self, path: Path, *, again: bool = False) -> None:
        self.path, self.again = path, again
        self.manifest: dict[str, Any] = {"stages": {}}
        self.journal = Journal(path)

    def __enter__(self) -> RunFolder:
        self._umask = os.umask(PRIVATE)
        try:
            self._lock = self._locked()
        except BaseException:
            os.umask(self._umask)
            raise
        try:
            for rubbish in _rubbish(self.path):
                remove(rubbish)
            before = _read_json(self.path / MANIFEST)
            # Kept until other results are written: what is there still belongs to these inputs.
            self.manifest |= {k: v for k, v in before.items() if self.again or k == RESULTS_KEY}
            self.note()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._lock.close()
        os.umask(self._umask)

    def _locked(self) -> IO[str]:
        """The open and locked lock file; nothing is written into a folder that is no run."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._refuse_foreign()
            lock = (self.path / LOCK).open("w")
        except FileExistsError as error:
            raise InputError(f"{self.path} is a file; --out names a folder") from error
        except OSError as error:
            raise OutputError(f"cannot write to {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            if isinstance(error, BlockingIOError):
                raise InputError(f"another faceleak is writing to {self.path}") from error
            raise OutputError(f"cannot lock {self.path}: {error.strerror}") from error
        return lock

    def _refuse_foreign(self) -> None:
        # A start that was killed at once leaves the lock and at most an unfinished manifest.
        own = (LOCK, f"{TEMPORARY}{MANIFEST}")
        foreign = sorted(p.name for p in self.path.iterdir() if p.name not in own)
        if foreign and not (self.path / MANIFEST).is_file():
            raise InputError(
                f"{self.path} holds files that are no faceleak run ({foreign[0]}); "
                "choose another --out"
            )

    def stage(self, name: str, inputs: Mapping[str, Any], build: Callable[[Path], None]) -> Stage:
        """Do a stage unless it is done.

        Args:
            name: folder below the run, such as ``templates/dlib``.
            inputs: all that the result depends on, JSON-able; keys of earlier stages included.
            build: writes into the empty folder that it is given.
        """
        key = stage_key(name, inputs)
        final = self.path / name
        done = read_stage(final)
        if done is None or done.key != key:
            done = self._build(final, key, build)
        self.manifest["stages"][name] = {"key": done.key, "seconds": round(done.seconds, 3)}
        self.note()
        return done

    def _build(self, final: Path, key: str, build: Callable[[Path], None]) -> Stage:
        temporary = final.parent / f"{TEMPORARY}{final.name}"
        with full_disk_as_error(self.path):
            remove(temporary)
            temporary.mkdir(parents=True)
            start = time.perf_counter()
            try:
                build(temporary)
                seconds = time.perf_counter() - start
                (temporary / STAGE_FILE).write_text(json.dumps({"key": key, "seconds": seconds}))
            except BaseException:
                remove(temporary)
                raise
            remove(final)
            os.replace(temporary, final)
        name = final.relative_to(self.path).as_posix()
        self.journal.record("stage done", stage=name, key=key)
        return Stage(final, key, seconds, fresh=True)

    def note(self, **facts: Any) -> None:
        """Add facts to the manifest and write it."""
        self.manifest |= facts
        self.write(MANIFEST, json.dumps(self.manifest, indent=1))

    def has_results(self, key: str) -> bool:
        """Whether results.json is there and belongs to these inputs."""
        return self.manifest.get(RESULTS_KEY) == key and (self.path / RESULTS_NAME).is_file()

    def forget_results(self) -> None:
        """Note that results.json is about to be replaced and belongs to nothing until then."""
        self.manifest.pop(RESULTS_KEY, None)
        self.note()

    def finish(self, results_key: str) -> None:
        """Note that results.json belongs to these inputs."""
        self.note(**{RESULTS_KEY: results_key})

    def write(self, name: str, content: str | bytes) -> Path:
        """Write one file of the run in one step."""
        data = content.encode() if isinstance(content, str) else content
        return self.write_by(name, lambda path: path.write_bytes(data))

    def write_by(self, name: str, save: Callable[[Path], object]) -> Path:
        """Write one file of the run in one step, by a function that writes to the path given."""
        path = self.path / name
        temporary = path.parent / f"{TEMPORARY}{path.name}"
        with full_disk_as_error(self.path):
            try:
                save(temporary)
                os.replace(temporary, path)
            except BaseException:
                remove(temporary)
                raise
        return path


def read_stage(folder: Path) -> Stage | None:
    """The finished stage in a folder, or None."""
    try:
        record = json.loads((folder / STAGE_FILE).read_text())
        return Stage(folder, record["key"], float(record["seconds"]), fresh=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def stage_key(name: str, inputs: Mapping[str, Any]) -> str:
    """SHA-256 over the stage's name and inputs, and the version of faceleak that computes it."""
    text = json.dumps([STAGES_VERSION, __version__, name, inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def remove(path: Path) -> None:
    """Delete a file or a folder, whichever it is, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _rubbish(run: Path) -> list[Path]:
    """What a killed start left: unfinished stages, and files that were not yet renamed."""
    return [*run.rglob(f"{TEMPORARY}*"), *run.glob(".*.tmp"), *run.glob("*/.*.tmp")]


@contextmanager
def private_files() -> Iterator[None]:
    """Within the block, what is written can be read by its owner only."""
    before = os.umask(PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def full_disk_as_error(path: Path) -> Iterator[None]:
    """Say in words that the disk is full or closed to us.

    An error that names a file elsewhere (a picture that cannot be read) is passed on as it is.
    """
    try:
        yield
    except OSError as error:
        if (error.errno not in NO_ROOM and not _numpy_wrote_less(error)) or _elsewhere(error, path):
            raise
        raise _no_room(path, error.strerror or "the disk is full") from error
    except SafetensorError as error:
        if "os error" not in str(error).lower():
            raise
        raise _no_room(path, str(error)) from error


def _no_room(path: Path, why: str) -> OutputError:
    return OutputError(f"cannot write to {path}: {why}; finished stages are kept, run again")


def _numpy_wrote_less(error: OSError) -> bool:
    """NumPy tells of a full disk by numbers only: ``150528 requested and 4096 written``."""
    return error.errno is None and "requested and" in str(error)


def _elsewhere(error: OSError, path: Path) -> bool:
    named = error.filename
    return isinstance(named, str) and not Path(named).absolute().is_relative_to(path.absolute())
