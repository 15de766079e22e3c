"""Bring a weight file into memory, once, with its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from biometrics.errors import WeightsError

MAX_BYTES = 1 << 30
"""The largest weight file that is read whole; a path given by mistake may be a disk image."""


class WeightFile(NamedTuple):
    """The bytes of a file and their sha256 in hexadecimal: what is hashed is what is parsed."""

    data: bytes
    sha256: str


def read_weight_file(path: Path) -> WeightFile:
    """Read a weight file.

    Raises:
        WeightsError: where it is absent, unreadable or too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise WeightsError(f"{path} has {size} bytes, at most {MAX_BYTES} are read as weights")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read: {error.strerror or error}") from error
    return WeightFile(data, hashlib.sha256(data).hexdigest())
