"""Templates written as text or as raw bytes in one value: ``[0.1, 0.2]``, ``{0.1,0.2}``, numbers
between blanks, base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from biometrics.stores.loose import LEAST

_WORDS = ("np.array", "numpy.array", "array", "tensor", "vector")
LONGEST = 1 << 20
"""Characters of a text that may be a template; longer ones are not looked at."""
_BETWEEN = re.compile(r"[\s,;|]+")
_MISSING = {"none": "nan", "null": "nan", "nan": "nan", "na": "nan", "": "nan"}
PICKLES = ("gANj", "gAS", "gAJ", "gASV", "gAN")
"""How a pickle in base64 begins."""


def numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Texts as numbers; missing ones (``null``, ``NaN`` or nothing) are NaN. None where one of them
    is something else."""
    texts = pa.array(cells, pa.string())
    try:
        found: NDArray[np.float64] = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        plain = [_MISSING.get(cell.strip().lower(), cell.strip()) for cell in cells]
        try:
            return np.array(plain, dtype=np.float64)
        except ValueError:
            return None
    return found


def text_vector(cell: str) -> NDArray[np.float64] | None:
    """A template written as numbers in one text, float64 [D]; None where it is no such text.

    Brackets of any kind may enclose them; between them stand blanks, commas, semicolons or line
    breaks. NumPy's short form with dots in the middle is no template.
    """
    if len(cell) > LONGEST:
        return None
    inner = cell.strip()
    if word := next((word for word in _WORDS if inner.startswith(word)), None):
        inner = inner[len(word) :].partition("]")[0]  # dtype=... may follow
    inner = inner.strip("[](){}, \t\r\n")
    if not inner or "..." in inner:
        return None
    parts = _BETWEEN.split(inner)
    return numbers(parts) if len(parts) > 1 else None


def raw_vector(data: bytes) -> tuple[NDArray[np.floating], str] | None:
    """A template in raw bytes, and how it is written; None where no reading looks like one.

    Of float32 and float64 in little-endian order, and then in big-endian order, that is taken of
    which most values are ordinary numbers.
    """
    best: tuple[float, NDArray[np.floating], str] | None = None
    for kind in ("<f4", "<f8", ">f4", ">f8"):
        size = int(kind[2])
        if len(data) % size or len(data) < LEAST * size:
            continue
        values = np.frombuffer(data, kind)
        share = _ordinary(values)
        if best is None or share > best[0] + 0.02:
            order = ", big-endian" if kind[0] == ">" else ""
            best = share, values, f"float{8 * size}{order}"
    return None if best is None or best[0] < 0.5 else (best[1], best[2])


def _ordinary(values: NDArray[np.floating]) -> float:
    """Share of the values that lie between 1e-8 and 1e4, or are 0."""
    with np.errstate(invalid="ignore"):
        size = np.abs(values)
        return float(((size > 1e-8) & (size < 1e4) | (size == 0)).mean())


def from_base64(text: str) -> bytes | None:
    """The bytes of a text that is base64, plain or for addresses; None for others."""
    if not LEAST * 4 <= len(text) <= LONGEST:
        return None
    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
