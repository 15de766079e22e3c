"""The judges of an audit: their thresholds, and how well they recognise genuine pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.config import AuditConfig
from audit.config_values import Fmr
from audit.estimates import estimate
from audit.models import Models
from audit.people import People, seed_for
from audit.verdict import JudgeStanding, judge_of
from biometrics.backbones.base import BACKBONES, Backbone, Fittable
from biometrics.metrics.curves import Comparisons, comparisons, det_curve, eer, roc_auc
from biometrics.metrics.intervals import NotMeasured as NotMeasuredFact
from biometrics.metrics.pairs import group
from biometrics.metrics.scores import Similarity
from biometrics.metrics.verification import nonmated_threshold, realised_fmr, tmr
from biometrics.metrics.view2 import Picture, View2Result, picture_of, read_pairs, view2
from reports.results import (
    BackboneResult,
    DetCurve,
    Estimate,
    Measured,
    NotMeasured,
    Threshold,
    View2,
)


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
        templates: its templates of all faces [M, D].
        leaked: its templates of the leaked pictures [N, D], clean whatever leaked.
        own: its templates of these pictures as they leaked [N, D]: of the degraded copies where
            they were degraded, else the same.
        cuts: its thresholds, one for each FMR of the configuration.
        genuine: its comparisons among the leaked pictures, or None where there are none.
    """

    name: str
    backbone: Backbone
    templates: NDArray[np.float32]
    leaked: NDArray[np.float32]
    own: NDArray[np.float32]
    cuts: tuple[Cut, ...]
    genuine: Comparisons | None

    @property
    def kind(self) -> Similarity:
        """How it compares templates."""
        return self.backbone.spec.similarity


class AtThresholds(NamedTuple):
    """A judge's thresholds, and what it makes of genuine templates at each."""

    thresholds: dict[str, Threshold]
    tmr: dict[str, Estimate]
    realised_fmr: dict[str, Estimate]


def at_thresholds(
    cuts: Iterable[Cut],
    templates: NDArray[np.float32],
    subjects: NDArray[np.str_],
    kind: Similarity,
    seed: int,
) -> AtThresholds:
    """TMR and realised FMR of templates [N, D] of these subjects [N] at every threshold."""
    found = AtThresholds({}, {}, {})
    for cut in cuts:
        if cut.value is None:
            for column in found:
                column[cut.label] = NotMeasured(not_measured=cut.why)
            continue
        known = (templates, subjects, kind, cut.value)
        found.thresholds[cut.label] = cut.value
        found.tmr[cut.label] = estimate(tmr(*known, seed=seed))
        found.realised_fmr[cut.label] = estimate(realised_fmr(*known, seed=seed))
    return found


def cuts_for(
    templates: NDArray[np.float32],
    subjects: NDArray[np.str_],
    kind: Similarity,
    fmrs: Iterable[Fmr],
) -> tuple[Cut, ...]:
    """The threshold at each FMR, from the non-mated pairs of templates [N, D] of these subjects."""
    cuts = []
    for fmr in fmrs:
        found = nonmated_threshold(templates, subjects, kind, fmr.value)
        if isinstance(found, NotMeasuredFact):
            cuts.append(Cut(fmr.label, None, found.reason))
        else:
            cuts.append(Cut(fmr.label, found.value))
    return tuple(cuts)


def tmr_at(
    cuts: Iterable[Cut],
    templates: NDArray[np.float32],
    subjects: NDArray[np.str_],
    kind: Similarity,
    seed: int,
) -> dict[str, Estimate]:
    """TMR of templates [N, D] of these subjects [N] at every threshold."""
    return {
        cut.label: NotMeasured(not_measured=cut.why)
        if cut.value is None
        else estimate(tmr(templates, subjects, kind, cut.value, seed=seed))
        for cut in cuts
    }


