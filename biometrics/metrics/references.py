"""What a matcher holds of people, tried with pictures that it has not seen.

A *reference* is all that is held of a person in one place: one template, or several of which the
best one counts. A *probe* is a picture that comes to the matcher. Unlike in verification.py, where
every picture is compared with every other, probes are never among the pictures that a reference was
made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.curves import Comparisons, Distribution, WeightedScores
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.pairs import Groups, group
from biometrics.metrics.scores import Similarity, similarity_matrix
from biometrics.metrics.verification import MIN_EXPECTED_PAIRS, SLACK


@dataclass(frozen=True)
class References:
    """References and the probes that are tried on them.

    Attributes:
        templates: [N, D]; a row that is not finite is never accepted.
        together: which reference each template belongs to, 0 to R - 1 in ascending order [N].
        subjects: whose each reference is [R].
        probes: templates [M, D].
        probe_subjects: whose they are [M].
        kind: how templates are compared.

    Raises:
        ValueError: lengths that disagree, or references that are not numbered in order.
    """

    templates: NDArray[np.floating]
    together: NDArray[np.intp]
    subjects: NDArray[np.generic]
    probes: NDArray[np.floating]
    probe_subjects: NDArray[np.generic]
    kind: Similarity

    def __post_init__(self) -> None:
        numbers = np.unique(self.together)
        in_order = np.array_equal(numbers, np.arange(len(self.subjects)))
        if not in_order or (np.diff(self.together) < 0).any():
            raise ValueError(f"expected references 0 to {len(self.subjects) - 1} in order")
        if len(self.together) != len(self.templates) or len(self.probes) != len(
            self.probe_subjects
        ):
            raise ValueError("expected the reference of each template, the subject of each probe")

    @cached_property
    def scores(self) -> NDArray[np.float32]:
        """The score of every probe with every reference, float32 [R, M]: the best over its
        templates; minus infinity where there is none."""
        every = similarity_matrix(self.templates, self.probes, self.kind)
        every[np.isnan(every)] = -np.inf
        starts = np.searchsorted(self.together, np.arange(len(self.subjects)))
        best: NDArray[np.float32] = np.maximum.reduceat(every, starts, axis=0)
        return best

    @cached_property
    def owners(self) -> Groups:
        """The references grouped by subject."""
        return group(self.subjects)

    @cached_property
    def askers(self) -> Groups:
        """The probes grouped by subject."""
        return group(self.probe_subjects)

    def accepted(self, threshold: float) -> NDArray[np.float64]:
        """Share of accepted comparisons of each subject's references with each subject's probes,
        float64 [S, T]; both in the sorted order of their names."""
        accepted = self.scores >= threshold
        rows = np.add.reduceat(
            accepted[self.owners.order], self.owners.starts, axis=0, dtype=np.float64
        )
        cells = np.add.reduceat(rows[:, self.askers.order], self.askers.starts, axis=1)
        return np.asarray(cells / np.outer(self.owners.counts, self.askers.counts))

    def tmr_by_subject(self, threshold: float) -> NDArray[np.float64]:
        """Share of a subject's own probes that are accepted, float64 [S].

        Raises:
            ValueError: a subject without a probe, or probes of somebody else.
        """
        if not np.array_equal(np.unique(self.subjects), np.unique(self.probe_subjects)):
            raise ValueError("expected probes of the subjects of the references, and of no others")
        return self.accepted(threshold).diagonal()

    @cached_property
    def comparisons(self) -> Comparisons:
        """All scores, as :func:`biometrics.metrics.curves.comparisons` gives them: every subject,
        and every pair of subjects, weighs the same. Either part may be empty."""
        share = 1.0 / np.outer(
            self.owners.counts[self.owners.index], self.askers.counts[self.askers.index]
        )
        own = self.subjects[:, None] == self.probe_subjects
        parts = (WeightedScores(self.scores[who], share[who]) for who in (own, ~own))
        return Comparisons(*parts)

    def threshold(self, fmr: float) -> float | NotMeasured:
        """The smallest threshold at which the comparisons of different subjects have at most this
        FMR; not measured where ``fmr`` times their pairs is below 30."""
        pairs = self.owners.n_subjects * self.askers.n_subjects
        pairs -= len(np.intersect1d(self.subjects, self.probe_subjects))
        if fmr * pairs < MIN_EXPECTED_PAIRS * (1.0 - SLACK):
            return NotMeasured(
                f"too few subjects: FMR {fmr:g} times {pairs} pairs of different subjects is "
                f"{fmr * pairs:.3g}, at least {MIN_EXPECTED_PAIRS} are needed"
            )
        strangers = Distribution.of(self.comparisons.nonmated)
        return float(strangers.thresholds_at(np.array([fmr]))[0])
