"""From what was tried on a store to results.json."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.estimates import estimate, rate_estimate
from audit.judged import Tell, judge_result, nobody
from audit.judging import Cut, at_thresholds
from audit.outcomes import OutcomeLog
from audit.predicted import predicted_agreement
from audit.store_attack import LeakedTemplates, StoreAttempt, Vectors
from biometrics.backbones.base import Backbone
from biometrics.metrics.pairs import group
from biometrics.metrics.success import Attempts, told_apart
from biometrics.metrics.verification import realised_fmr
from reports.results import (
    AttackResult,
    BackboneResult,
    Estimate,
    JudgeResult,
    NotMeasured,
    PredictedAgreement,
    Seconds,
)

NO_PHOTOGRAPHS = "there are no photographs in this audit"
NO_LABELS = "the store does not say whose the templates are"
TAKEN_AS_FOUND = "nobody looked: a sampled face is taken as found, which favours the control"
SAMPLED_CONTROLS = ("control:nearest", "control:random")
OF_PEOPLE = ("type2", "type2_reference", "reconstruction_fmr", "rank1", "rank10")
"""Fields that rest on who is who."""

Rows = NDArray[np.bool_] | slice


@dataclass(frozen=True)
class Calibrated:
    """A judge with thresholds that were not set on this store.

    Attributes:
        backbone: the judge.
        cuts: its thresholds.
        words: what they rest on.
        sampled: its templates [M, D] of the sampled faces.
    """

    backbone: Backbone
    cuts: tuple[Cut, ...]
    words: str
    sampled: Vectors


class StoreAssembly:
    """Computes the numbers of a store's audit.

    Args:
        leaked: the templates.
        target: the attacked model.
        others: judges whose templates of the leaked faces can only be predicted.
        seed: of the bootstrap.
        outcomes: collects the rates person by person.
    """

    def __init__(
        self,
        leaked: LeakedTemplates,
        target: Calibrated,
        others: Sequence[Calibrated],
        seed: int,
        outcomes: OutcomeLog,
    ) -> None:
        self.leaked, self.target, self.others = leaked, target, others
        self.seed, self.outcomes = seed, outcomes
        self.name = target.backbone.spec.name
        self.kind = target.backbone.spec.similarity

    def attempts(self, made: StoreAttempt, rows: Rows = slice(None)) -> Attempts:
        """An attack's attempts as the attacked model sees them; all of them, or some rows."""
        return Attempts(
            reconstructed=made.vectors[self.name][rows],
            leaked=self.leaked.vectors[rows],
            subjects=self.leaked.subjects[rows],
            detected=made.detected[rows],
            kind=self.kind,
        )

    @property
    def labelled(self) -> Rows | None:
        """The templates of which the store says whose they are; None where there are none."""
        known = self.leaked.known
        return known if known.any() else None

    def rows(self, made: Sequence[StoreAttempt]) -> list[AttackResult]:
        """The rows of the report, one an attack or control."""
        nearest = next((a for a in made if a.name == "control:nearest"), None)
        return [self._row(a, None if a.control else nearest) for a in made]

    def _row(self, made: StoreAttempt, nearest: StoreAttempt | None) -> AttackResult:
        tell = functools.partial(self.outcomes.add_rates, made.name, self.name)
        result = self._judged(made, nearest, slice(None), tell)
        index = group(self.leaked.subjects).index
        speed = None if made.seconds is None else len(self.leaked) / max(made.seconds, 1e-9)
        return AttackResult(
            attack=made.name,
            backbone=self.name,
            knowledge=made.knowledge,
            control=made.control,
            n_attempts=len(self.leaked),
            n_failed=int((~made.detected).sum()),
            detection_rate=NotMeasured(not_measured=TAKEN_AS_FOUND)
            if made.name in SAMPLED_CONTROLS
            else rate_estimate(made.detected, index, self.seed),
            judges={self.name: self._by_labels(result, made)},
            seconds=Seconds(invert=None if made.seconds is None else round(made.seconds, 3)),
            templates_per_second=None if speed is None else round(speed, 1),
            picture_size=None if made.crops is None else made.crops.shape[1],
        )

    def _judged(
        self, made: StoreAttempt, nearest: StoreAttempt | None, rows: Rows, tell: Tell = nobody
    ) -> JudgeResult:
        return judge_result(
            self.attempts(made, rows),
            self.target.cuts,
            unseen=False,
            nearest=None if nearest is None else self.attempts(nearest, rows),
            seed=self.seed,
            tell=tell,
        )

    def _by_labels(self, result: JudgeResult, made: StoreAttempt) -> JudgeResult:
        """What rests on who is who, worked out from the templates of which that is known: those of
        nobody known may be of one person."""
        if self.labelled is None:
            why = NotMeasured(not_measured=NO_LABELS)
            nothing: dict[str, Estimate] = {cut.label: why for cut in self.target.cuts}
            gone = dict.fromkeys(("type2", "type2_reference", "reconstruction_fmr"), nothing)
            return result.model_copy(update={**gone, "rank1": why, "rank10": why})
        if self.leaked.known.all():
            return result
        known = self._judged(made, None, self.labelled)
        return result.model_copy(update={name: getattr(known, name) for name in OF_PEOPLE})

    def told_apart(self, made: StoreAttempt) -> Estimate:
        """Reconstructions that are nearest to their own person of those audited."""
        if self.labelled is None:
            return NotMeasured(not_measured=NO_LABELS)
        return estimate(told_apart(self.attempts(made, self.labelled), seed=self.seed))

    def backbone(self) -> BackboneResult:
        """The attacked model, as the store's own templates show it."""
        spec = self.target.backbone.spec
        known = slice(None) if self.labelled is None else self.labelled
        people = (self.leaked.vectors[known], self.leaked.subjects[known])
        found = at_thresholds(self.target.cuts, *people, self.kind, self.seed)
        rates, realised = found.tmr, found.realised_fmr
        if self.labelled is None:
            why = NotMeasured(not_measured=NO_LABELS)
            rates, realised = dict.fromkeys(rates, why), dict.fromkeys(realised, why)
        nothing = NotMeasured(not_measured=NO_PHOTOGRAPHS)
        return BackboneResult(
            dim=spec.dim,
            similarity=spec.similarity,
            differentiable=spec.differentiable,
            licence=spec.licence,
            thresholds=found.thresholds,
            tmr=rates,
            realised_fmr=realised,
            eer=nothing,
            roc_auc=nothing,
            note="; ".join(filter(None, [self.target.words, self.target.backbone.note])),
        )

    def all_pairs_rate(self) -> dict[str, Estimate]:
        """Share of all pairs of templates over each threshold: where nobody says which of them are
        of one person, an upper bound of the FMR on this store."""
        everyone = np.arange(len(self.leaked))
        found: dict[str, Estimate] = {}
        for cut in self.target.cuts:
            if cut.value is not None:
                fact = realised_fmr(
                    self.leaked.vectors, everyone, self.kind, cut.value, seed=self.seed
                )
                found[cut.label] = estimate(fact)
        return found

    def predicted(self, made: StoreAttempt) -> list[PredictedAgreement]:
        """Other judges, by way of predicted templates."""
        return [
            predicted_agreement(self.leaked, made, self.target, other, self.seed)
            for other in self.others
        ]
