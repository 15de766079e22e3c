"""Landmarks by the content of a picture; never the picture itself."""

from __future__ import annotations

import os
import sqlite3
from enum import Enum
from pathlib import Path

import numpy as np

from biometrics.errors import OutputError
from biometrics.faces.detect import Detection

CACHE_VERSION = 1
"""Part of the file's name; raised when detection or landmarks change."""

BATCH = 200
"""Rows between two commits: an interrupted run loses at most these."""


class _Unknown(Enum):
    UNKNOWN = "not in the cache"


UNKNOWN = _Unknown.UNKNOWN


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
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=60)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS landmarks"
            " (sha256 TEXT PRIMARY KEY, n_faces INTEGER NOT NULL, points BLOB NOT NULL)"
        )
        self._pending = 0

    def recall(self, key: str) -> Detection | _Unknown | None:
        """The detection, None where it is known that there is no face, or ``UNKNOWN``."""
        query = "SELECT n_faces, points FROM landmarks WHERE sha256 = ?"
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
        row = (key, 0 if found is None else found.n_faces, points)
        self._db.execute("INSERT OR REPLACE INTO landmarks VALUES (?, ?, ?)", row)
        self._pending += 1
        if self._pending >= BATCH:
            self._db.commit()
            self._pending = 0

    def close(self) -> None:
        """Commit and close."""
        self._db.commit()
        self._db.close()
