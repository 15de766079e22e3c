"""How templates of a known backbone were stored, told by their values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.stores.grids import grids_of
from biometrics.stores.measuring import UNIT

RAW, UNIT_LENGTH, MIN_MAX, ONE_BIT, SCALED = "raw", "unit", "min-max", "1 bit a value", "scaled"

RAW_ROOM = 0.4
"""How far the mean length may lie from the backbone's own, as a share of it: people and cameras
differ."""


class Form(NamedTuple):
    """How they were stored.

    Attributes:
        kind: ``raw`` (as the backbone gives them), ``unit``, ``min-max`` (each row or all of them
            scaled to 0 ... 1), ``1 bit a value`` or ``scaled`` (anything else).
        kept: how many of the backbone's dimensions are there, the first ones.
        dim: how many it gives.
        precision: ``float16`` or ``8 bits`` or ``2 decimals`` where the values say so, else empty.
    """

    kind: str
    kept: int
    dim: int
    precision: str

    @property
    def name(self) -> str:
        """In words, such as ``unit, first 64 of 128 values, float16``."""
        part = "" if self.kept == self.dim else f"first {self.kept} of {self.dim} values"
        return ", ".join(word for word in (self.kind, part, self.precision) if word)


def form_of(sample: NDArray[np.floating], dim: int, norms: tuple[float, float]) -> Form:
    """The form of templates [N, K], finite, of a backbone.

    Args:
        sample: the templates.
        dim: D of the backbone's own, at least K.
        norms: mean and standard deviation of its templates' lengths.

    The length of shortened raw templates is not known before; those that vary in length as the
    backbone's own do, and are no longer, count as raw.
    """
    rows = sample.astype(np.float32)
    grids = grids_of(rows)
    if grids is None:
        return Form(SCALED, rows.shape[1], dim, "")
    precision = (
        "8 bits"
        if grids.eight_bits > 0.99
        else "2 decimals"
        if grids.two_decimals > 0.99
        else "float16"
        if grids.float16 > 0.99
        else ""
    )
    kind = _kind(rows, dim, norms, grids.levels, grids.row_min_max)
    return Form(kind, rows.shape[1], dim, "" if kind == ONE_BIT else precision)


def _kind(
    rows: NDArray[np.float32],
    dim: int,
    norms: tuple[float, float],
    levels: int,
    row_min_max: float,
) -> str:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    typical = float(np.median(lengths))
    mean, std = norms
    if levels <= 2 < len(rows):
        return ONE_BIT
    if row_min_max > 0.99:
        return MIN_MAX
    own_unit = abs(mean - 1) < UNIT and std < UNIT
    # Half precision and 8 bits leave lengths that differ in the third digit.
    if np.mean(np.abs(lengths - 1) < 5 * UNIT) > 0.95:
        return RAW if own_unit and rows.shape[1] == dim else UNIT_LENGTH
    whole_min_max = abs(float(rows.min())) < 1e-6 and abs(float(rows.max()) - 1) < 1e-6
    if whole_min_max:
        return MIN_MAX
    if rows.shape[1] == dim:
        return RAW if abs(typical / mean - 1) < RAW_ROOM else SCALED
    if rows.shape[1] < dim and not own_unit:
        share = typical / mean / np.sqrt(rows.shape[1] / dim)
        return RAW if 0.5 < share < 1.6 else SCALED
    return RAW if typical < mean else SCALED
