"""Who takes part in the attacks by noise, and what a judge makes of a picture of theirs.

Of every person the first picture is enrolled: its template stands in the gallery that the noise is
made against. The second is handed in, and is the one that is attacked. The others are never shown
to an attack: success counts on pictures that the noise was not made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate
from audit.judging import Judge
from audit.split import unit_hash
from audit.stress.bench import Made, Vectors, Workbench
from audit.stress.rows import by_fmr
from biometrics.metrics.intervals import (
    NotMeasured,
    mean_over_subjects,
    paired_difference,
    subject_means,
)
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import paired_similarity
from reports.results import ByFmr, Estimate

Places = NDArray[np.intp]

NOBODY = NotMeasured("no person has a picture that the noise was not made for")


class Compared(NamedTuple):
    """Scores [P] of pictures with other pictures, and the place of the picture in each [P]."""

    scores: NDArray[np.float32]
    first: Places

    def accepted(self, cut: float) -> NDArray[np.float64]:
        """Share of accepted comparisons of each picture that has any."""
        return subject_means(self.scores >= cut, self.first)


@dataclass(frozen=True)
class Cast:
    """The people, S of them; rows are positions in the faces.

    Attributes:
        enrolled, handed: rows of the two pictures [S].
        others: rows of further pictures [M], and whose they are: ``owners`` [M], places of people.
        goals: the person whom each is to be taken for, places [S].
    """

    enrolled: Places
    handed: Places
    others: Places
    owners: Places
    goals: Places

    def __len__(self) -> int:
        return len(self.handed)

    def with_own(self, bench: Workbench, judge: Judge, vectors: Vectors, who: Places) -> Compared:
        """A judge's templates [K, D] of pictures of the people ``who`` [K], or of what was made of
        them, with the further pictures of these people."""
        return _compared(bench, judge, vectors, who, self.others, self.owners)

    def with_goals(self, bench: Workbench, judge: Judge, vectors: Vectors, who: Places) -> Compared:
        """The same with pictures of their goals, but for the enrolled ones."""
        rows = np.concatenate([self.handed, self.others])
        owners = np.concatenate([np.arange(len(self)), self.owners])
        return _compared(bench, judge, vectors, self.goals[who], rows, owners)

    def with_enrolled(
        self, bench: Workbench, judge: Judge, vectors: Vectors, whose: Places
    ) -> Compared:
        """The same with the enrolled picture of the people ``whose`` [K]."""
        return _compared(
            bench, judge, vectors, whose, self.enrolled, np.arange(len(self), dtype=np.intp)
        )


def choose(bench: Workbench, subjects: int) -> Cast | None:
    """Leaked people with two or more pictures, those with three or more first, else in an order
    that depends on name and seed alone; None where there are fewer than three."""
    rows = bench.people.split.leaked
    groups = group(bench.names[rows])
    names = bench.names[rows][groups.order[groups.starts]]
    hashes = np.array([unit_hash(n, purpose="noise", seed=bench.config.seed) for n in names])
    order = np.lexsort((hashes, groups.counts < 3))
    chosen = np.sort(order[groups.counts[order] >= 2][:subjects])
    if len(chosen) < 3:
        return None
    first = groups.starts[chosen]
    place = np.concatenate(
        [np.arange(s + 2, s + n) for s, n in zip(first, groups.counts[chosen], strict=True)]
    )
    owners = np.repeat(np.arange(len(chosen)), groups.counts[chosen] - 2)
    # Everybody is one person's goal: a ring in the order of the hashes.
    ring = np.argsort(hashes[chosen])
    goals = np.empty(len(chosen), dtype=np.intp)
    goals[ring] = np.roll(ring, -1)
    picture = rows[groups.order]
    return Cast(picture[first], picture[first + 1], picture[place], owners, goals)


def _compared(
    bench: Workbench,
    judge: Judge,
    vectors: Vectors,
    whose: Places,
    rows: Places,
    owners: Places,
) -> Compared:
    first, second = np.nonzero(whose[:, None] == owners)
    known = bench.clean(judge.name, rows[second])
    return Compared(paired_similarity(vectors[first], known, judge.kind), first)


def accepted(bench: Workbench, judge: Judge, found: Compared, *, refused: bool = False) -> ByFmr:
    """Share of people accepted, or refused, at each FMR."""

    def rate(cut: float) -> Estimate:
        if not len(found.first):
            return estimate(NOBODY)
        values = found.accepted(cut)
        values = 1.0 - values if refused else values
        return estimate(mean_over_subjects(values, rates=True, seed=bench.seed))

    return by_fmr(judge, rate)


def change(bench: Workbench, judge: Judge, after: Compared, before: Compared) -> ByFmr:
    """Paired difference of the share accepted at each FMR, of the same comparisons."""

    def difference(cut: float) -> Estimate:
        if not len(after.first):
            return estimate(NOBODY)
        a, b = after.accepted(cut), before.accepted(cut)
        return estimate(paired_difference(a, b, rates=True, seed=bench.seed))

    return by_fmr(judge, difference)


def named(name: str, rates: ByFmr) -> dict[str, Estimate]:
    """Rates at each FMR as measures: ``impersonation_at_1e-2``."""
    return {f"{name}_at_{label}": value for label, value in rates.items()}


def usable(found: Compared, made: Made | None) -> Compared:
    """Without a face, or without a template, nothing is accepted."""
    if made is None:
        return found
    there = made.detected[found.first] & np.isfinite(found.scores)
    return Compared(np.where(there, found.scores, -np.inf).astype(np.float32), found.first)
