"""From what was tried on a store to results.json."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.estimates import estimate, rate_estimate
from audit.judged import judge_result
from audit.judging import Cut
from audit.outcomes import OutcomeLog
from audit.predicted import predicted_agreement
from audit.store_attack import LeakedTemplates, StoreAttempt, Vectors
from biometrics.backbones.base import Backbone
from biometrics.metrics.pairs import group
from biometrics.metrics.success import Attempts, told_apart
from biometrics.metrics.verification import realised_fmr, tmr
from reports.results import (
    AttackResult,
    BackboneResult,
    Estimate,
    JudgeResult,
    NotMeasured,
    PredictedAgreement,
    Seconds,
    Threshold,
)

NO_PHOTOGRAPHS = "there are no photographs in this audit"
NO_LABELS = "the store does not say whose the templates are"


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

    def attempts(self, made: StoreAttempt) -> Attempts:
        """An attack's attempts as the attacked model sees them."""
        return Attempts(
            reconstructed=made.vectors[self.name],
            leaked=self.leaked.vectors,
            subjects=self.leaked.subjects,
            detected=made.detected,
            kind=self.kind,
        )

    def rows(self, made: Sequence[StoreAttempt]) -> list[AttackResult]:
        """The rows of the report, one an attack or control."""
        nearest = next((a for a in made if a.name == "control:nearest"), None)
        return [self._row(a, None if a.control else nearest) for a in made]

    def _row(self, made: StoreAttempt, nearest: StoreAttempt | None) -> AttackResult:
        result = judge_result(
            self.attempts(made),
            self.target.cuts,
            unseen=False,
            nearest=None if nearest is None else self.attempts(nearest),
            seed=self.seed,
            tell=functools.partial(self.outcomes.add_rates, made.name, self.name),
        )
        index = group(self.leaked.subjects).index
        speed = None if made.seconds is None else len(self.leaked) / max(made.seconds, 1e-9)
        return AttackResult(
            attack=made.name,
            backbone=self.name,
            knowledge=made.knowledge,
            control=made.control,
            n_attempts=len(self.leaked),
            n_failed=int((~made.detected).sum()),
            detection_rate=rate_estimate(made.detected, index, self.seed),
            judges={self.name: self._without_labels(result)},
            seconds=Seconds(invert=None if made.seconds is None else round(made.seconds, 3)),
            templates_per_second=None if speed is None else round(speed, 1),
            picture_size=None if made.crops is None else made.crops.shape[1],
        )

    def _without_labels(self, result: JudgeResult) -> JudgeResult:
        """The reason why nothing is known of second templates, where it is that nobody says."""
        if self.leaked.labelled:
            return result
        why = NotMeasured(not_measured=NO_LABELS)
        gone: dict[str, Estimate] = dict.fromkeys((cut.label for cut in self.target.cuts), why)
        return result.model_copy(
            update={"type2": gone, "type2_reference": gone, "rank1": why, "rank10": why}
        )

    def told_apart(self, made: StoreAttempt) -> Estimate:
        """Reconstructions that are nearest to their own person in the store."""
        return estimate(told_apart(self.attempts(made), seed=self.seed))

    def backbone(self) -> BackboneResult:
        """The attacked model, as the store's own templates show it."""
        spec = self.target.backbone.spec
        labels = self.leaked.subjects
        thresholds: dict[str, Threshold] = {}
        rates: dict[str, Estimate] = {}
        realised: dict[str, Estimate] = {}
        for cut in self.target.cuts:
            if cut.value is None:
                reason = NotMeasured(not_measured=cut.why)
                thresholds[cut.label] = rates[cut.label] = realised[cut.label] = reason
                continue
            thresholds[cut.label] = cut.value
            if not self.leaked.labelled:
                rates[cut.label] = realised[cut.label] = NotMeasured(not_measured=NO_LABELS)
                continue
            known = (self.leaked.vectors, labels, self.kind, cut.value)
            rates[cut.label] = estimate(tmr(*known, seed=self.seed))
            realised[cut.label] = estimate(realised_fmr(*known, seed=self.seed))
        nothing = NotMeasured(not_measured=NO_PHOTOGRAPHS)
        return BackboneResult(
            dim=spec.dim,
            similarity=spec.similarity,
            differentiable=spec.differentiable,
            licence=spec.licence,
            thresholds=thresholds,
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
