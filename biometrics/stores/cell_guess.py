"""How an unknown column may hold vectors, by a sample of its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.stores.cells import Decoded, Encoding, Vectors, decode
from biometrics.stores.lengths import LEAST_DIM
from biometrics.stores.limits import Limits
from biometrics.stores.relational import Value

MOST = 0.9
"""Share of the sampled values that have to be vectors of one length."""

SMALL, LARGE = 1e-9, 1e5
"""Between these, or zero, lie the numbers of templates. Of random bytes read as float32 a fifth
does, so that pictures, and float64 read as float32, are told from templates."""

PLAUSIBLE = 0.98

ORDER = (
    Encoding.NUMBERS,
    Encoding.FLOAT32,
    Encoding.FLOAT64,
    Encoding.PACKED_FLOAT32,
    Encoding.BASE64_FLOAT32,
    Encoding.BASE64_FLOAT64,
    Encoding.HEX_FLOAT64,  # last: it takes base64 of float64 too
)
TEXT_FIRST = 16
"""A value of text has to be longer than this to be tried."""


class Guess(NamedTuple):
    """How a column seems to be written, and how long its vectors are."""

    encoding: Encoding
    dim: int


def guess(values: Sequence[Value], limits: Limits) -> Guess | None:
    """The encoding under which nearly all sampled values are vectors of one length, at least 16
    numbers, of sizes that templates have; None where there is none.

    Args:
        values: a sample; nulls do not count.
        limits: as for :func:`decode`.
    """
    sample = [value for value in values if value is not None and value != ""]
    if not sample or all(_short(value) for value in sample):
        return None
    binary = sum(isinstance(value, bytes | bytearray | memoryview) for value in sample)
    for encoding in ORDER:
        raw = encoding in (Encoding.FLOAT32, Encoding.FLOAT64, Encoding.PACKED_FLOAT32)
        if raw and binary < MOST * len(sample):
            continue
        best = _commonest(decode(sample, encoding, limits))
        if best is None or len(set(best.rows)) < MOST * len(sample):
            continue
        if best.vectors.shape[1] >= LEAST_DIM and _like_templates(best.vectors):
            return Guess(encoding, best.vectors.shape[1])
    return None


def _short(value: Value) -> bool:
    return not isinstance(value, list | tuple | np.ndarray) and (
        not isinstance(value, str | bytes | bytearray | memoryview) or len(value) < TEXT_FIRST
    )


def _commonest(decoded: Decoded) -> Vectors | None:
    counts = Counter({dim: len(found.vectors) for dim, found in decoded.by_dim.items()})
    return decoded.by_dim[counts.most_common(1)[0][0]] if counts else None


def _like_templates(vectors: NDArray[np.float32]) -> bool:
    """Whether numbers are of a usual size and not whole. A few rows of NaN or zeros do not count
    against it: these occur in the wild."""
    kept = vectors[np.isfinite(vectors).all(axis=1) & (vectors != 0).any(axis=1)]
    if len(kept) < len(vectors) / 2:
        return False
    size = np.abs(kept)
    usual = (size == 0) | ((size > SMALL) & (size < LARGE))
    whole = float((kept == np.round(kept)).mean())
    return float(usual.mean()) >= PLAUSIBLE and whole < 0.5
