"""Evidence in the numbers themselves of how templates were stored: rounded, in few bits, scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROWS, VALUES = 2_000, 2_000_000
"""Rows that are looked at, and of long ones so many that they hold no more values than these."""

NEAR = 2e-4
"""How far from a step of its grid a number may lie, in steps; float32 keeps seven digits."""

SCALED = 1e-5
"""How near to 0 and 1 the smallest and largest number of a min-max scaled row lie."""


@dataclass(frozen=True)
class Grids:
    """Shares of rows in [0, 1] whose numbers all lie on a grid, and levels a dimension.

    Attributes:
        rows: how many were looked at.
        float16: representable in half precision.
        two_decimals: multiples of .01.
        eight_bits: whole multiples of a 127th of the row's largest absolute value, or of a 255th of
            its range from its smallest: 8-bit integers with a scale a row.
        row_min_max: rows from 0 to 1 exactly, with both reached.
        levels: distinct values of a dimension over these rows, the median dimension; in the order
            of ``rows`` where values are continuous, 256 or fewer for 8 bits a dimension, 2 for one.
    """

    rows: int
    float16: float
    two_decimals: float
    eight_bits: float
    row_min_max: float
    levels: int


def grids_of(sample: NDArray[np.float32]) -> Grids | None:
    """The grids of finite rows [N, D] other than zero; None of no rows."""
    rows = sample[: min(ROWS, max(1, VALUES // max(1, sample.shape[1])))]
    if not rows.size:
        return None
    exact = rows.astype(np.float64)
    low, high = exact.min(axis=1, keepdims=True), exact.max(axis=1, keepdims=True)
    top = np.abs(exact).max(axis=1, keepdims=True)
    even = _whole(exact, top / 127) | _whole(exact - low, (high - low) / 255)
    return Grids(
        rows=len(rows),
        float16=_share(_in_half_precision(rows)),
        two_decimals=_share(_whole(exact, np.full_like(top, 0.01))),
        eight_bits=_share(even & (high > low)[:, 0]),
        row_min_max=_share((np.abs(low) < SCALED)[:, 0] & (np.abs(high - 1) < SCALED)[:, 0]),
        levels=_levels(rows),
    )


def _in_half_precision(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    with np.errstate(over="ignore"):
        half = rows.astype(np.float16).astype(np.float32)
    return np.asarray((half == rows).all(axis=1))


def _whole(values: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows [N] of values [N, D] that are all whole multiples of the row's step [N, 1]; rounding of
    float32 is allowed for."""
    safe = np.where(step > 0, step, 1.0)
    multiples = values / safe
    room = NEAR + 4 * np.finfo(np.float32).eps * np.abs(multiples)
    # On a grid as fine as the rounding every number would lie.
    fits = (np.abs(multiples - np.rint(multiples)) <= np.minimum(room, 0.05)).all(axis=1)
    return np.asarray(fits & (step > 0)[:, 0])


def _levels(rows: NDArray[np.float32]) -> int:
    ordered = np.sort(rows, axis=0)
    return int(np.median((np.diff(ordered, axis=0) != 0).sum(axis=0))) + 1


def _share(rows: NDArray[np.bool_]) -> float:
    return float(rows.mean())
