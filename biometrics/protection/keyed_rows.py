"""Random rows that belong to a key, and projections on them that any machine rounds alike.

The order in which a matrix product is summed depends on the size of the batch and on the machine,
and with it the last digits: enough to turn a bit, or a float32 that two batches should share. So
directions and rows are rounded to fixed grids first, of 2⁻²⁴ and 2⁻²². Their products are whole
multiples of 2⁻⁴⁶, and as a direction is no longer than one, no sum grows past the length of a row:
below 2⁷ = 128 (Gaussian rows of up to some 16,000 values) it fits into the 53 bits of a float64.
Every sum is exact, hence the same in any order.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from biometrics.protection.base import Centred, Family, Vectors, key_stream

Matrix = NDArray[np.float64]
DIRECTION_GRID, ROW_GRID = 2.0**24, 2.0**22
KEPT_BYTES = 1 << 28


class KeyedDirections(Centred):
    """Base of schemes that make a code of the direction of a template and a key."""

    family: ClassVar[Family] = "keyed"
    keyed: ClassVar[bool] = True

    @property
    @abstractmethod
    def width(self) -> int:
        """P, numbers in a protected template as it is given."""

    def grid_directions(self, vectors: Vectors) -> Matrix:
        """Directions [N, D] on their grid."""
        return on_grid(self.directions(vectors), DIRECTION_GRID)


class KeyedRows(KeyedDirections):
    """Base of schemes that see directions only through projections on rows drawn from the key."""

    @abstractmethod
    def rows(self, key: int) -> Matrix:
        """The rows of a key, float64 [P, D], read-only and on their grid."""

    def projections(self, vectors: Vectors, key: int) -> Matrix:
        """Of templates' directions on the rows of a key: float64 [N, P], exact sums."""
        found: Matrix = self.grid_directions(vectors) @ self.rows(key).T
        return found


def on_grid(values: Matrix, grid: float) -> Matrix:
    """The nearest multiples of 1 / grid."""
    found: Matrix = np.rint(values * grid) / grid
    return found


def gaussian_rows(scheme: str, key: int, count: int, dim: int) -> Matrix:
    """Independent standard normal rows [count, dim]."""

    def draw() -> Matrix:
        return on_grid(
            key_stream(scheme, key, "gaussian", dim).standard_normal((count, dim)), ROW_GRID
        )

    return _kept((scheme, "gaussian", key, count, dim), draw)


def orthonormal_rows(scheme: str, key: int, count: int, dim: int) -> Matrix:
    """Rows [count, dim] at right angles and of length one to 1e-6, in blocks of ``dim`` rows.

    Each block is Gaussian rows made orthonormal from the first on (Gram and Schmidt, by Householder
    QR with a positive diagonal): it is spread evenly over all rotations (F. Mezzadri, "How to
    generate random matrices from the classical compact groups", 2007).
    """

    def draw() -> Matrix:
        stream = key_stream(scheme, key, "orthonormal", dim)
        found = np.empty((count, dim))
        for start in range(0, count, dim):
            block = found[start : start + dim]
            q, r = np.linalg.qr(stream.standard_normal(block.shape).T)
            block[:] = (q * np.where(np.diag(r) < 0.0, -1.0, 1.0)).T
        return on_grid(found, ROW_GRID)

    return _kept((scheme, "orthonormal", key, count, dim), draw)


_rows: OrderedDict[tuple[str, str, int, int, int], Matrix] = OrderedDict()


def _kept(name: tuple[str, str, int, int, int], draw: Callable[[], Matrix]) -> Matrix:
    """What was drawn under that name before, or now; those used last are kept, within a limit."""
    if name in _rows:
        _rows.move_to_end(name)
        return _rows[name]
    found = _rows[name] = draw()
    found.flags.writeable = False
    while len(_rows) > 1 and sum(rows.nbytes for rows in _rows.values()) > KEPT_BYTES:
        _rows.popitem(last=False)
    return found
