"""Landmarks by the content of a picture; never the picture itself."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import numpy as np

from biometrics.errors import OutputError
from biometrics.faces.detect import Detection

CACHE_VERSION = 1
"""Part of the file's name; raised when detection or landmarks change."""

BATCH = 200
"""Rows written at once: an interrupted run loses at most these. They wait in memory and not in an
open transaction, which would lock out another run for as long as they take to gather."""


class Unknown(Enum):
    """The type of :data:`UNKNOWN`, told apart from None by type checkers."""

    UNKNOWN = "not in the cache"


UNKNOWN = Unknown.UNKNOWN


def cache_folder() -> Path:
    """``FACELEAK_CACHE_DIR``, else ``faceleak`` in the user's cache folder."""
    named = os.environ.get("FACELEAK_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else (Path(base) if base else Path.home() / ".cache") / "faceleak"


def cache_path() -> Path:
    """The cache's file; its folder is made where it is missing.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    path = cache_folder() / f"landmarks-{CACHE_VERSION}.sqlite"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise OutputError(
            f"cannot write the cache {path}: {error.strerror}; set FACELEAK_CACHE_DIR"
        ) from error
    return path


class LandmarkCache:
    """Landmarks by SHA-256 in SQLite: many processes read, one writes.

    Landmarks are float32 [68, 2] in picture pixels; a picture without a face is remembered too.

    Raises:
        OutputError: the file is no such cache, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: list[tuple[str, int, bytes]] = []
        self._db = sqlite3.connect(path, timeout=60)
        try:
            with self._told():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute(
                    "CREATE TABLE IF NOT EXISTS landmarks"
                    " (sha256 TEXT PRIMARY KEY, n_faces INTEGER NOT NULL, points BLOB NOT NULL)"
                )
        except OutputError:
            self._db.close()
            raise

    def recall(self, key: str) -> Detection | Unknown | None:
        """The detection, None where it is known that there is no face, or ``UNKNOWN``."""
        query = "SELECT n_faces, points FROM landmarks WHERE sha256 = ?"
        with self._told():
            row = self._db.execute(query, (key,)).fetchone()
        if row is None:
            return UNKNOWN
        n_faces, points = row
        if n_faces == 0:
            return None
        return Detection(np.frombuffer(points, dtype="<f4").reshape(68, 2).copy(), n_faces)

    def remember(self, key: str, found: Detection | None) -> None:
        """File a detection, or that there is no face."""
        points = b"" if found is None else found.landmarks.astype("<f4").tobytes()
        self._pending.append((key, 0 if found is None else found.n_faces, points))
        if len(self._pending) >= BATCH:
            self._write()

    def forget(self, keys: Iterable[str]) -> int:
        """Remove what is known of these contents, so that the file keeps none of their bytes
        either; the number that was known."""
        wanted = [(key,) for key in dict.fromkeys(keys)]
        self._write()
        with self._told():
            self._db.execute("PRAGMA secure_delete=ON")
            with self._db:
                query = "DELETE FROM landmarks WHERE sha256 = ?"
                count = self._db.executemany(query, wanted).rowcount
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(count, 0)

    def close(self) -> None:
        """Write what is pending and close."""
        try:
            self._write()
        finally:
            self._db.close()

    def _write(self) -> None:
        if not self._pending:
            return
        with self._told(), self._db:
            self._db.executemany("INSERT OR REPLACE INTO landmarks VALUES (?, ?, ?)", self._pending)
        self._pending.clear()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"the cache {self._path} cannot be used: {error}; "
                "delete it or set FACELEAK_CACHE_DIR"
            ) from error
