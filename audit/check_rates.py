"""How well templates tell people apart: TMR and separation, with bootstrap draws of both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.backbones.base import Similarity
from biometrics.errors import InputError
from biometrics.metrics.intervals import (
    DRAWS,
    LEVEL,
    Interval,
    draw_counts,
    mean_over_subjects,
    subject_means,
)
from biometrics.metrics.pairs import group, mated_pairs
from biometrics.metrics.scores import pair_scores, similarity_matrix
from biometrics.metrics.verification import MIN_EXPECTED_PAIRS, Threshold, nonmated_threshold

WANTED_FMR = 1e-2
HIGHEST_FMR = 0.1
"""Where the pairs allow no lower one than this, there are too few people to say anything."""

ROOM = 4.0
"""How many times more of the highest non-mated scores are kept than are accepted: the threshold of
every bootstrap draw lies among them."""


class Measured(NamedTuple):
    """What one set of templates gives.

    Attributes:
        by_subject: share of accepted mated pairs of each subject with two pictures [S].
        draws: the TMR of each bootstrap draw [2000].
        separation: how far mated scores lie from non-mated ones, in their standard deviations.
        separation_draws: the same of each draw [2000].
    """

    by_subject: NDArray[np.float64]
    draws: NDArray[np.float64]
    separation: float
    separation_draws: NDArray[np.float64]

    def interval(self) -> Interval:
        """The TMR, 95 %: the wider of the bootstrap and, where few differ, the binomial."""
        plain = mean_over_subjects(self.by_subject, rates=True)
        low, high = limits(self.draws, LEVEL)
        return Interval(
            plain.value,
            min(low, plain.value if plain.low is None else plain.low),
            max(high, plain.value if plain.high is None else plain.high),
            plain.n,
        )


class Comparisons:
    """The comparisons of some people's pictures, the same for whatever embeds them.

    Args:
        subjects: whose the pictures are [N].
        seed: of the bootstrap.

    Raises:
        InputError: too few people, or nobody with two pictures.
    """

    def __init__(self, subjects: NDArray[np.str_], seed: int) -> None:
        self.subjects, self.groups = subjects, group(subjects)
        self.mated = mated_pairs(self.groups)
        pairs = self.groups.n_subject_pairs
        self.fmr = max(WANTED_FMR, MIN_EXPECTED_PAIRS / max(pairs, 1))
        if self.fmr > HIGHEST_FMR:
            raise InputError(
                f"{self.groups.n_subjects} people are too few to measure a TMR: at least 25 are "
                "needed, 78 for an FMR of 1e-2"
            )
        if len(np.unique(self.groups.index[self.mated.first])) < 5:
            raise InputError("fewer than 5 people have two pictures; a TMR needs several of each")
        self.counts = draw_counts(self.groups.n_subjects, seed)  # [2000, S]

    def measure(self, vectors: NDArray[np.float32], kind: Similarity) -> Measured:
        """Rates and separation of templates [N, D] that are compared in this way."""
        index = self.groups.index
        found = nonmated_threshold(vectors, self.subjects, kind, self.fmr)
        assert isinstance(found, Threshold)  # the FMR was chosen so that it can be measured
        mated = pair_scores(vectors, vectors, self.mated, kind)
        owner = index[self.mated.first]
        by_subject = subject_means(mated >= found.value, owner)
        scores = similarity_matrix(vectors, vectors, kind)
        draws = self._tmr_draws(mated, owner, self._thresholds(scores))
        separations = self._separations(mated, owner, scores)
        return Measured(by_subject, draws, float(separations[0]), separations[1:])

    def _separations(
        self, mated: NDArray[np.float32], owner: NDArray[np.intp], scores: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """The decidability d' [1 + 2000] of all subjects, then of each draw.

        d' = (m - n) / sqrt((u + v) / 2) with the means m, n and variances u, v of mated and
        non-mated scores (J. Daugman, "Biometric decision landscapes", 2000); every subject, and
        every pair of subjects, weighs the same. Zero where nothing scatters.
        """
        everybody = np.ones((1, self.groups.n_subjects), dtype=np.float32)
        counts = np.vstack([everybody, self.counts])
        several = np.unique(owner)
        taken = counts[:, several]
        n_pairs = np.maximum(counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1), 1)
        centre = scores.mean(dtype=np.float64)  # a variance is a small difference of squares

        def means(power: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            own = taken @ subject_means((mated - centre) ** power, owner)
            others = counts @ self._of_subject_pairs((scores - centre) ** power)
            return own / np.maximum(taken.sum(axis=1), 1), (others * counts).sum(axis=1) / n_pairs

        (m, n), (mm, nn) = means(1), means(2)
        variance = ((mm - m**2) + (nn - n**2)) / 2
        apart: NDArray[np.float64] = np.zeros_like(m)
        np.divide(m - n, np.sqrt(np.maximum(variance, 0)), out=apart, where=variance > 0)
        return apart

    def _of_subject_pairs(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mean score between any two subjects [S, S]; zero of each with itself."""
        order, starts = self.groups.order, self.groups.starts
        sums = np.add.reduceat(scores[order][:, order], starts, axis=0, dtype=np.float64)
        sums = np.add.reduceat(sums, starts, axis=1)
        means: NDArray[np.float64] = sums / np.outer(self.groups.counts, self.groups.counts)
        np.fill_diagonal(means, 0.0)
        return means

    def _thresholds(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The threshold [2000] of each draw: the lowest score at which the weighted share of
        accepted pairs of different people is at most the FMR."""
        index, share = self.groups.index, 1.0 / self.groups.counts
        i, j = np.nonzero(index[:, None] < index[None, :])
        order = np.argsort(-scores[i, j], kind="stable")
        order = order[: max(1, int(len(order) * min(1.0, ROOM * self.fmr)))]
        i, j = i[order], j[order]
        weight = (share[index[i]] * share[index[j]]).astype(np.float32)
        total = (self.counts.sum(axis=1) ** 2 - (self.counts**2).sum(axis=1)) / 2
        kept = scores[i, j]
        thresholds = np.empty(DRAWS, dtype=np.float32)
        for draw in range(DRAWS):  # one row at a time: all together would take gigabytes
            count = self.counts[draw]
            accepted = np.cumsum(weight * count[index[i]] * count[index[j]])
            first_too_many = int(np.searchsorted(accepted, self.fmr * total[draw], side="right"))
            last = min(first_too_many, len(kept) - 1)
            thresholds[draw] = np.nextafter(kept[last], np.float32(np.inf))
        return thresholds

    def _tmr_draws(
        self,
        mated: NDArray[np.float32],
        owner: NDArray[np.intp],
        thresholds: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """The TMR [2000] of each draw: a mean over its subjects with two pictures."""
        sizes = np.bincount(owner, minlength=self.groups.n_subjects)
        weight = self.counts[:, owner] / sizes[owner]  # [2000, P]
        accepted = mated[None, :] >= thresholds[:, None]
        taken = self.counts[:, sizes > 0].sum(axis=1)
        rates: NDArray[np.float64] = (weight * accepted).sum(axis=1) / np.maximum(taken, 1)
        return rates


def limits(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The middle of the draws: ``level`` of them lie within."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
