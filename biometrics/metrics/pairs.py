"""Which pictures are compared with which, and how their outcomes are averaged over subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.scores import Similarity, row_blocks, similarity_matrix


@dataclass(frozen=True)
class Groups:
    """Rows grouped by subject; subjects are numbered in the sorted order of their names, so that
    no figure depends on the order of the rows.

    Attributes:
        index: subject number of each row, intp [N].
        order: rows sorted by subject, intp [N].
        starts: where each subject begins in ``order``, intp [S].
        counts: pictures of each subject, intp [S].
    """

    index: NDArray[np.intp]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    counts: NDArray[np.intp]

    @property
    def n_subjects(self) -> int:
        """Number of subjects S."""
        return len(self.counts)

    @property
    def n_subject_pairs(self) -> int:
        """Number of distinct pairs of different subjects, S (S - 1) / 2."""
        return self.n_subjects * (self.n_subjects - 1) // 2


class Pairs(NamedTuple):
    """Row numbers of the two pictures of each pair, intp [P] each."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]

    def both_ways(self) -> Pairs:
        """Every pair in both orders."""
        return Pairs(
            np.concatenate([self.first, self.second]), np.concatenate([self.second, self.first])
        )


def group(subjects: ArrayLike) -> Groups:
    """Group rows by subject (names or numbers [N]).

    Raises:
        ValueError: where there is no row.
    """
    names = np.asarray(subjects)
    if names.ndim != 1 or len(names) == 0:
        raise ValueError(f"expected the subject of each of at least one row, got {names.shape}")
    _, index, counts = np.unique(names, return_inverse=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    return Groups(index.astype(np.intp), order, np.cumsum(counts) - counts, counts)


def mated_pairs(groups: Groups) -> Pairs:
    """All pairs of different pictures of one subject, each once."""
    n = len(groups.index)
    last = np.repeat(groups.starts + groups.counts, groups.counts) - 1
    later = last - np.arange(n)  # pictures of the same subject that follow
    first = np.repeat(np.arange(n), later)
    step = np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return Pairs(groups.order[first], groups.order[first + 1 + step])


def mated_across(subjects: ArrayLike, others: ArrayLike) -> Pairs:
    """Every pair of a row of ``subjects`` [N] and one of ``others`` [M] with the same name, in the
    order of the former."""
    names, known = np.asarray(subjects), np.asarray(others)
    order = np.argsort(known, kind="stable")
    left = np.searchsorted(known[order], names, side="left")
    counts = np.searchsorted(known[order], names, side="right") - left
    first = np.repeat(np.arange(len(names)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return Pairs(first, order[np.repeat(left, counts) + within])


def acceptance_by_subject_pair(
    probes: NDArray[np.floating],
    gallery: NDArray[np.floating],
    groups: Groups,
    kind: Similarity,
    threshold: float,
    usable: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Share of accepted pairs (probe of subject s, gallery picture of subject t), float64 [S, S].

    Args:
        probes, gallery: templates [N, D], row by row the same subjects.
        groups: the subjects of the rows.
        kind, threshold: accepted when the score >= threshold; NaN is never accepted.
        usable: probes [N] that count as rejected where False.

    The diagonal compares pictures with themselves too and is not a mated rate.
    """
    order, n = groups.order, len(groups.index)
    columns = gallery[order]
    accepted = np.empty((n, groups.n_subjects), dtype=np.float32)
    for block in row_blocks(n, n):
        rows = order[block]
        hits = similarity_matrix(probes[rows], columns, kind) >= threshold
        if usable is not None:
            hits &= usable[rows, None]
        accepted[block] = np.add.reduceat(hits, groups.starts, axis=1, dtype=np.float32)
    sums = np.add.reduceat(accepted, groups.starts, axis=0, dtype=np.float64)
    return sums / np.outer(groups.counts, groups.counts)
