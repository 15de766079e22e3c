"""Kernel inception distance (KID): the unbiased squared maximum mean discrepancy of two sets.

Source: M. Bińkowski, D. Sutherland, M. Arbel, A. Gretton, "Demystifying MMD GANs", 2018, section
4: kernel k(x, y) = (x·y / D + 1)³ on Inception features. Unlike an FID it is unbiased for any
number of pictures, and may therefore be slightly negative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.intervals import LEVEL, Interval, draw_counts
from biometrics.metrics.scores import row_blocks


class _Sums(NamedTuple):
    """Kernel values summed over the pictures of two subjects, float64 [S, S].

    ``within`` over pairs of distinct pictures of one set, both sets added up; ``across`` over one
    picture of each set, reconstructions in the rows.
    """

    within: NDArray[np.float64]
    across: NDArray[np.float64]


def kid(
    reconstructed: NDArray[np.floating],
    originals: NDArray[np.floating],
    subjects: NDArray[np.intp],
    *,
    seed: int = 0,
) -> Interval:
    """KID of reconstructions and their pictures with a 95 % interval over subjects; n = subjects.

    The value is the unbiased estimate over all pictures, not the mean over random subsets that is
    often reported: both estimate the same number, but the spread of subsets of 1,000 is that of an
    estimate from 1,000 pictures and says nothing about this one, and subsets take the pictures of
    one person for independent. So the interval is a bootstrap over subjects as for every other
    figure: a draw that takes subject s m_s times weighs a pair of pictures of subjects s and t with
    m_s m_t, a pair within s with m_s. A subject's copies are not compared with each other: a
    picture and its copy are closer than any two pictures, which would raise every draw. Where both
    sets come from the same distribution the bootstrap of this statistic is only approximate.

    Args:
        reconstructed, originals: features [N, D]; row i of both belongs together.
        subjects: [N] numbers from 0 without gaps, whose picture each row is.
        seed: of the bootstrap.

    Raises:
        ValueError: shapes that disagree, fewer than two rows, or features that are not finite.
    """
    if reconstructed.shape != originals.shape or len(subjects) != len(originals):
        raise ValueError(f"cannot pair features {reconstructed.shape} with {originals.shape}")
    sums, sizes = _kernel_sums(reconstructed, originals, subjects), np.bincount(subjects)
    value = float(_weighed(sums, sizes, np.ones((1, len(sizes))))[0])
    if len(sizes) < 3:
        return Interval(value, None, None, len(sizes))
    draws = _weighed(sums, sizes, draw_counts(len(sizes), seed).astype(np.float64))
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.nanpercentile(draws, [tail, 100.0 - tail])
    return Interval(value, float(low), float(high), len(sizes))


def polynomial_kernel(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
    """(x·y / D + 1)³ for all rows of ``x`` [N, D] and ``y`` [M, D], float64 [N, M]."""
    left, right = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    values: NDArray[np.float64] = left @ right.T
    values /= x.shape[1]
    values += 1.0
    values *= values * values
    return values


def _kernel_sums(
    reconstructed: NDArray[np.floating], originals: NDArray[np.floating], subjects: NDArray[np.intp]
) -> _Sums:
    """Blocked: memory grows with the features and the square of the subjects, not of pictures."""
    order = np.argsort(subjects, kind="stable")
    owner = subjects[order]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    n = len(starts)
    if len(owner) < 2 or not np.array_equal(owner[starts], np.arange(n)):
        raise ValueError("KID needs two pictures or more, and subjects numbered without gaps")
    sets = [np.asarray(x, dtype=np.float64)[order] for x in (reconstructed, originals)]
    if not all(np.isfinite(x).all() for x in sets):
        raise ValueError("features are not finite")
    within, across = np.zeros((n, n)), np.zeros((n, n))
    for block in row_blocks(len(owner), len(owner)):
        rows = owner[block]
        local = np.arange(block.start, block.stop)
        for x, y, total in ((0, 0, within), (1, 1, within), (0, 1, across)):
            values = polynomial_kernel(sets[x][block], sets[y])
            if x == y:
                values[local - block.start, local] = 0.0  # no picture is compared with itself
            columns = np.add.reduceat(values, starts, axis=1)
            firsts = np.flatnonzero(np.diff(rows, prepend=-1))
            total[rows[firsts]] += np.add.reduceat(columns, firsts, axis=0)
    return _Sums(within, across)


def _weighed(
    sums: _Sums, sizes: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """MMD² of every draw; ``weights`` [draws, S] are how often each takes each subject. NaN where a
    draw holds no pair."""
    size = sizes.astype(np.float64)
    taken = weights * size
    apart = taken.sum(axis=1) ** 2 - (taken**2).sum(axis=1)  # pairs of different subjects
    same_set = apart + weights @ (size * (size - 1.0))
    two_sets = apart + weights @ size**2
    within, across = (_pairs(matrix, weights) for matrix in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = within / same_set - 2.0 * across / two_sets
    return found


def _pairs(matrix: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of w_s w_t M_st over s != t, plus w_s M_ss, of every draw."""
    own = np.diag(matrix)
    both = np.einsum("ds,ds->d", weights @ matrix, weights)
    total: NDArray[np.float64] = both - weights**2 @ own + weights @ own
    return total
