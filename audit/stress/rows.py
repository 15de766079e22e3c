"""From attempts under stress to the rows of results.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate, mean_estimate, rate_estimate
from audit.judging import Judge
from audit.stress.bench import Made, Vectors, Workbench
from biometrics.metrics.intervals import NotMeasured as NoFact
from biometrics.metrics.intervals import paired_difference
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import paired_similarity
from biometrics.metrics.success import NO_OTHER_PICTURE, BySubject, acceptance
from reports.results import (
    CLEAN,
    ByFmr,
    Estimate,
    NotMeasured,
    StressFamily,
    StressResult,
    StressSample,
)

Key = tuple[str, str]
"""Judge and FMR."""

IS_CLEAN = NotMeasured(not_measured="the others are compared with this row")


@dataclass(frozen=True)
class Condition:
    """What was done to pictures or templates.

    Attributes:
        family, perturbation, strength, unit, label: as in :class:`reports.results.StressResult`.
        repaired: whether a learnt linear map was applied to the templates.
        note: what a reader must know of these rows.
    """

    family: StressFamily
    perturbation: str
    strength: float | None = None
    unit: str = ""
    label: str = ""
    repaired: bool = False
    note: str = ""

    @property
    def clean(self) -> bool:
        """Whether nothing was done."""
        return self.perturbation == CLEAN


def clean_condition(family: StressFamily) -> Condition:
    """The condition that the others of a family are compared with."""
    return Condition(family, CLEAN, label="clean")


@dataclass(frozen=True)
class Seen:
    """The rows of one condition, one a judge, and the rates of every person behind them."""

    rows: list[StressResult]
    by_subject: Mapping[Key, BySubject] = field(default_factory=dict)


def inversion_rows(
    bench: Workbench,
    condition: Condition,
    attack: str,
    made: Made,
    rows: NDArray[np.intp],
    *,
    own: Mapping[str, Vectors],
    clean: Seen | None,
    measures: Mapping[str, Estimate] | None = None,
    samples: Sequence[StressSample] = (),
) -> Seen:
    """What every judge says of the reconstructions of one condition.

    Args:
        bench: the target.
        condition: what was done.
        attack: which attack made them.
        made: the reconstructions.
        rows: the leaked pictures whose templates were inverted.
        own: every judge's templates of these pictures as they were enrolled; Type-I and TMR are
            theirs. A judge that is not there enrolled the clean ones.
        clean: what was seen of the same pictures unperturbed; None for these themselves.
        measures, samples: go into the row of the target's own judge, or of the first.
    """
    subjects = group(bench.names[rows]).index
    main = main_judge(bench)
    found: list[StressResult] = []
    by_subject: dict[Key, BySubject] = {}
    for judge in bench.judges:
        compared = bench.compared(judge, made, rows, own.get(judge.name))
        columns: dict[str, ByFmr] = {name: {} for name in (*_RATES, *_CHANGES)}
        for cut in judge.cuts:
            if cut.value is None:
                for column in columns.values():
                    column[cut.label] = NotMeasured(not_measured=cut.why)
                continue
            rates = acceptance(compared, cut.value, seed=bench.seed)
            by_subject[judge.name, cut.label] = rates.by_subject
            for name, measure in _RATES.items():
                columns[name][cut.label] = estimate(getattr(rates, measure))
            before = None if clean is None else clean.by_subject[judge.name, cut.label]
            for name, measure in _CHANGES.items():
                columns[name][cut.label] = _change(rates.by_subject, before, measure, bench.seed)
        facts: dict[str, Any] = {
            "attack": attack,
            "unseen": bench.unseen(attack, judge),
            "n_attempts": len(rows),
            "n_failed": int((~made.detected).sum()),
            "detection_rate": rate_estimate(made.detected, subjects, bench.seed),
            **columns,
        }
        if judge.name == main:
            facts |= {"measures": dict(measures or {}), "samples": list(samples)}
        found.append(_row(bench, condition, judge).model_copy(update=facts))
    return Seen(found, by_subject)


_RATES = {
    "type1": "type1",
    "type2": "type2",
    "tmr": "type2_reference",
    "reconstruction_fmr": "reconstruction_fmr",
}
_CHANGES = {"difference": "type1", "type2_difference": "type2", "tmr_difference": "type2_reference"}
"""Fields of a row, and what they are called among the rates of an attack."""


def _change(after: BySubject, before: BySubject | None, measure: str, seed: int) -> Estimate:
    if before is None:
        return IS_CLEAN
    a, b = getattr(after, measure), getattr(before, measure)
    if len(a) == 0:
        return estimate(NO_OTHER_PICTURE)
    return estimate(paired_difference(a, b, rates=True, seed=seed))


def recognition_row(
    bench: Workbench,
    condition: Condition,
    judge: Judge,
    tmr: ByFmr,
    *,
    difference: ByFmr | None = None,
    measures: Mapping[str, Estimate] | None = None,
    samples: Sequence[StressSample] = (),
) -> StressResult:
    """A row without an attack: how well a judge still recognises people."""
    facts = {
        "tmr": tmr,
        "tmr_difference": difference or {},
        "measures": dict(measures or {}),
        "samples": list(samples),
    }
    return _row(bench, condition, judge).model_copy(update=facts)


def by_fmr(judge: Judge, value: Callable[[float], Estimate]) -> ByFmr:
    """An estimate for each of a judge's thresholds, or the reason why there is none."""
    return {
        cut.label: NotMeasured(not_measured=cut.why) if cut.value is None else value(cut.value)
        for cut in judge.cuts
    }


def template_shift(bench: Workbench, rows: NDArray[np.intp], vectors: Vectors) -> Estimate:
    """Mean similarity of the target's templates under stress to the clean ones of the same
    pictures, in the target's own measure: 1 (or 0 for minus the distance) where nothing moved."""
    scores = paired_similarity(
        vectors, bench.clean(bench.target, rows), bench.models.target_similarity
    )
    return subject_estimate(bench, rows, scores)


def subject_estimate(
    bench: Workbench, rows: NDArray[np.intp], values: NDArray[np.floating]
) -> Estimate:
    """Mean over people of a value of each picture [N] that is no rate; pictures whose value is NaN
    are left out, and people who have no other."""
    there = np.isfinite(values)
    if not there.any():
        return estimate(NoFact("no picture has a value"))
    return mean_estimate(values[there], group(bench.names[rows][there]).index, bench.seed)


def _row(bench: Workbench, condition: Condition, judge: Judge) -> StressResult:
    return StressResult(
        family=condition.family,
        perturbation=condition.perturbation,
        strength=condition.strength,
        unit=condition.unit,
        label=condition.label or condition.perturbation,
        repaired=condition.repaired,
        note=condition.note,
        attack="",
        backbone=bench.target,
        judge=judge.name,
    )


def main_judge(bench: Workbench) -> str:
    """The judge in whose row that stands which depends on none: the target, or the first."""
    names = [judge.name for judge in bench.judges]
    return bench.target if bench.target in names else names[0]
