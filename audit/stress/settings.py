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
    """Adversarial noise.

    Attributes:
        subjects: leaked people with two or more pictures; one picture of each is attacked.
        budgets: the most that a value of a pixel may change, in 255ths; 0 is always added.
        steps: of PGD.
        pairs: people for Carlini-Wagner and the square attack.
        searches, search_steps: of Carlini-Wagner: values of its constant, and steps for each.
        queries: pictures that the square attack may show to the model.
        square_budgets: as ``budgets``, of the square attack.
    """

    subjects: int = Field(default=300, ge=3)
    budgets: tuple[Annotated[float, Field(gt=0, le=255)], ...] = Field(
        default=(1, 2, 4, 8), min_length=1
    )
    steps: int = Field(default=10, ge=1)
    pairs: int = Field(default=100, ge=2)
    searches: int = Field(default=5, ge=1)
    search_steps: int = Field(default=10, ge=1)
    queries: int = Field(default=200, ge=3)
    square_budgets: tuple[Annotated[float, Field(gt=0, le=255)], ...] = Field(
        default=(4, 8), min_length=1
    )

    QUICK: ClassVar[dict[str, Any]] = {
        "subjects": 100,
        "steps": 6,
        "pairs": 40,
        "searches": 3,
        "search_steps": 6,
        "square_budgets": (8,),
    }


class GeometrySettings(Sizes):
    """Turned, shifted and scaled faces."""


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
    """Several pictures of one person."""


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
