"""The part of results.json about templates under stress: covered, turned, attacked, averaged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from reports.schema import NOT_RUN, ByFmr, Estimate, Model, RelativePath

StressFamily = Literal[
    "occlusion", "adversarial", "geometry", "aggregation", "damage", "quality", "invariance"
]
STRESS_FAMILIES: tuple[StressFamily, ...] = (
    "occlusion",
    "adversarial",
    "geometry",
    "aggregation",
    "damage",
    "quality",
    "invariance",
)
"""In the order in which they are run and shown."""

CLEAN = "none"
"""The ``perturbation`` of the row that the others of its family are compared with."""


class StressSample(Model):
    """Pictures of one person under one perturbation."""

    template: str  # pseudonym
    subject: str = ""  # pseudonym
    original: RelativePath | None = None
    perturbed: RelativePath | None = None
    reconstruction: RelativePath | None = None  # made from the template under stress
    repaired: RelativePath | None = None  # made from that template after a learnt map


class StressCurve(Model):
    """One named line: share of strangers accepted against share of right persons accepted."""

    name: str
    fmr: list[float]
    tmr: list[float]


class StressMap(Model):
    """One value for each place of a grid over the crop, row by row from the top left."""

    measure: str
    values: Annotated[list[list[float]], Field(min_length=1)]
    n: NonNegativeInt  # faces that it is the mean of


class StressResult(Model):
    """What one perturbation at one strength does, as one judge sees it.

    A row with an ``attack`` tells of inversion: ``type1`` against the template that was inverted,
    ``type2`` against clean pictures of the same person, ``difference`` the paired change of
    ``type1`` against the clean row. A row whose ``attack`` is empty tells of recognition alone.
    ``tmr`` is the judge's acceptance of the perturbed picture, or template, against clean pictures
    of the same person. ``repaired`` rows used a linear map learnt on the attacker's people first.
    What does not depend on a judge stands in the row of the backbone itself.
    """

    perturbation: str
    strength: float | None = None
    attack: str
    backbone: str
    judge: str
    type1: ByFmr = Field(default_factory=dict)
    type2: ByFmr = Field(default_factory=dict)
    difference: ByFmr = Field(default_factory=dict)  # paired, against the unperturbed attack
    note: str = ""
    family: StressFamily | Literal[""] = ""
    label: str = ""  # in words, with the strength
    unit: str = ""  # what the strength counts
    unseen: bool = False  # the judge took no part in the attack
    repaired: bool = False
    n_attempts: NonNegativeInt = 0
    n_failed: NonNegativeInt = 0  # attempts in which no face was found
    detection_rate: Estimate = NOT_RUN
    reconstruction_fmr: ByFmr = Field(default_factory=dict)  # against pictures of others, clean
    type2_difference: ByFmr = Field(default_factory=dict)  # paired, as ``difference``
    tmr: ByFmr = Field(default_factory=dict)
    tmr_difference: ByFmr = Field(default_factory=dict)  # paired, against the clean row
    realised_fmr: ByFmr = Field(default_factory=dict)  # at these thresholds, under stress
    tmr_same_fmr: ByFmr = Field(default_factory=dict)  # at thresholds set anew for that FMR
    measures: dict[str, Estimate] = Field(default_factory=dict)  # of this family alone
    roc: list[StressCurve] = Field(default_factory=list)
    map: StressMap | None = None
    samples: list[StressSample] = Field(default_factory=list)
