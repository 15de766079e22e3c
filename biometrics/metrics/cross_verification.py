"""Thresholds and error rates where pictures of one kind are compared with pictures of another.

Such as turned faces against upright ones: row i of the probes and row i of the gallery are two
versions of one picture. A probe of subject s is compared with the gallery pictures of subject t,
and the other way round; these two scores are of the same two people, so pairs are counted once a
pair of people, whatever their order. Where probes and gallery are the same templates, everything
here agrees with :mod:`biometrics.metrics.verification`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.intervals import Measured, NotMeasured, subject_means, two_way
from biometrics.metrics.pairs import Groups, acceptance_by_subject_pair, group, mated_pairs
from biometrics.metrics.scores import Similarity, pair_scores, row_blocks, similarity_matrix
from biometrics.metrics.verification import (
    ScoreBlock,
    Threshold,
    threshold_of_blocks,
)


def cross_threshold(
    probes: NDArray[np.floating],
    gallery: NDArray[np.floating],
    subjects: ArrayLike,
    kind: Similarity,
    fmr: float,
) -> Threshold | NotMeasured:
    """The smallest threshold whose FMR, probes against gallery pictures of others, is at most
    ``fmr``: the mean over ordered pairs of subjects of the share of accepted comparisons.

    Args:
        probes, gallery: [N, D], finite, row by row the same pictures.
        subjects: whose they are [N].
        kind: how they are compared.
        fmr: nominal FMR in (0, 1).

    Returns:
        The threshold, or NotMeasured where ``fmr`` times *distinct* subject pairs is below 30.

    Raises:
        InputError: templates that are not finite.
        ValueError: an FMR outside (0, 1), or other shapes.
    """
    groups = _grouped(probes, gallery, subjects)
    return threshold_of_blocks(
        lambda: _ordered_blocks(probes, gallery, groups, kind),
        (probes, gallery),
        groups.n_subject_pairs,
        fmr,
    )


def cross_realised_fmr(
    probes: NDArray[np.floating],
    gallery: NDArray[np.floating],
    subjects: ArrayLike,
    kind: Similarity,
    threshold: float,
    *,
    seed: int = 0,
) -> Measured:
    """FMR at ``threshold`` of probes against gallery pictures of others, two-way subject bootstrap;
    n = distinct pairs of subjects."""
    groups = _grouped(probes, gallery, subjects)
    if groups.n_subjects < 2:
        return NotMeasured("no non-mated pairs: there is only one subject")
    rates = acceptance_by_subject_pair(probes, gallery, groups, kind, threshold)
    return two_way(rates, rates=True, seed=seed)


def cross_tmr_by_subject(
    probes: NDArray[np.floating],
    gallery: NDArray[np.floating],
    subjects: ArrayLike,
    kind: Similarity,
    threshold: float,
) -> NDArray[np.float64]:
    """Share of accepted comparisons of a probe with the gallery versions of *other* pictures of its
    subject, for each subject with two or more pictures, in the order of the names: float64 [S2]."""
    groups = _grouped(probes, gallery, subjects)
    pairs = mated_pairs(groups).both_ways()
    accepted = pair_scores(probes, gallery, pairs, kind) >= threshold
    return subject_means(accepted, groups.index[pairs.first])


def _grouped(
    probes: NDArray[np.floating], gallery: NDArray[np.floating], subjects: ArrayLike
) -> Groups:
    groups = group(subjects)
    if probes.shape != gallery.shape or len(probes) != len(groups.index):
        raise ValueError(
            f"expected probes and gallery of the same {len(groups.index)} pictures, got "
            f"{list(probes.shape)} and {list(gallery.shape)}"
        )
    return groups


def _ordered_blocks(
    probes: NDArray[np.floating], gallery: NDArray[np.floating], groups: Groups, kind: Similarity
) -> Iterator[ScoreBlock]:
    """Every comparison of a probe with a gallery picture of somebody else; weights sum to 1."""
    n, subject = len(probes), groups.index
    share = 1.0 / groups.counts[subject]
    for rows in row_blocks(n, n):
        scores = similarity_matrix(probes[rows], gallery, kind)
        i, j = np.nonzero(subject[rows, None] != subject)
        weights = share[rows][i] * share[j] / (2.0 * groups.n_subject_pairs)
        yield ScoreBlock(scores[i, j], weights)