class Bench:
    """All judges that are ready, and what is measured of them before any attack.

    ``familiar`` holds those that were trained on leaked subjects, with their number.
    """

    def __init__(self, config: AuditConfig, people: People, models: Models) -> None:
        self.config, self.people, self.models = config, people, models
        self.seed = seed_for("bootstrap", config.seed)
        self.subjects = people.faces.subject_ids[people.split.leaked]
        self.judges = [self._judge(name) for name in models.judges]
        self.familiar = dict(self._familiar())

    def _judge(self, name: str) -> Judge:
        backbone, templates = self.models.judges[name], self.models.templates[name].vectors
        kind = backbone.spec.similarity
        rows = self.people.split.threshold
        names = self.people.faces.subject_ids[rows]
        cuts = cuts_for(templates[rows], names, kind, self.config.fmr)
        leaked = templates[self.people.split.leaked]
        has_pairs = bool((group(self.subjects).counts > 1).any())
        genuine = comparisons(leaked, self.subjects, kind) if has_pairs else None
        own = self.models.leaked.vectors[name]
        return Judge(name, backbone, templates, leaked, own, cuts, genuine)

    def _familiar(self) -> Iterator[tuple[str, int]]:
        """Judges that were trained on people who leaked here, and on how many."""
        if self.people.generated:
            return
        leaked = set(self.subjects.tolist())
        for judge in self.judges:
            if known := leaked & judge.backbone.learnt_from:
                yield judge.name, len(known)

    def standing(self, judge: Judge, consulted: Collection[str]) -> JudgeStanding:
        """Whether a judge may speak for others, of an attack that consulted these backbones."""
        met = {*consulted, *self.familiar}
        return judge_of(judge.backbone.spec, self.models.target, met)

    def backbones(self) -> dict[str, BackboneResult]:
        """How well every judge recognises the leaked pictures."""
        return {judge.name: self._backbone(judge) for judge in self.judges}

    def _backbone(self, judge: Judge) -> BackboneResult:
        spec = judge.backbone.spec
        known = (judge.leaked, self.subjects)
        thresholds, rates, realised = at_thresholds(judge.cuts, *known, spec.similarity, self.seed)
        pairs = self._view2(judge)
        return BackboneResult(
            dim=spec.dim,
            similarity=spec.similarity,
            differentiable=spec.differentiable,
            licence=spec.licence,
            thresholds=thresholds,
            tmr=rates,
            realised_fmr=realised,
            lfw_view2=_as_schema(pairs) if isinstance(pairs, View2Result) else None,
            eer=self._whole_curve(judge, eer),
            roc_auc=self._whole_curve(judge, roc_auc),
            note=self._note(judge, pairs),
        )

    def _note(self, judge: Judge, pairs: View2Result | NotMeasuredFact | None) -> str:
        notes = [judge.backbone.note]
        if known := self.familiar.get(judge.name):
            notes.append(
                f"it was trained on {known:,} of the leaked subjects, so it is no unseen judge"
            )
        if isinstance(pairs, NotMeasuredFact):
            notes.append(f"View 2: {pairs.reason}")
        elif pairs is not None and isinstance(BACKBONES.get(judge.name), Fittable):
            notes.append("View 2: fitted on the attacker's subjects, some of whom are in the pairs")
        return "; ".join(filter(None, notes))

    def _whole_curve(self, judge: Judge, measure: Callable[..., float]) -> Estimate:
        """No interval: it is read off the whole curve; the rates at thresholds carry theirs."""
        if judge.genuine is None:
            return NotMeasured(not_measured="no leaked subject has a second picture")
        return Measured(value=measure(*judge.genuine), n=len(set(self.subjects.tolist())))

    def _view2(self, judge: Judge) -> View2Result | NotMeasuredFact | None:
        if self.config.faces.pairs is None:
            return None
        templates: dict[Picture, NDArray[np.float32]] = {}
        for row, face_id in enumerate(self.people.faces.table["face_id"]):
            if (picture := picture_of(face_id)) is not None:
                templates[picture] = judge.templates[row]
        return view2(read_pairs(self.config.faces.pairs), templates, judge.kind)

    def det(self) -> dict[str, DetCurve]:
        """Error trade-off of every judge that has mated pairs."""
        curves = {j.name: det_curve(*j.genuine) for j in self.judges if j.genuine is not None}
        return {
            name: DetCurve(fmr=curve.fmr.tolist(), fnmr=curve.fnmr.tolist())
            for name, curve in curves.items()
        }


def _as_schema(found: View2Result) -> View2:
    return View2(**{key: getattr(found, key) for key in View2.model_fields})
