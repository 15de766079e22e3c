"""Subjects compared as a whole, without a matrix of all of them.

The score of two subjects is the mean over their pairs of templates. The highest would favour
subjects with many templates, as it is the best of more draws, and its FMR would grow with their
number; the mean of several scores has the FMR of one or less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import Similarity, comparer, row_blocks
from biometrics.metrics.verification import MIN_EXPECTED_PAIRS, SLACK
from biometrics.progress import Advance, silent
from biometrics.templates import check_finite

MOST_TEMPLATES = 10
"""Templates of a subject that are compared, drawn by the seed where there are more."""


@dataclass(frozen=True)
class Side:
    """The subjects of one store, in the order of their names.

    Attributes:
        names: [S].
        rows: float64 [N, D] sorted by subject; for the cosine [S, D], the means of the templates
            at length 1: their product is the mean of the cosines.
        starts, counts: where the rows of each subject begin, and how many they are, [S].
    """

    names: NDArray[np.str_]
    rows: NDArray[np.float64]
    starts: NDArray[np.intp]
    counts: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.names)


def gather(
    templates: NDArray[np.floating], subjects: ArrayLike, kind: Similarity, seed: int
) -> Side:
    """Group templates [N, D] by subject, at most ``MOST_TEMPLATES`` of each.

    Raises:
        InputError: templates that are not finite.
        ValueError: no template, or other lengths.
    """
    check_finite(templates)
    names = np.asarray(subjects, dtype=str)
    if len(names) != len(templates):
        raise ValueError(f"{len(templates)} templates of {len(names)} subjects")
    drawn = np.random.default_rng(seed).permutation(len(names))
    groups = group(names[drawn])
    place = np.arange(len(names)) - np.repeat(groups.starts, groups.counts)
    rows = drawn[groups.order[place < MOST_TEMPLATES]]
    counts = np.minimum(groups.counts, MOST_TEMPLATES)
    starts = np.cumsum(counts) - counts
    vectors = templates[rows].astype(np.float64)
    if kind == "cosine":
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(length > 0.0, length, 1.0)
        vectors = np.add.reduceat(vectors, starts, axis=0) / counts[:, None]
        return Side(names[rows[starts]], vectors, np.arange(len(counts)), np.ones_like(counts))
    return Side(names[rows[starts]], vectors, starts, counts)


class ScoreRows(NamedTuple):
    """Scores float32 [B, S] of some subjects of one side with all of the other."""

    block: slice
    scores: NDArray[np.float32]


def score_rows(one: Side, two: Side, kind: Similarity) -> Iterator[ScoreRows]:
    """Every subject of ``one`` with every subject of ``two``, some subjects at a time."""
    compare = comparer(two.rows, "l2") if kind == "l2" else None
    most = int(one.counts.max())
    for block in row_blocks(len(one), most * len(two.rows)):
        if compare is None:
            scores = (one.rows[block] @ two.rows.T).clip(-1.0, 1.0).astype(np.float32)
        else:
            first = one.starts[block.start]
            last = one.starts[block.stop - 1] + one.counts[block.stop - 1]
            scores = compare(one.rows[first:last])
            scores = _means(scores, two.starts, two.counts, axis=1)
            scores = _means(scores, one.starts[block] - first, one.counts[block], axis=0)
        yield ScoreRows(block, scores)


def _means(
    scores: NDArray[np.float32], starts: NDArray[np.intp], counts: NDArray[np.intp], axis: int
) -> NDArray[np.float32]:
    if scores.shape[axis] == len(starts):
        return scores
    sums = np.add.reduceat(scores, starts, axis=axis, dtype=np.float64)
    by = counts if axis == 1 else counts[:, None]
    means: NDArray[np.float32] = (sums / by).astype(np.float32)
    return means


def thresholds_within(
    side: Side, kind: Similarity, fmrs: Sequence[float], *, advance: Advance = silent
) -> dict[float, float | NotMeasured]:
    """The smallest threshold that lets at most each FMR of the pairs of different subjects of one
    store pass; not measured where there are too few (``MIN_EXPECTED_PAIRS``)."""
    pairs = len(side) * (len(side) - 1) // 2
    everyone = np.arange(len(side))

    def blocks() -> Iterator[NDArray[np.float32]]:
        for block, scores in score_rows(side, side, kind):
            yield scores[everyone > everyone[block, None]]
            advance(block.stop - block.start)

    return _thresholds(blocks(), pairs, pairs, fmrs)


def thresholds_across(
    one: Side, two: Side, kind: Similarity, fmrs: Sequence[float]
) -> dict[float, float | NotMeasured]:
    """The same over the pairs of a subject of one store and another of the other store; a pair that
    appears both ways counts once for whether there are enough."""
    other = partners(one, two)
    pairs = len(one) * len(two) - int((other >= 0).sum())
    people = len(np.union1d(one.names, two.names))
    everyone = np.arange(len(two))

    def blocks() -> Iterator[NDArray[np.float32]]:
        for block, scores in score_rows(one, two, kind):
            yield scores[everyone != other[block, None]]

    return _thresholds(blocks(), pairs, min(pairs, people * (people - 1) // 2), fmrs)


def partners(one: Side, two: Side) -> NDArray[np.intp]:
    """Where each subject of ``one`` stands in ``two``, [S]; -1 where it does not."""
    _, mine, theirs = np.intersect1d(one.names, two.names, True, return_indices=True)
    found = np.full(len(one), -1, dtype=np.intp)
    found[mine] = theirs
    return found


def _thresholds(
    blocks: Iterator[NDArray[np.float32]], pairs: int, distinct: int, fmrs: Sequence[float]
) -> dict[float, float | NotMeasured]:
    """Of all scores, which are walked through once."""
    allowed = {
        rate: int(rate * pairs * (1.0 + SLACK))
        for rate in fmrs
        if rate * distinct >= MIN_EXPECTED_PAIRS * (1.0 - SLACK)
    }
    highest = _highest(blocks, max(allowed.values(), default=-1) + 1)
    found: dict[float, float | NotMeasured] = {}
    for rate in fmrs:
        if rate in allowed:
            # Just above the highest score that must be rejected: equal ones fall together.
            found[rate] = float(np.nextafter(highest[allowed[rate]], np.float32(np.inf)))
        else:
            found[rate] = NotMeasured(
                f"too few subjects: FMR {rate:g} times {distinct} distinct subject pairs is "
                f"{rate * distinct:.3g}, at least {MIN_EXPECTED_PAIRS} are needed"
            )
    return found


def _highest(blocks: Iterator[NDArray[np.float32]], wanted: int) -> NDArray[np.float32]:
    """The highest of all scores, descending; not more than twice as many are kept at a time,
    beside a block."""
    kept = np.zeros(0, dtype=np.float32)
    floor = np.float32(-np.inf)
    for scores in blocks:
        if wanted == 0:
            continue
        kept = np.concatenate([kept, scores[scores >= floor]])
        if len(kept) > 2 * wanted:
            kept = np.partition(kept, len(kept) - wanted)[len(kept) - wanted :]
            floor = kept.min()
    return np.sort(kept)[::-1][:wanted]
