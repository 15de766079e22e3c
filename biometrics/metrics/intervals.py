"""95 % intervals over subjects.

Subjects are drawn, not pictures: the pictures of one person succeed or fail together, and an
interval over pictures would be too narrow. A draw of S subjects with replacement is kept as the
number of times each was taken, so that all draws are one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from biometrics.metrics.scores import row_blocks

DRAWS = 2000
LEVEL = 0.95
KEPT = 5_000
"""Draws of more subjects than this are made anew each time, in blocks: memory stays flat."""

MIN_DIFFERING = 5
"""Fewer subjects than this apart from the commonest outcome: the bootstrap knows too little."""


class Interval(NamedTuple):
    """A mean with its 95 % interval.

    ``n`` is the number of subjects, or of distinct subject pairs where :func:`two_way` made it.
    ``low`` and ``high`` are None where no interval exists (one subject, not a rate).
    """

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class NotMeasured:
    """What stands in the place of a number that could not be measured: the reason, in words."""

    reason: str


Measured = Interval | NotMeasured

Weights = NDArray[np.floating]
"""How much each draw makes of each subject, [B, S]; all draws come in blocks of rows."""

Draws = Callable[[int], Iterator[Weights]]
"""Weights of so many subjects, drawn only where a bootstrap is needed."""


class Limits(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


def mean_over_subjects(values: ArrayLike, *, rates: bool, seed: int = 0) -> Interval:
    """Mean of one value a subject [S] with its interval; n = S.

    Args:
        values: one finite number for each subject (see :func:`subject_means`).
        rates: whether the values are rates in [0, 1]. Where fewer than five subjects then differ
            from the commonest outcome, the interval is Clopper and Pearson's with n = S trials and
            k = the sum of the values (a fraction is put into the beta quantiles as it stands);
            otherwise, and for general values (a similarity, an SSIM), the percentile bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: no subject, a value that is not finite, or a rate outside [0, 1].
    """
    return mean_under(values, lambda n: subject_draws(n, seed), rates=rates)


def mean_under(values: ArrayLike, draws: Draws, *, rates: bool) -> Interval:
    """:func:`mean_over_subjects`, its bootstrap under draws of another kind."""
    x = _checked(values, rates=rates)
    n, value = len(x), float(x.mean())
    if rates and n_differing(x) < MIN_DIFFERING:
        return Interval(value, *clopper_pearson(float(x.sum()), n), n)
    if n == 1:
        return Interval(value, None, None, 1)
    return Interval(value, *_bootstrap_mean(x, draws(n)), n)


def paired_difference(a: ArrayLike, b: ArrayLike, *, rates: bool, seed: int = 0) -> Interval:
    """Mean of ``a - b`` over the same subjects [S] with its interval; n = S.

    The same draws serve both, so subjects that are easy for both cancel. With ``rates``, where
    fewer than five subjects differ from the commonest difference, the gain (mean of the positive
    parts) and the loss (mean of the negative parts) get Clopper-Pearson intervals of 97.5 % each
    and the interval is [gain.low - loss.high, gain.high - loss.low]: by Bonferroni at least 95 %,
    and not of width zero when no subject differs. Swapping a and b mirrors the result.

    Raises:
        ValueError: as :func:`mean_over_subjects`, or lengths that disagree.
    """
    return difference_under(a, b, lambda n: subject_draws(n, seed), rates=rates)


def difference_under(a: ArrayLike, b: ArrayLike, draws: Draws, *, rates: bool) -> Interval:
    """:func:`paired_difference`, its bootstrap under draws of another kind."""
    left, right = _checked(a, rates=rates), _checked(b, rates=rates)
    if len(left) != len(right):
        raise ValueError(f"cannot pair {len(left)} subjects with {len(right)}")
    d = left - right
    n, value = len(d), float(d.mean())
    if rates and n_differing(d) < MIN_DIFFERING:
        level = (1.0 + LEVEL) / 2.0
        gain = clopper_pearson(float(np.maximum(d, 0.0).sum()), n, level)
        loss = clopper_pearson(float(np.maximum(-d, 0.0).sum()), n, level)
        return Interval(value, gain.low - loss.high, gain.high - loss.low, n)
    if n == 1:
        return Interval(value, None, None, 1)
    return Interval(value, *_bootstrap_mean(d, draws(n)), n)


def two_way(matrix: ArrayLike, *, rates: bool, seed: int = 0) -> Interval:
    """Mean over subject pairs of ``matrix`` [S, S] with a two-way subject bootstrap.

    A draw that takes subject i m_i times weighs cell (i, j) with m_i m_j: the estimate is
    sum m_i m_j R_ij / sum m_i m_j over i != j. Each subject enters as row and as column, as one
    person does whose face is easily mistaken. n = number of *distinct subject pairs* {i, j} with a
    value in either order.

    Args:
        matrix: mean outcome of the picture pairs of subjects i and j; symmetric or not; the
            diagonal is ignored; NaN where there is no pair.
        rates: as in :func:`mean_over_subjects`; the outcome of a subject is then the mean of its
            row and column, and n of Clopper-Pearson is S.
        seed: of the bootstrap.

    Raises:
        ValueError: no square matrix, no pair, infinite values, or a rate outside [0, 1].
    """
    return two_way_under(matrix, lambda n: subject_draws(n, seed), rates=rates)


def two_way_under(
    matrix: ArrayLike, draws: Draws, *, columns: Draws | None = None, rates: bool
) -> Interval:
    """:func:`two_way`, its bootstrap under draws of another kind; ``columns`` of subjects as
    columns, where these weigh otherwise than as rows."""
    cells = np.array(matrix, dtype=np.float64)
    if cells.ndim != 2 or cells.shape[0] != cells.shape[1]:
        raise ValueError(f"expected a square matrix of subject pairs, got {list(cells.shape)}")
    np.fill_diagonal(cells, np.nan)
    valid = ~np.isnan(cells)
    value = float(_checked(cells[valid], rates=rates).mean())
    n_pairs = int(np.triu(valid | valid.T).sum())
    if rates:
        outcomes = _row_and_column_means(cells, valid)
        if n_differing(outcomes) < MIN_DIFFERING:
            return Interval(value, *clopper_pearson(value * len(outcomes), len(outcomes)), n_pairs)
    limits = _bootstrap_cells(cells, valid, value, draws, columns or draws)
    return Interval(value, *limits, n_pairs)


def clopper_pearson(k: float, n: int, level: float = LEVEL) -> Limits:
    """Exact binomial limits for k successes in n trials; a fractional k is allowed.

    Source: C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", 1934, as quantiles of beta distributions.
    """
    tail = (1.0 - level) / 2.0
    edge = 1e-9 * n  # sums of rates carry rounding: 0 and n are meant exactly
    low = 0.0 if k <= edge else float(betaincinv(k, n - k + 1.0, tail))
    high = 1.0 if k >= n - edge else float(betaincinv(k + 1.0, n - k, 1.0 - tail))
    return Limits(low, high)


def n_differing(x: NDArray[np.float64]) -> int:
    """Subjects apart from the commonest outcome; the rounding hides the order of summation."""
    _, counts = np.unique(np.round(x, 12), return_counts=True)
    return int(len(x) - counts.max())


def subject_means(values: ArrayLike, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean of ``values`` [N] within each subject that occurs in ``index`` [N], by subject number.

    Raises:
        ValueError: where the lengths disagree.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.shape != index.shape:
        raise ValueError(f"{len(x)} values of {len(index)} subjects")
    counts = np.bincount(index)
    sums = np.bincount(index, weights=x)
    return sums[counts > 0] / counts[counts > 0]


def subject_draws(n_subjects: int, seed: int) -> Iterator[Weights]:
    """:func:`draw_counts` in blocks of draws; those of many subjects are made anew each time."""
    if n_subjects <= KEPT:
        yield draw_counts(n_subjects, seed)
    else:
        yield from _drawn(n_subjects, seed)


@lru_cache(maxsize=4)
def draw_counts(n_subjects: int, seed: int) -> NDArray[np.float32]:
    """How often each draw takes each subject, float32 [2000, S], read-only; rows sum to S.

    Kept for the last few (S, seed): every figure of an audit uses the same draws, which is also
    what makes differences between figures comparable. 8 MB at 1,000 subjects.
    """
    counts = np.empty((DRAWS, n_subjects), dtype=np.float32)
    for block, rows in zip(row_blocks(DRAWS, n_subjects), _drawn(n_subjects, seed), strict=True):
        counts[block] = rows
    counts.setflags(write=False)
    return counts


def _drawn(n_subjects: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """The draws in blocks [B, S]."""
    rng = np.random.default_rng(seed)
    for block in row_blocks(DRAWS, n_subjects):
        rows = block.stop - block.start
        taken = rng.integers(0, n_subjects, size=(rows, n_subjects))
        taken += np.arange(rows)[:, None] * n_subjects
        flat = np.bincount(taken.ravel(), minlength=rows * n_subjects)
        yield flat.reshape(rows, n_subjects).astype(np.float32)


def _bootstrap_mean(
    x: NDArray[np.float64], blocks: Iterator[Weights]
) -> tuple[float | None, float | None]:
    # Centred, so that equal values give exactly [value, value].
    value = x.mean()
    parts = [(weights @ (x - value), weights.sum(axis=1)) for weights in blocks]
    return _around(value, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _bootstrap_cells(
    cells: NDArray[np.float64], valid: NDArray[np.bool_], value: float, rows: Draws, columns: Draws
) -> tuple[float | None, float | None]:
    n = len(cells)
    if n < 3:
        return None, None
    centred, missing = np.where(valid, cells - value, 0.0), (~valid).astype(np.float64)
    diagonal = missing.sum() == n  # alone is missing
    parts = []
    for left, right in zip(rows(n), columns(n), strict=True):
        row, column = left.astype(np.float64), right.astype(np.float64)
        sums = np.einsum("ds,ds->d", row @ centred, column)
        left_out = np.einsum("ds,ds->d", row if diagonal else row @ missing, column)
        parts.append((sums, row.sum(axis=1) * column.sum(axis=1) - left_out))
    return _around(value, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _around(
    value: float, sums: NDArray[np.floating], weights: NDArray[np.floating]
) -> tuple[float | None, float | None]:
    """Limits of what the draws give, from their weighted sums of deviations from the value."""
    usable = weights > 0.0  # two-way, a draw of one subject only, S times, holds no pair
    if not usable.any():
        return None, None
    return percentile_limits(value + sums[usable] / weights[usable])


def percentile_limits(draws: NDArray[np.float64]) -> Limits:
    """The two ends between which 95 % of the draws lie."""
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    low, high = np.percentile(draws, [tail, 100.0 - tail])
    return Limits(float(low), float(high))


def _row_and_column_means(
    cells: NDArray[np.float64], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    filled = np.where(valid, cells, 0.0)
    counts = valid.sum(axis=0) + valid.sum(axis=1)
    sums = filled.sum(axis=0) + filled.sum(axis=1)
    means: NDArray[np.float64] = sums[counts > 0] / counts[counts > 0]
    return means


def _checked(values: Any, *, rates: bool) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0:
        raise ValueError(f"expected one value for each of at least one subject, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{(~np.isfinite(x)).sum()} of {len(x)} values are not finite")
    if rates and (x.min() < -1e-9 or x.max() > 1.0 + 1e-9):
        raise ValueError(f"rates lie in [0, 1], got {x.min():.6g} to {x.max():.6g}")
    return np.clip(x, 0.0, 1.0) if rates else x
