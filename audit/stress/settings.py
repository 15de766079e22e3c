"""What a stress run tries: families, and how many people and how many steps each of them takes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from audit.config_values import listed, refuse_twice
from reports.results import STRESS_FAMILIES, StressFamily


class Sizes(BaseModel):
    """Base of the settings: sizes of a full run, and in ``QUICK`` those of a quick one.

    What somebody sets by hand counts in both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    QUICK: ClassVar[dict[str, Any]] = {}

    def quick(self) -> Self:
        """These settings for a quick run."""
        given = self.model_fields_set
        update: dict[str, Any] = {k: v for k, v in self.QUICK.items() if k not in given}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Sizes):
                update[name] = value.quick()
        return self.model_copy(update=update)


class OcclusionSettings(Sizes):
    """Covered faces."""


class AdversarialSettings(Sizes):
    """Adversarial noise."""


class GeometrySettings(Sizes):
    """Turned, shifted and scaled faces.

    Attributes:
        rotations: degrees, clockwise.
        translation: share of the crop, in each of four directions.
        scales: factors.
        pairs: pictures of the attacker's people that a map is learnt on, of as many different
            people as there are.
        threshold_people: people of the threshold set, one picture each, from whom a condition's own
            thresholds come; null for all.
        inverted_people: leaked people whose templates are inverted under a few of the transforms;
            null for all that are drawn.
    """

    rotations: tuple[float, ...] = (-150, -120, -90, -60, -30, 30, 60, 90, 120, 150, 180)
    translation: float = Field(default=0.2, gt=0, le=1)
    scales: tuple[float, ...] = (0.5, 1.5)
    pairs: int = Field(default=4000, ge=2)
    threshold_people: int | None = Field(default=None, ge=2)
    inverted_people: int | None = Field(default=None, ge=2)

    QUICK: ClassVar[dict[str, Any]] = {
        "pairs": 1200,
        "threshold_people": 320,
        "inverted_people": 200,
    }


class AggregationSettings(Sizes):
    """Templates made of several pictures.

    Attributes:
        subjects: the people with the most pictures, who go to the leaked side whatever the split
            says, with all their pictures.
    """

    subjects: int = Field(default=50, ge=2)


class DamageSettings(Sizes):
    """Templates that leaked in part, or coarser than they were."""


class QualitySettings(Sizes):
    """Poor pictures."""


class InvarianceSettings(Sizes):
    """Several pictures of one person.

    Attributes:
        people: leaked people with three or more pictures; null for all.
        each: pictures of each of them, at most.
        strip_pictures: pictures of each person in the strip.
    """

    people: int | None = Field(default=None, ge=2)
    each: int = Field(default=10, ge=3)
    strip_pictures: int = Field(default=4, ge=1)

    QUICK: ClassVar[dict[str, Any]] = {"people": 100, "each": 6}


class StressSettings(Sizes):
    """A whole stress run.

    Attributes:
        families: which are run.
        subjects: leaked people whose templates are inverted under every perturbation of blocks and
            of templates; null for all. People with two or more pictures are drawn first: Type-II
            and TMR speak of them alone.
        pictures: pictures of each of them, at most; null for all.
        shown: people in the strips of pictures.
    """

    families: Annotated[tuple[StressFamily, ...], BeforeValidator(listed), Field(min_length=1)] = (
        STRESS_FAMILIES
    )
    subjects: int | None = Field(default=None, ge=2)
    pictures: int | None = Field(default=2, ge=1)
    shown: int = Field(default=4, ge=0, le=12)
    occlusion: OcclusionSettings = OcclusionSettings()
    adversarial: AdversarialSettings = AdversarialSettings()
    geometry: GeometrySettings = GeometrySettings()
    aggregation: AggregationSettings = AggregationSettings()
    damage: DamageSettings = DamageSettings()
    quality: QualitySettings = QualitySettings()
    invariance: InvarianceSettings = InvarianceSettings()

    QUICK: ClassVar[dict[str, Any]] = {"subjects": 500}

    @model_validator(mode="after")
    def _once(self) -> Self:
        refuse_twice(self.families)
        return self
