"""Who of one store is who of another: what a leaked store is used for.

Subjects are compared as a whole, see :mod:`biometrics.metrics.subject_scores`; no matrix of all
subjects is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.intervals import (
    MIN_DIFFERING,
    Interval,
    Measured,
    NotMeasured,
    clopper_pearson,
    mean_over_subjects,
    n_differing,
)
from biometrics.metrics.scores import Similarity
from biometrics.metrics.subject_scores import (
    Side,
    gather,
    partners,
    score_rows,
    thresholds_within,
)
from biometrics.progress import Advance, silent


@dataclass(frozen=True)
class LinkedAt:
    """What is linked at one threshold.

    Attributes:
        threshold: of the score of two subjects; linked at or above it.
        tmr: share of the subjects of both stores who are linked to themselves.
        fmr: share of the pairs of two different subjects that are linked; n counts these pairs.
        pairs: linked pairs of any subjects, which everybody can count.
        people: subjects of the first store who are linked to anybody.
        expected_false: pairs that the nominal FMR lets through among all; above that are people.
        right: linked pairs that are one person; None where no label tells.
    """

    threshold: float
    tmr: Measured
    fmr: Measured
    pairs: int
    people: int
    expected_false: float
    right: int | None


@dataclass(frozen=True)
class Linkage:
    """How far subjects of a first store are found in a second.

    Attributes:
        subjects: of the first and of the second store.
        shared: subjects of both, by their labels.
        rank1: share of these who have no higher score with anybody than with themselves.
        rank10: share of these with fewer than ten others at least as high.
        given: by FMR, at the thresholds that were given for it.
        own: by FMR, at the threshold with that FMR between different subjects *within* the stores
            (the higher of the two): known to everybody who has them, labels in common or not.
    """

    subjects: tuple[int, int]
    shared: int
    rank1: Measured
    rank10: Measured
    given: Mapping[float, LinkedAt]
    own: Mapping[float, LinkedAt | NotMeasured]


def link(
    a: NDArray[np.floating],
    a_subjects: ArrayLike,
    b: NDArray[np.floating],
    b_subjects: ArrayLike,
    kind: Similarity,
    *,
    thresholds: Mapping[float, float] | None = None,
    fmrs: Sequence[float] = (),
    seed: int = 0,
    advance: Advance = silent,
) -> Linkage:
    """Compare every subject of ``a`` [N, D] with every subject of ``b`` [M, D].

    Args:
        a, b: templates in one space, finite.
        a_subjects, b_subjects: whose they are, text [N] and [M]; equal means the same person. Where
            a store says nothing of its people, every template is a subject with a label of its own.
        kind: how templates are compared.
        thresholds: of single comparisons by the FMR that they are for, such as a backbone's own.
        fmrs: those for which thresholds are worked out from the two stores.
        seed: of the bootstrap, and of the draw where a subject has many templates.
        advance: told about the subjects that were compared, all of ``a`` and ``b`` within their
            store and of ``a`` across.

    Returns:
        What was found. Rates are conditional on the threshold; their intervals are over subjects.

    Raises:
        InputError: templates that are not finite.
        ValueError: no template, other lengths, or an FMR outside (0, 1).
    """
    rates = (*(thresholds or {}), *fmrs)
    if any(not 0.0 < rate < 1.0 for rate in rates):
        raise ValueError(f"a nominal FMR lies between 0 and 1, got {rates}")
    one, two = gather(a, a_subjects, kind, seed), gather(b, b_subjects, kind, seed)
    own = _own_thresholds((one, two), kind, fmrs, advance)
    given = thresholds or {}
    cuts = [*given.values(), *(c for c in own.values() if not isinstance(c, NotMeasured))]
    found = _cross(one, two, kind, cuts, advance)
    place = {cut: number for number, cut in enumerate(cuts)}

    def at(rate: float, cut: float | NotMeasured) -> LinkedAt | NotMeasured:
        return cut if isinstance(cut, NotMeasured) else _at(found, place[cut], rate, seed)

    return Linkage(
        subjects=(len(one), len(two)),
        shared=len(found.shared),
        rank1=_ranked(found, 1, seed),
        rank10=_ranked(found, 10, seed),
        given={rate: _at(found, place[cut], rate, seed) for rate, cut in given.items()},
        own={rate: at(rate, cut) for rate, cut in own.items()},
    )


def _own_thresholds(
    sides: Sequence[Side], kind: Similarity, fmrs: Sequence[float], advance: Advance
) -> dict[float, float | NotMeasured]:
    """The highest of the stores' thresholds at each FMR; a store with too few subjects says
    nothing."""
    first, second = (thresholds_within(side, kind, fmrs, advance=advance) for side in sides)
    return {rate: _stricter(first[rate], second[rate]) for rate in fmrs}


def _stricter(a: float | NotMeasured, b: float | NotMeasured) -> float | NotMeasured:
    if isinstance(a, NotMeasured) or isinstance(b, NotMeasured):
        return b if isinstance(a, NotMeasured) else a
    return max(a, b)


@dataclass(frozen=True)
class _Cross:
    """What one pass over all subjects of both stores counts.

    Attributes:
        sizes: subjects of each.
        shared: where the subjects of both stand in the first and the second, [P, 2].
        ranks: of these, [P].
        thresholds: [T].
        accepted: whether these are linked to themselves, bool [T, P].
        by_row, by_column: linked pairs of each subject, [T, S] each.
    """

    sizes: tuple[int, int]
    shared: NDArray[np.intp]
    ranks: NDArray[np.intp]
    thresholds: Sequence[float]
    accepted: NDArray[np.bool_]
    by_row: NDArray[np.intp]
    by_column: NDArray[np.intp]


def _cross(
    one: Side, two: Side, kind: Similarity, thresholds: Sequence[float], advance: Advance
) -> _Cross:
    other = partners(one, two)
    mine = np.flatnonzero(other >= 0)
    ranks = np.zeros(len(one), dtype=np.intp)
    accepted = np.zeros((len(thresholds), len(one)), dtype=bool)
    by_row = np.zeros((len(thresholds), len(one)), dtype=np.intp)
    by_column = np.zeros((len(thresholds), len(two)), dtype=np.intp)
    for block, scores in score_rows(one, two, kind):
        known = np.flatnonzero(other[block] >= 0)
        own = scores[known, other[block][known]]
        ranks[block.start + known] = (scores[known] >= own[:, None]).sum(axis=1)
        for place, threshold in enumerate(thresholds):
            linked = scores >= np.float32(threshold)
            accepted[place, block.start + known] = own >= np.float32(threshold)
            by_row[place, block] = linked.sum(axis=1)
            by_column[place] += linked.sum(axis=0)
        advance(block.stop - block.start)
    return _Cross(
        sizes=(len(one), len(two)),
        shared=np.stack([mine, other[mine]], axis=1),
        ranks=ranks[mine],
        thresholds=thresholds,
        accepted=accepted[:, mine],
        by_row=by_row,
        by_column=by_column,
    )


NO_LABEL = NotMeasured("no subject has a label in both stores")


def _ranked(found: _Cross, limit: int, seed: int) -> Measured:
    if not len(found.shared):
        return NO_LABEL
    if found.sizes[1] <= limit:
        return NotMeasured(f"rank {limit} says nothing among {found.sizes[1]} subjects")
    return mean_over_subjects(found.ranks <= limit, rates=True, seed=seed)


def _at(found: _Cross, place: int, rate: float, seed: int) -> LinkedAt:
    pairs = int(found.by_row[place].sum())
    known = len(found.shared) > 0
    return LinkedAt(
        threshold=found.thresholds[place],
        tmr=mean_over_subjects(found.accepted[place], rates=True, seed=seed) if known else NO_LABEL,
        fmr=_false_rate(found, place, seed) if known else NO_LABEL,
        pairs=pairs,
        people=int((found.by_row[place] > 0).sum()),
        expected_false=rate * found.sizes[0] * found.sizes[1],
        right=int(found.accepted[place].sum()) if known else None,
    )


def _false_rate(found: _Cross, place: int, seed: int) -> Measured:
    """Share of linked pairs among those of different subjects.

    A person enters as row and as column, with both where in both stores. The interval is the first
    term of the two-way subject bootstrap: it needs the sums of rows and columns only.
    """
    (rows, columns), shared = found.sizes, found.shared
    right = found.accepted[place]
    row, column = found.by_row[place].astype(float), found.by_column[place].astype(float)
    row[shared[:, 0]] -= right
    column[shared[:, 1]] -= right
    of_row, of_column = np.full(rows, float(columns)), np.full(columns, float(rows))
    of_row[shared[:, 0]] -= 1
    of_column[shared[:, 1]] -= 1
    total = of_row.sum()
    if total == 0:
        return NotMeasured("no pairs of different subjects: there is only one")
    value = row.sum() / total
    # Of every person: linked pairs, and pairs, as row and as column together.
    person = np.r_[np.arange(rows), rows + np.arange(columns)]
    person[rows + shared[:, 1]] = shared[:, 0]
    linked, pairs = (
        np.bincount(person, np.r_[x, y]) for x, y in ((row, column), (of_row, of_column))
    )
    there = np.bincount(person) > 0
    linked, pairs = linked[there], pairs[there]
    n = len(pairs)
    rates = np.divide(linked, pairs, out=np.zeros(n), where=pairs > 0)
    if n_differing(rates) < MIN_DIFFERING:
        return Interval(float(value), *clopper_pearson(value * n, n), int(total))
    spread = mean_over_subjects(n * (linked - value * pairs) / total, rates=False, seed=seed)
    low, high = (value + (end or 0.0) for end in (spread.low, spread.high))
    return Interval(float(value), float(max(0.0, low)), float(min(1.0, high)), int(total))
