"""The measured parts of results.json: backbones, attacks, and what the figures are drawn from.

Units: rates in [0, 1]; scores are similarities (cosine, or minus the L2 distance); landmarks
in pixels of the 224 x 224 crop; ``seconds`` in seconds of wall time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from reports.schema import (
    NOT_RUN,
    ByFmr,
    Estimate,
    FmrKey,
    Measured,
    Model,
    RelativePath,
    Threshold,
    fmr_value,
)

N_LANDMARKS = 68
# A reconstruction that is everybody's face: its own FMR exceeds this many times the nominal one.
EVERYBODY_FACTOR = 3.0


def far_above_nominal(own: Estimate | None, fmr: str) -> bool:
    """Whether strangers are accepted more than three times as often as the FMR allows."""
    return isinstance(own, Measured) and own.value > EVERYBODY_FACTOR * fmr_value(fmr)


NOT_WORKING = "not working: "
"""How the note of an attack begins that no unseen judge prefers to the mean face."""


class View2(Model):
    """LFW View 2: mean of ten folds; ``std`` is the standard error of that mean."""

    accuracy: float
    std: float
    dropped_pairs: NonNegativeInt
    n_pairs: NonNegativeInt | None = None
    eer: float | None = None
    roc_auc: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


class BackboneResult(Model):
    """A recognition model as it was measured in this run."""

    dim: PositiveInt
    similarity: Literal["cosine", "l2"]
    differentiable: bool
    licence: str
    thresholds: dict[FmrKey, Threshold] = Field(
        default_factory=dict
    )  # NotMeasured where subject pairs are too few
    tmr: ByFmr = Field(default_factory=dict)
    realised_fmr: ByFmr = Field(default_factory=dict)  # on the leaked set
    lfw_view2: View2 | None = None
    eer: Estimate = NOT_RUN
    roc_auc: Estimate = NOT_RUN
    note: str = ""


class JudgeResult(Model):
    """What one judge said of one attack."""

    unseen: bool
    type1: ByFmr = Field(default_factory=dict)
    type2: ByFmr = Field(default_factory=dict)
    type2_reference: ByFmr = Field(
        default_factory=dict
    )  # the judge's TMR on the same (leaked, other picture) pairs
    margin_over_nearest: ByFmr = Field(default_factory=dict)  # paired difference, in [-1, 1]
    reconstruction_fmr: ByFmr = Field(
        default_factory=dict
    )  # against pictures of other leaked subjects
    sar_ignoring_detection: ByFmr = Field(default_factory=dict)
    rank1: Estimate = NOT_RUN
    rank10: Estimate = NOT_RUN
    similarity: Estimate = NOT_RUN

    def everybody(self, fmr: str) -> bool:
        """True where the reconstruction's own FMR is above three times the nominal one."""
        return far_above_nominal(self.reconstruction_fmr.get(fmr), fmr)


class Landmarks(Model):
    """Landmark errors over the 136 coordinates; ``per_point`` is the mean squared error of each."""

    mse_predicted: Estimate = NOT_RUN
    mse_redetected: Estimate = NOT_RUN
    regions: dict[str, Estimate] = Field(default_factory=dict)  # re-detected, by part of the face
    share_near: Estimate = NOT_RUN  # re-detected with an error below 30 px²
    per_point: list[Annotated[float, Field(ge=0)]] = Field(default_factory=list)
    mean_shape: list[tuple[float, float]] = Field(
        default_factory=list
    )  # [68][2] (x, y), for drawing

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name, values in (("per_point", self.per_point), ("mean_shape", self.mean_shape)):
            if len(values) not in (0, N_LANDMARKS):
                raise ValueError(f"{name} has {len(values)} entries, expected 0 or {N_LANDMARKS}")
        return self


class Seconds(Model):
    """Wall time; null where the step did not run."""

    fit: float | None = None
    invert: float | None = None


class Training(Model):
    """What a training cost: passes over its pairs, pairs in one pass, steps, parameters, and the
    bytes that one step holds where they were counted."""

    passes: NonNegativeInt
    pairs: NonNegativeInt
    steps: NonNegativeInt
    parameters: NonNegativeInt
    memory: NonNegativeInt | None = None


class AttackResult(Model):
    """One attack (or control) against the templates of one backbone."""

    attack: str
    backbone: str
    knowledge: str
    control: bool
    n_attempts: NonNegativeInt
    n_failed: NonNegativeInt
    detection_rate: Estimate
    judges: dict[str, JudgeResult] = Field(default_factory=dict)
    image: dict[str, Estimate] = Field(default_factory=dict)
    image_notes: dict[str, str] = Field(default_factory=dict)  # of a measure: what it rests on
    landmarks: Landmarks = Landmarks()
    seconds: Seconds = Seconds()
    templates_per_second: float | None = None
    picture_size: PositiveInt | None = None  # side of the attack's own pictures
    training: Training | None = None  # null where nothing is trained step by step
    note: str = ""

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.n_failed > self.n_attempts:
            raise ValueError(f"{self.n_failed} failures in {self.n_attempts} attempts")
        return self

    @property
    def not_working(self) -> str:
        """Why the attack counts as not working; empty where it works or is a control."""
        return self.note.split("; ")[0] if self.note.startswith(NOT_WORKING) else ""

    @property
    def remark(self) -> str:
        """The rest of the note."""
        return self.note.removeprefix(self.not_working).removeprefix("; ")


class AttackHistogram(Model):
    """Shares of one attack's scores in the bins of the judge's histogram."""

    type1: list[NonNegativeFloat] = Field(default_factory=list)
    type2: list[NonNegativeFloat] = Field(default_factory=list)


class ScoreHistogram(Model):
    """Shares of one judge's scores, each subject counting once; a list is empty or has one entry a
    bin. Attempts without a face keep their share of an attack's set but show no score."""

    edges: list[float]
    mated: list[NonNegativeFloat] = Field(default_factory=list)
    non_mated: list[NonNegativeFloat] = Field(default_factory=list)
    attacks: dict[str, AttackHistogram] = Field(default_factory=dict)
    thresholds: dict[FmrKey, Threshold] = Field(default_factory=dict)
    customary: float | None = None  # score at which users of this judge accept, whatever its FMR

    @model_validator(mode="after")
    def _binned(self) -> Self:
        if len(self.edges) < 2 or any(b <= a for a, b in pairwise(self.edges)):
            raise ValueError("edges must be two or more increasing values")
        shares = [self.mated, self.non_mated]
        shares += [c for a in self.attacks.values() for c in (a.type1, a.type2)]
        if any(len(c) not in (0, len(self.edges) - 1) for c in shares):
            raise ValueError(f"expected {len(self.edges) - 1} shares, one for each bin")
        return self


class DetCurve(Model):
    """One judge's error trade-off, point by point."""

    fmr: list[float]
    fnmr: list[float]

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.fmr) != len(self.fnmr):
            raise ValueError(f"{len(self.fmr)} FMR values, {len(self.fnmr)} FNMR values")
        return self


class Sample(Model):
    """One leaked template and what the attack made of it; the pictures are files of the run."""

    template: str  # pseudonym
    subject: str  # pseudonym
    attack: str
    original: RelativePath | None
    reconstruction: RelativePath | None
    accepted_by: dict[str, bool] = Field(default_factory=dict)  # at `fmr`
    similarity: dict[str, float] = Field(default_factory=dict)
    detected: bool
    fmr: FmrKey = "1e-3"
