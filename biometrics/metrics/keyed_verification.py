"""Thresholds and error rates of matchers whose templates were protected under keys.

Two cases, as ISO/IEC 30136 and the literature have them. *Stolen key*: an impostor comes with the
victim's key, so all comparisons are under one key, each key in turn. *Genuine key*: everybody comes
with a key of their own, so that two people differ in face and key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.pairs import Groups
from biometrics.metrics.scores import Similarity, row_blocks, similarity_matrix
from biometrics.metrics.verification import (
    ScoreBlock,
    Threshold,
    nonmated_blocks,
    threshold_of_blocks,
)

Vectors = NDArray[np.floating]
KEPT = 50_000_000
"""Scores of all keys that are kept in memory, 12 bytes each."""

Protect = Callable[[int], Vectors]
"""Protected templates [N, P] of the same templates under any key."""


def stolen_key_thresholds(
    protect: Protect,
    keys: Sequence[int],
    groups: Groups,
    kind: Similarity,
    fmrs: Sequence[float],
) -> list[Threshold | NotMeasured]:
    """For every rate the smallest threshold whose FMR is at most that, the mean over keys, when all
    templates lie under one key.

    Args:
        protect: the protected templates under any of the keys.
        keys: those that are tried; each weighs the same.
        groups: whose templates they are.
        kind: how they are compared.
        fmrs: nominal FMRs in (0, 1).

    Returns, raises: as :func:`biometrics.metrics.verification.nonmated_threshold`.
    """

    def blocks() -> Iterator[ScoreBlock]:
        for key in keys:
            for block in nonmated_blocks(protect(key), groups, kind):
                yield ScoreBlock(block.scores, block.weights / len(keys))

    first = protect(keys[0])
    # Every look at the scores protects all templates again, so they are kept while they are few.
    few = len(keys) * len(first) ** 2 // 2 <= KEPT
    kept = list(blocks()) if few else []
    return [
        threshold_of_blocks(
            lambda: kept if few else blocks(), (first,), groups.n_subject_pairs, fmr
        )
        for fmr in fmrs
    ]


def genuine_key_threshold(
    templates: Vectors,
    groups: Groups,
    keys: NDArray[np.integer],
    kind: Similarity,
    fmr: float,
) -> Threshold | NotMeasured:
    """The same for protected templates [N, P], each person's under a key of their own; pairs of
    people who happen to have one key are left out.

    Args:
        templates: protected, each under its key.
        groups: whose templates they are.
        keys: of each person, in the order of the groups' numbers [S].
        kind: how they are compared.
        fmr: nominal FMR in (0, 1).
    """
    differ = keys[:, None] != keys
    pairs = int(np.triu(differ, 1).sum())
    if not pairs:
        return NotMeasured("all people have one key")

    def blocks() -> Iterator[ScoreBlock]:
        ordered, subject = templates[groups.order], groups.index[groups.order]
        share = 1.0 / groups.counts[subject]
        for rows in row_blocks(len(ordered), len(ordered)):
            later = slice(rows.start, len(ordered))
            scores = similarity_matrix(ordered[rows], ordered[later], kind)
            mine, theirs = subject[rows, None], subject[later]
            i, j = np.nonzero((mine < theirs) & differ[mine, theirs])
            yield ScoreBlock(scores[i, j], share[rows][i] * share[later][j] / pairs)

    return threshold_of_blocks(blocks, (templates,), pairs, fmr)


def acceptance_under_keys(
    probes: Protect,
    stored: Vectors,
    keys: NDArray[np.integer],
    groups: Groups,
    kind: Similarity,
    thresholds: Sequence[float],
    usable: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Share of accepted pairs (probe of subject s, stored template of subject t) at every
    threshold, float64 [T, S, S], when each probe comes under the key of the stored template.

    Args:
        probes: the probes [N, P] under any key; a row that is not finite is never accepted.
        stored: protected templates [N, P], row by row of the same subjects.
        keys: of each stored template [N].
        groups: whose the rows are.
        kind, thresholds: accepted when the score >= threshold.
        usable: probes [N] that count as rejected where False.

    The diagonals compare pictures with themselves too and are no mated rates.
    """
    sums = np.zeros((len(thresholds), groups.n_subjects, groups.n_subjects))
    for key in np.unique(keys):
        under, columns = probes(int(key)), np.flatnonzero(keys == key)
        owners = groups.index[columns]
        for block in row_blocks(len(under), len(columns)):
            scores = similarity_matrix(under[block], stored[columns], kind)
            for place, threshold in enumerate(thresholds):
                hits = scores >= threshold
                if usable is not None:
                    hits &= usable[block, None]
                rows, found = np.nonzero(hits)
                np.add.at(sums[place], (groups.index[block][rows], owners[found]), 1.0)
    return sums / np.outer(groups.counts, groups.counts)
