"""How far the pictures of one person lie apart, and how far people do; and what is left of both.

A quantity is a vector for every picture (two angles of the head, the points of its shape, a
template). Its spread *within* people is the mean over subjects of the variance of a subject's
pictures about their own mean, averaged over the numbers of the vector. Its spread *between* people
is the variance of the subjects' means less what the spread within puts into it, so that it is zero
on average where pictures are shared out at random. Both are unbiased, and every subject counts
once.

A reconstruction is *normalised* when the pictures of one person give one face. A small spread
within people is not enough: the mean face has none, and a decoder that shrinks everything towards
the mean shrinks this too. So what is left of the spread within is held against what is left of the
spread between: ``1 - (within' / within) / (between' / between)``, with a dash for reconstructions.

* 1: the reconstructions of one person are equal, and people still differ;
* 0: the reconstructions are as the pictures are, or these shrunk towards their mean by any factor;
* below 0: more was lost of what tells people apart than of what does not;
* not measured: the reconstructions do not tell people apart, as those of the mean face.

For a quantity that says nothing of a person (the pose) ``between`` is that of another one that does
(the shape): turning everybody to the front leaves no spread of the pose between people, and is what
a normaliser should do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.intervals import (
    LEVEL,
    Interval,
    Measured,
    NotMeasured,
    draw_counts,
    mean_over_subjects,
)
from biometrics.metrics.pairs import Groups

LEAST_SUBJECTS = 3
TOO_FEW = f"fewer than {LEAST_SUBJECTS} people have two pictures"
ALIKE = "the pictures of one person do not differ"
NO_PEOPLE = "the spread between people is not told from zero"

TAIL = 100.0 * (1.0 - LEVEL) / 2.0

NOTHING = 1e-9
"""A share of the pictures' spread below which nothing but rounding is left."""


@dataclass(frozen=True)
class Spread:
    """A quantity of the pictures of S subjects.

    Attributes:
        within: variance of each subject's pictures about their mean, float64 [S].
        means: each subject's mean less that of all subjects, float64 [S, K].
        counts: pictures of each subject, [S], two or more.
    """

    within: NDArray[np.float64]
    means: NDArray[np.float64]
    counts: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.counts)

    def within_draws(self, taken: NDArray[np.floating]) -> NDArray[np.float64]:
        """Spread within people where each subject is taken so many times [Q, S]: float64 [Q]."""
        found: NDArray[np.float64] = taken @ self.within / len(self)
        return found

    def between_draws(self, taken: NDArray[np.floating]) -> NDArray[np.float64]:
        """Spread between people where each subject is taken so many times [Q, S]: float64 [Q];
        below zero where people's means differ by less than chance."""
        s = len(self)
        square = taken @ (self.means**2).mean(axis=1) / s
        square -= ((taken @ self.means / s) ** 2).mean(axis=1)
        noise = taken @ (self.within / self.counts) / s
        found: NDArray[np.float64] = square * (s / (s - 1)) - noise
        return found

    def within_people(self, seed: int) -> Interval:
        """Mean over subjects of the standard deviation of their pictures, in the unit of the
        quantity; n = S."""
        return mean_over_subjects(np.sqrt(self.within), rates=False, seed=seed)

    def between_people(self, seed: int) -> Measured:
        """Standard deviation between people, zero where the spread is below it; n = S."""
        if len(self) < LEAST_SUBJECTS:
            return NotMeasured(TOO_FEW)
        once, draws = np.ones((1, len(self))), _draws(len(self), seed)
        low, high = np.percentile(_root(self.between_draws(draws)), [TAIL, 100.0 - TAIL])
        value = float(_root(self.between_draws(once))[0])
        return Interval(value, float(low), float(high), len(self))


def spread(values: NDArray[np.floating], groups: Groups) -> Spread:
    """The spread of a quantity [N, K] of pictures grouped by subject.

    Raises:
        ValueError: another number of pictures, a value that is not finite, or a subject with one
            picture.
    """
    x = np.asarray(values, dtype=np.float64)[groups.order]
    if x.ndim != 2 or len(x) != len(groups.index) or not np.isfinite(x).all():
        raise ValueError(f"expected finite values of {len(groups.index)} pictures, got {x.shape}")
    if groups.counts.min() < 2:
        raise ValueError("every subject needs two or more pictures")
    x = x - x.mean(axis=0)
    counts = groups.counts[:, None]
    means = np.add.reduceat(x, groups.starts, axis=0) / counts
    beside = ((x - np.repeat(means, groups.counts, axis=0)) ** 2).sum(axis=1)
    within = np.add.reduceat(beside, groups.starts) / (groups.counts - 1) / x.shape[1]
    return Spread(within, means - means.mean(axis=0), groups.counts)


@dataclass(frozen=True)
class Kept:
    """One quantity of pictures and of their reconstructions, row by row the same.

    Attributes:
        pictures, reconstructions: the quantity itself, whose spread within people counts.
        people_pictures, people_reconstructions: the quantity whose spread between people counts:
            the same one, or one that says more of a person.
    """

    pictures: Spread
    reconstructions: Spread
    people_pictures: Spread
    people_reconstructions: Spread

    def scores(self, taken: NDArray[np.floating]) -> NDArray[np.float64] | NotMeasured:
        """The score where each subject is taken so many times [Q, S]; NaN where the spread between
        people is not above zero."""
        within = self.pictures.within_draws(taken)
        between = self.people_pictures.between_draws(taken)
        if (within <= NOTHING * np.abs(self.pictures.between_draws(taken))).any():
            return NotMeasured(ALIKE)
        left = self.people_reconstructions.between_draws(taken)
        known = (between > 0.0) & (left > NOTHING * np.abs(between))
        ratio = np.divide(left, between, out=np.full(len(left), np.nan), where=known)
        found: NDArray[np.float64] = 1.0 - self.reconstructions.within_draws(taken) / within / ratio
        return found


def normalisation(quantities: Sequence[Kept], seed: int = 0) -> Measured:
    """Mean over quantities of the score of the module's head, with a subject bootstrap; n = S.

    Not measured where a quantity's is not, or where its spread between people, of the pictures or
    of the reconstructions, is not told from zero: where more than 2.5 % of the draws have none.
    """
    n = len(quantities[0].pictures)
    if n < LEAST_SUBJECTS:
        return NotMeasured(TOO_FEW)
    once, drawn = np.ones((1, n)), _draws(n, seed)
    values, draws = [], []
    for quantity in quantities:
        value, all_draws = quantity.scores(once), quantity.scores(drawn)
        if isinstance(value, NotMeasured) or isinstance(all_draws, NotMeasured):
            return NotMeasured(ALIKE)
        if np.isnan(value[0]) or np.isnan(all_draws).mean() > TAIL / 100.0:
            return NotMeasured(NO_PEOPLE)
        values.append(value[0])
        draws.append(all_draws)
    mean = np.nan_to_num(np.mean(draws, axis=0), nan=-np.inf)
    low, high = np.percentile(mean, [TAIL, 100.0 - TAIL], method="nearest")
    return Interval(float(np.mean(values)), float(low), float(high), n)


def _draws(n: int, seed: int) -> NDArray[np.float64]:
    return draw_counts(n, seed).astype(np.float64)


def _root(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.maximum(variance, 0.0))
