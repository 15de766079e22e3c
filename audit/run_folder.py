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
from typing import Any

from biometrics.errors import InputError, OutputError

STAGE_FILE = "stage.json"
MANIFEST = "manifest.json"
TEMPORARY = ".unfinished-"

STAGES_VERSION = 1
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

    Raises:
        InputError: the path exists and is no run, or another process is writing to it.
        OutputError: it cannot be created or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: dict[str, Any] = {"stages": {}}
        self.manifest_before: dict[str, Any] = {}

    def __enter__(self) -> RunFolder:
        try:
            self._umask = os.umask(0o077)
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = [p.name for p in self.path.iterdir() if p.name != ".lock"]
            if foreign and not (self.path / MANIFEST).is_file():
                raise InputError(
                    f"{self.path} holds files that are no faceleak run; choose another --out"
                )
            self._lock = (self.path / ".lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.manifest_before = _read_json(self.path / MANIFEST)
            self.write(MANIFEST, json.dumps(self.manifest))
        except BlockingIOError as error:
            os.umask(self._umask)
            raise InputError(f"another faceleak is writing to {self.path}") from error
        except FileExistsError as error:
            os.umask(self._umask)
            raise InputError(f"{self.path} is a file; --out names a folder") from error
        except OSError as error:
            os.umask(self._umask)
            raise OutputError(f"cannot write to {self.path}: {error.strerror}") from error
        except InputError:
            os.umask(self._umask)
            raise
        for rubbish in self.path.rglob(f"{TEMPORARY}*"):
            remove(rubbish)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._lock.close()
        os.umask(self._umask)

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
        self.write(MANIFEST, json.dumps(self.manifest, indent=1))
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
        return Stage(final, key, seconds, fresh=True)

    def finish(self, results_key: str) -> None:
        """Note that results.json belongs to these inputs."""
        self.manifest["results"] = results_key
        self.write(MANIFEST, json.dumps(self.manifest, indent=1))

    def write(self, name: str, content: str | bytes) -> Path:
        """Write one file of the run in one step."""
        path = self.path / name
        temporary = path.parent / f"{TEMPORARY}{path.name}"
        data = content.encode() if isinstance(content, str) else content
        with full_disk_as_error(self.path):
            temporary.write_bytes(data)
            os.replace(temporary, path)
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
    """SHA-256 over the stage's name and inputs."""
    text = json.dumps([STAGES_VERSION, name, inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def remove(path: Path) -> None:
    """Delete a file or a folder, whichever it is, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def full_disk_as_error(path: Path) -> Iterator[None]:
    """Say in words that the disk is full or closed to us."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS):
            raise OutputError(
                f"cannot write to {path}: {error.strerror}; finished stages are kept, run again"
            ) from error
        raise
