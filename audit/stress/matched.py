"""What judges make of averaged templates, and of the faces made from them, as rows of results."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate, mean_estimate, rate_estimate
from audit.judging import Judge
from audit.stress.bench import Made, Vectors, Workbench
from audit.stress.enrolled import Held
from audit.stress.rows import IS_CLEAN, Condition, by_fmr, main_judge, recognition_row
from biometrics.aggregation import averages
from biometrics.metrics.curves import det_curve, roc_auc
from biometrics.metrics.intervals import NotMeasured as NoFact
from biometrics.metrics.intervals import (
    mean_over_subjects,
    paired_difference,
    subject_means,
    two_way,
)
from biometrics.metrics.pairs import group, mated_pairs
from biometrics.metrics.references import References
from biometrics.metrics.scores import pair_scores, paired_similarity
from reports.results import ByFmr, Estimate, Measured, StressCurve, StressResult, StressSample

POINTS = 40
"""Of a curve."""

Values = NDArray[np.float64]
Key = tuple[str, str, float]
"""Judge, name of a rate, threshold."""


@dataclass(frozen=True)
class Rates:
    """A rate of each person: names in sorted order [S], values [S]."""

    names: NDArray[np.str_]
    values: Values

    def of(self, names: NDArray[np.str_]) -> Values:
        """The rates of some of them."""
        return self.values[np.searchsorted(self.names, names)]


@dataclass(frozen=True)
class Told:
    """Rows of one condition, one a judge, and the rates of every person behind them."""

    rows: list[StressResult] = field(default_factory=list)
    rates: dict[Key, Rates] = field(default_factory=dict)


class Trial:
    """One condition, tried with the same probes as all others.

    Args:
        bench: the target.
        condition: in words.
        held: the pictures that templates are averages of.
        probes: rows of the pictures that come to the matcher, of the same people.
    """

    def __init__(
        self, bench: Workbench, condition: Condition, held: Held, probes: NDArray[np.intp]
    ) -> None:
        self.bench, self.condition, self.held, self.probes = bench, condition, held, probes
        self.owners = bench.names[held.first]
        self.names = np.unique(self.owners)
        self._references: dict[str, References] = {}

    def templates(self, backbone: str) -> Vectors:
        """The averages as one backbone makes them, float32 [G, D]."""
        kind = self.bench.models.ready[backbone].spec.similarity
        return averages(self.bench.clean(backbone, self.held.rows), self.held.parts, kind)

    def references(self, judge: Judge) -> References:
        """What a judge holds, and the probes as it sees them."""
        if judge.name not in self._references:
            own = self.templates(judge.name)
            self._references[judge.name] = self._tried(judge, own, self.held.together)
        return self._references[judge.name]

    def recognised(self, base: Told | None = None) -> Told:
        """How well each judge recognises people by what it holds.

        Args:
            base: the condition that this one is compared with, of these people and perhaps of
                more; None for that one itself.
        """
        told = Told()
        for judge in self.bench.judges:
            held = self.references(judge)
            strangers = self._strangers(judge, held)
            curve = (held.comparisons.mated, strangers.comparisons.nonmated)
            auc = Measured(value=roc_auc(*curve), n=len(self.names))
            roc = det_curve(*curve, points=POINTS)
            row = recognition_row(
                self.bench,
                self.condition,
                judge,
                self._rates(told, judge, "tmr", held.tmr_by_subject),
                difference=self._differences(told, judge, "tmr", base),
                measures={"roc_auc": auc, **self._of_templates(judge)},
            )
            facts: dict[str, Any] = {
                "realised_fmr": by_fmr(judge, functools.partial(self._realised, held)),
                "tmr_same_fmr": self._same_fmr(held, strangers),
                "roc": [
                    StressCurve(
                        name=self.condition.label, fmr=roc.fmr.tolist(), tmr=roc.tmr.tolist()
                    )
                ],
            }
            told.rows.append(row.model_copy(update=facts))
        return told

    def inverted(
        self,
        attack: str,
        made: Made,
        base: Told | None = None,
        *,
        measures: Mapping[str, Estimate] | None = None,
        samples: Sequence[StressSample] = (),
    ) -> Told:
        """How often the faces made of the target's averages are accepted, each for itself."""
        told = Told()
        main = main_judge(self.bench)
        for judge in self.bench.judges:
            vectors = made.vectors[judge.name]
            own = paired_similarity(vectors, self.templates(judge.name), judge.kind)
            own[~made.detected] = -np.inf
            seen = self._seen(judge, made, np.arange(len(own)))
            self._tell(told, attack, judge, own, seen, made.detected, base)
            if self._held_together:
                alike = self._alike(vectors, self.owners, judge)
                told.rows[-1].measures["among_reconstructions"] = alike
            if judge.name == main:
                told.rows[-1].measures.update(measures or {})
                told.rows[-1].samples.extend(samples)
        return told

    def any_inverted(self, attack: str, made: Made, base: Told) -> Told:
        """The same where an attacker tries all faces made of a person's templates: one success is
        enough, for Type-I with any template that is held of the person."""
        told = Told()
        owners = self.bench.names[self.held.leading]
        detected = np.zeros(len(owners), dtype=bool)
        np.logical_or.at(detected, self.held.together, made.detected)
        for judge in self.bench.judges:
            seen = self._seen(judge, made, self.held.together)
            held = References(
                seen.templates,
                seen.together,
                owners,
                self.templates(judge.name),
                self.owners,
                judge.kind,
            )
            same = owners[:, None] == self.owners
            own = np.where(same, held.scores, -np.inf).max(axis=1)
            self._tell(told, attack, judge, own, seen, detected, base)
        return told

    def _tell(
        self,
        told: Told,
        attack: str,
        judge: Judge,
        own: NDArray[np.floating],
        seen: References,
        detected: NDArray[np.bool_],
        base: Told | None,
    ) -> None:
        """One row; ``own`` are the Type-I scores of all attempts, ``seen`` what was made, tried
        with the probes."""
        index = seen.owners.index
        tmr = self._rates(told, judge, "tmr", self.references(judge).tmr_by_subject)
        type1 = self._rates(told, judge, "type1", lambda t: subject_means(own >= t, index))
        type2 = self._rates(told, judge, "type2", seen.tmr_by_subject)
        tmr_difference = self._differences(told, judge, "tmr", base)
        row = recognition_row(self.bench, self.condition, judge, tmr, difference=tmr_difference)
        facts: dict[str, Any] = {
            "attack": attack,
            "unseen": self.bench.unseen(attack, judge),
            "n_attempts": len(detected),
            "n_failed": int((~detected).sum()),
            "detection_rate": rate_estimate(detected, index, self.bench.seed),
            "type1": type1,
            "type2": type2,
            "difference": self._differences(told, judge, "type1", base),
            "type2_difference": self._differences(told, judge, "type2", base),
        }
        told.rows.append(row.model_copy(update=facts))

    def _seen(self, judge: Judge, made: Made, together: NDArray[np.intp]) -> References:
        """The reconstructions in the place of what is held; without a face none is accepted."""
        vectors = np.where(made.detected[:, None], made.vectors[judge.name], np.nan)
        return self._tried(judge, vectors, together)

    def _tried(
        self, judge: Judge, templates: NDArray[np.floating], together: NDArray[np.intp]
    ) -> References:
        leading = np.unique(together, return_index=True)[1]
        probes = (judge.templates[self.probes], self.bench.names[self.probes])
        return References(templates, together, self.owners[leading], *probes, judge.kind)

    def _strangers(self, judge: Judge, held: References) -> References:
        """What is held, tried with the pictures of the people who set the thresholds."""
        rows = self.bench.people.split.threshold
        probes = (judge.templates[rows], self.bench.names[rows])
        return References(held.templates, held.together, held.subjects, *probes, judge.kind)

    def _rates(
        self, told: Told, judge: Judge, name: str, by_subject: Callable[[float], Values]
    ) -> ByFmr:
        """The mean over people at every threshold; the rates of each are kept."""

        def rate(threshold: float) -> Estimate:
            values = by_subject(threshold)
            told.rates[judge.name, name, threshold] = Rates(self.names, values)
            return estimate(mean_over_subjects(values, rates=True, seed=self.bench.seed))

        return by_fmr(judge, rate)

    def _differences(self, told: Told, judge: Judge, name: str, base: Told | None) -> ByFmr:
        """Paired with what the same people had under the condition to compare with."""

        def difference(threshold: float) -> Estimate:
            if base is None:
                return IS_CLEAN
            key = (judge.name, name, threshold)
            before, after = base.rates[key].of(self.names), told.rates[key].values
            return estimate(paired_difference(after, before, rates=True, seed=self.bench.seed))

        return by_fmr(judge, difference)

    def _realised(self, held: References, threshold: float) -> Estimate:
        if len(self.names) < 2:
            return estimate(NoFact("there is only one person"))
        return estimate(two_way(held.accepted(threshold), rates=True, seed=self.bench.seed))

    def _same_fmr(self, held: References, strangers: References) -> ByFmr:
        found: ByFmr = {}
        for fmr in self.bench.config.fmr:
            cut = strangers.threshold(fmr.value)
            if isinstance(cut, NoFact):
                found[fmr.label] = estimate(cut)
                continue
            values = held.tmr_by_subject(cut)
            mean = mean_over_subjects(values, rates=True, seed=self.bench.seed)
            found[fmr.label] = estimate(mean)
        return found

    @property
    def _held_together(self) -> bool:
        """Whether several templates are held of somebody as one reference."""
        return len(self.held.leading) < len(self.owners)

    def _of_templates(self, judge: Judge) -> dict[str, Estimate]:
        own, rows = self.templates(judge.name), self.held.rows
        single = self.bench.clean(judge.name, rows)
        length = np.linalg.norm(single, axis=1).astype(np.float64)
        share = np.linalg.norm(own, axis=1) / subject_means(length, self.held.parts)
        index = group(self.owners).index
        found = {"length_ratio": mean_estimate(share, index, self.bench.seed)}
        if self._held_together:
            found["among_templates"] = self._alike(own, self.owners, judge)
            found["among_pictures"] = self._alike(single, self.bench.names[rows], judge)
        return found

    def _alike(
        self, vectors: NDArray[np.floating], owners: NDArray[np.str_], judge: Judge
    ) -> Estimate:
        """Mean similarity among the vectors of one person, over people."""
        groups = group(owners)
        pairs = mated_pairs(groups)
        scores = pair_scores(vectors, vectors, pairs, judge.kind)
        return mean_estimate(scores, groups.index[pairs.first], self.bench.seed)
