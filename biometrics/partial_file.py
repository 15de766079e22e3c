"""What an interrupted download left of a file, and where those bytes came from.

They lie beside the file as ``.FILE.part``, their origin beside that as ``.FILE.part.json``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import NamedTuple

from biometrics.errors import OutputError, WeightsError


class Origin(NamedTuple):
    """Where the bytes of a partial file come from.

    Attributes:
        source: the address.
        version: the strong ETag, or else the date of change, or empty where the server says
            neither.
    """

    source: str
    version: str


class Partial:
    """The partial file of one download, locked; see :func:`partial_beside`."""

    def __init__(self, path: Path, file: BufferedRandom) -> None:
        self.path, self._file = path, file

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def origin(self) -> Origin | None:
        """Where they come from; None where nothing that can be read says so."""
        try:
            source, version = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return None
        if not (isinstance(source, str) and isinstance(version, str)):
            return None
        return Origin(source, version)

    def restart(self, origin: Origin) -> None:
        """Forget the bytes; those that are appended from now on are of this origin."""
        with writing(self.path):
            self._file.truncate(0)
            self._note.write_text(json.dumps(origin), encoding="utf-8")

    def append(self, chunk: bytes) -> None:
        """Write behind what is there."""
        with writing(self.path):
            self._file.write(chunk)
            self._file.flush()

    def sha256(self) -> str:
        """Of the whole content, as it lies on the disk."""
        with writing(self.path):
            self._file.seek(0)
            return hashlib.file_digest(self._file, "sha256").hexdigest()

    def publish(self, path: Path) -> None:
        """Give it its name."""
        with writing(path):
            os.replace(self.path, path)
            self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove it."""
        with writing(self.path):
            self._note.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")


@contextmanager
def partial_beside(path: Path) -> Iterator[Partial]:
    """What an earlier attempt left of ``path``, or an empty file; nobody else writes to it.

    It stays unless it is published, discarded or empty.

    Raises:
        WeightsError: another process fetches the same file.
        OutputError: the folder cannot be written.
    """
    place = path.with_name(f".{path.name}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(place, path)
    with file:
        part = Partial(place, file)
        try:
            yield part
        finally:
            if part.size == 0:
                part.discard()


def _locked(place: Path, path: Path) -> BufferedRandom:
    while True:
        file = place.open("ab+")  # appending: whatever happens, no byte is written over
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had the lock before may have published or removed the file under this name.
            if os.path.samestat(os.fstat(file.fileno()), place.stat()):
                return file
        except FileNotFoundError:
            pass
        except BlockingIOError as error:
            file.close()
            raise WeightsError(f"another faceleak is fetching {path}; wait for it") from error
        file.close()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system refuses, as one line.

    Raises:
        OutputError: with the folder of ``path``.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write to {path.parent}: {error.strerror or error}") from error
