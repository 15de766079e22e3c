"""Thresholds and the error rates at them.

The FMR is the mean over pairs of different subjects of the share of accepted comparisons between
their pictures: a person with many pictures counts no more than one with few. The TMR is the mean
over subjects of the share of accepted comparisons between two different pictures of the subject.
Everything runs in blocks of rows, so that memory does not grow with the number of pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.errors import InputError
from biometrics.metrics.intervals import (
    Measured,
    NotMeasured,
    mean_over_subjects,
    subject_means,
    two_way,
)
from biometrics.metrics.pairs import Groups, acceptance_by_subject_pair, group, mated_pairs
from biometrics.metrics.scores import Similarity, pair_scores, row_blocks, similarity_matrix

MIN_EXPECTED_PAIRS = 30
"""An FMR is used only where FMR times distinct subject pairs reaches this."""

SLACK = 1e-9
"""Relative rounding allowed in FMR <= nominal: 30 of 30,000 equal weights must count as 1e-3."""

HALF = 1 << 16


class Threshold(NamedTuple):
    """A threshold and where it comes from.

    Attributes:
        value: accept when the score >= value; a float32 number.
        nominal: the FMR that was asked for.
        realised: the FMR at ``value`` on the pairs it was chosen on; at most ``nominal``.
        n_subject_pairs: distinct pairs of different subjects among those.
    """

    value: float
    nominal: float
    realised: float
    n_subject_pairs: int


class ScoreBlock(NamedTuple):
    """Some non-mated comparisons: float32 scores and their shares of the FMR."""

    scores: NDArray[np.float32]
    weights: NDArray[np.float64]


def nonmated_threshold(
    templates: NDArray[np.floating], subjects: ArrayLike, kind: Similarity, fmr: float
) -> Threshold | NotMeasured:
    """The smallest threshold whose FMR on these templates' non-mated pairs is at most ``fmr``.

    Equal scores are accepted or rejected together. The threshold is the float32 number next above
    the highest rejected score, hence at or below the lowest accepted one.

    Args:
        templates: [N, D], finite.
        subjects: whose they are [N].
        kind: how they are compared.
        fmr: nominal FMR in (0, 1).

    Returns:
        The threshold, or NotMeasured where ``fmr`` times distinct subject pairs is below 30.

    Raises:
        InputError: templates that are not finite.
        ValueError: an FMR outside (0, 1).
    """
    groups = group(subjects)
    return threshold_of_blocks(
        lambda: nonmated_blocks(templates, groups, kind),
        (templates,),
        groups.n_subject_pairs,
        fmr,
    )


def threshold_of_blocks(
    blocks: Callable[[], Iterable[ScoreBlock]],
    templates: Sequence[NDArray[np.floating]],
    n_subject_pairs: int,
    fmr: float,
) -> Threshold | NotMeasured:
    """The smallest threshold that accepts at most ``fmr`` of weighted non-mated scores.

    The search is a weighted radix selection: one pass sums weights by the upper 16 bits of the
    scores, a second by the lower 16 bits of the scores that share the bits found. It is exact.

    Args:
        blocks: the scores, from the beginning each time; all weights sum to 1.
        templates: what is compared, which must be finite.
        n_subject_pairs: distinct pairs of different subjects among the comparisons.
        fmr: nominal FMR in (0, 1).

    Returns, raises: as :func:`nonmated_threshold`.
    """
    if not 0.0 < fmr < 1.0:
        raise ValueError(f"a nominal FMR lies between 0 and 1, got {fmr}")
    if not all(np.isfinite(rows).all() for rows in templates):
        raise InputError("templates that set a threshold must be finite")
    if fmr * n_subject_pairs < MIN_EXPECTED_PAIRS * (1.0 - SLACK):
        return NotMeasured(
            f"too few subjects: FMR {fmr:g} times {n_subject_pairs} distinct subject pairs is "
            f"{fmr * n_subject_pairs:.3g}, at least {MIN_EXPECTED_PAIRS} are needed"
        )
    coarse = np.zeros(HALF)
    for block in blocks():
        coarse += np.bincount(sort_keys(block.scores) >> 16, block.weights, HALF)
    high, above = _last_rejected(coarse, 0.0, fmr)
    fine = np.zeros(HALF)
    for block in blocks():
        keys = sort_keys(block.scores)
        here = keys >> 16 == high
        fine += np.bincount(keys[here] & (HALF - 1), block.weights[here], HALF)
    low, realised = _last_rejected(fine, above, fmr)
    return Threshold(_from_key(high * HALF + low + 1), fmr, realised, n_subject_pairs)


def realised_fmr(
    templates: NDArray[np.floating],
    subjects: ArrayLike,
    kind: Similarity,
    threshold: float,
    *,
    seed: int = 0,
) -> Measured:
    """FMR at ``threshold`` on these templates, two-way subject bootstrap; n = distinct pairs of
    different subjects."""
    groups = group(subjects)
    if groups.n_subjects < 2:
        return NotMeasured("no non-mated pairs: there is only one subject")
    rates = acceptance_by_subject_pair(templates, templates, groups, kind, threshold)
    return two_way(rates, rates=True, seed=seed)


def tmr(
    templates: NDArray[np.floating],
    subjects: ArrayLike,
    kind: Similarity,
    threshold: float,
    *,
    seed: int = 0,
) -> Measured:
    """TMR at ``threshold``; n = subjects with two or more pictures."""
    rates = tmr_by_subject(templates, subjects, kind, threshold)
    if len(rates) == 0:
        return NotMeasured("no mated pairs: no subject has two pictures")
    return mean_over_subjects(rates, rates=True, seed=seed)


def tmr_by_subject(
    templates: NDArray[np.floating], subjects: ArrayLike, kind: Similarity, threshold: float
) -> NDArray[np.float64]:
    """TMR of each subject with two or more pictures, in the order of their names, float64 [S2]."""
    groups = group(subjects)
    pairs = mated_pairs(groups)
    accepted = pair_scores(templates, templates, pairs, kind) >= threshold
    return subject_means(accepted, groups.index[pairs.first])


def nonmated_blocks(
    templates: NDArray[np.floating], groups: Groups, kind: Similarity
) -> Iterator[ScoreBlock]:
    """Every comparison of two different subjects once, in blocks; all weights sum to 1."""
    ordered, subject = templates[groups.order], groups.index[groups.order]
    share = 1.0 / groups.counts[subject]
    n = len(ordered)
    for rows in row_blocks(n, n):
        later = slice(rows.start, n)  # sorted by subject: later subjects lie to the right
        scores = similarity_matrix(ordered[rows], ordered[later], kind)
        i, j = np.nonzero(subject[rows, None] < subject[later])
        weights = share[rows][i] * share[later][j] / groups.n_subject_pairs
        yield ScoreBlock(scores[i, j], weights)


def enrolled_blocks(
    enrolled: NDArray[np.floating],
    probes: NDArray[np.floating],
    groups: Groups,
    kind: Similarity,
) -> Iterator[ScoreBlock]:
    """Every comparison of a subject's enrolled template with a probe of another subject, row by row
    of the same subjects [N, D] each, in blocks; all weights sum to 1."""
    share = 1.0 / groups.counts[groups.index]
    for rows in row_blocks(len(enrolled), len(probes)):
        scores = similarity_matrix(enrolled[rows], probes, kind)
        i, j = np.nonzero(groups.index[rows, None] != groups.index)
        yield ScoreBlock(scores[i, j], share[rows][i] * share[j] / (2 * groups.n_subject_pairs))


def sort_keys(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Whole numbers in [0, 2^32) in the order of the float32 scores; equal scores, equal keys."""
    bits = (scores + np.float32(0.0)).view(np.uint32)  # -0 + 0 is +0
    keys = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    return keys.astype(np.int64)


def _from_key(key: int) -> float:
    bits = key & 0x7FFFFFFF if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array([bits], dtype=np.uint32).view(np.float32)[0])


class _Rejected(NamedTuple):
    """The highest bin that must be rejected, and the weight of all bins above it."""

    bin: int
    above: float


def _last_rejected(weights: NDArray[np.float64], above: float, fmr: float) -> _Rejected:
    """The highest bin that, accepted with all above it and ``above``, would exceed ``fmr``."""
    tail = above + np.cumsum(weights[::-1])[::-1]  # tail[b]: weight at or above bin b
    too_many = int(np.flatnonzero(tail > fmr * (1.0 + SLACK))[-1])
    return _Rejected(too_many, float(tail[too_many + 1]) if too_many + 1 < HALF else above)
