"""How well a judge recognises people when one picture of each pair was transformed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate
from audit.judging import Judge
from audit.stress.bench import Vectors, Workbench
from biometrics.metrics.cross_verification import (
    cross_realised_fmr,
    cross_threshold,
    cross_tmr_by_subject,
)
from biometrics.metrics.intervals import NotMeasured as NoFact
from biometrics.metrics.intervals import mean_over_subjects, paired_difference
from biometrics.metrics.success import NO_OTHER_PICTURE
from reports.results import ByFmr, Estimate, NotMeasured


@dataclass(frozen=True)
class Drawn:
    """Whose pictures are transformed, as rows: of the attacker's people, of threshold people (one
    each), and of leaked people, with the target's clean templates of these [N, D]."""

    learn: NDArray[np.intp]
    threshold: NDArray[np.intp]
    leaked: NDArray[np.intp]
    clean: Vectors


@dataclass(frozen=True)
class Recognised:
    """What a judge makes of one condition.

    Attributes:
        tmr: at the condition's own threshold for each FMR.
        by_subject: the rates behind it, float64 [S2], where it was measured.
        measures: realised FMR, and both rates at the judge's usual threshold.
    """

    tmr: ByFmr
    by_subject: Mapping[str, NDArray[np.float64]]
    measures: Mapping[str, Estimate]

    def less(self, other: Recognised, seed: int) -> ByFmr:
        """Paired difference of the TMR, this condition less another of the same pictures."""
        found: ByFmr = {}
        for label, rate in self.tmr.items():
            if label in self.by_subject and label in other.by_subject:
                pair = self.by_subject[label], other.by_subject[label]
                found[label] = estimate(paired_difference(*pair, rates=True, seed=seed))
            else:
                found[label] = rate if isinstance(rate, NotMeasured) else other.tmr[label]
        return found


def recognised(
    bench: Workbench, judge: Judge, drawn: Drawn, threshold: Vectors, leaked: Vectors
) -> Recognised:
    """Transformed pictures against clean ones.

    Args:
        bench: the target.
        judge: who compares; ``drawn.clean`` are its templates.
        drawn: whose pictures they are.
        threshold, leaked: templates [·, D] of the transformed pictures at these rows, mapped where
            a map is tried.
    """
    strangers = (
        threshold,
        bench.clean(judge.name, drawn.threshold),
        bench.names[drawn.threshold],
        judge.kind,
    )
    people = (leaked, drawn.clean, bench.names[drawn.leaked], judge.kind)
    tmr: ByFmr = {}
    by_subject: dict[str, NDArray[np.float64]] = {}
    measures: dict[str, Estimate] = {}
    for fmr, cut in zip(bench.config.fmr, judge.cuts, strict=True):
        word = fmr.label.replace("-", "_")
        own = cross_threshold(*strangers, fmr.value)
        if isinstance(own, NoFact):
            tmr[fmr.label] = measures[f"realised_fmr_{word}"] = estimate(own)
        else:
            rates = cross_tmr_by_subject(*people, own.value)
            tmr[fmr.label] = _rate(rates, bench.seed)
            if len(rates):
                by_subject[fmr.label] = rates
            measures[f"realised_fmr_{word}"] = estimate(
                cross_realised_fmr(*people, own.value, seed=bench.seed)
            )
        if cut.value is None:
            why = NotMeasured(not_measured=cut.why)
            measures |= {f"deployed_tmr_{word}": why, f"deployed_fmr_{word}": why}
            continue
        rates = cross_tmr_by_subject(*people, cut.value)
        measures[f"deployed_tmr_{word}"] = _rate(rates, bench.seed)
        measures[f"deployed_fmr_{word}"] = estimate(
            cross_realised_fmr(*people, cut.value, seed=bench.seed)
        )
    return Recognised(tmr, by_subject, measures)


def _rate(rates: NDArray[np.float64], seed: int) -> Estimate:
    if len(rates) == 0:
        return estimate(NO_OTHER_PICTURE)
    return estimate(mean_over_subjects(rates, rates=True, seed=seed))
