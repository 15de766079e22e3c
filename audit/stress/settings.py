"""What a stress run tries: families, and how many people and how many steps each of them takes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from audit.config_values import listed, refuse_twice
from reports.results import STRESS_FAMILIES, StressFamily

Share = Annotated[float, Field(gt=0, le=1)]
Decimals = Annotated[int, Field(ge=0, le=9)]
Bits = Annotated[int, Field(ge=1, le=16)]
Decibels = Annotated[float, Field(ge=-100, le=100)]
SomeTemplates = Annotated[int, Field(ge=2)]


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
    """Turned, shifted and scaled faces."""


class AggregationSettings(Sizes):
    """Templates made of several pictures.

    Attributes:
        subjects: the people with the most pictures, who go to the leaked side whatever the split
            says, with all their pictures.
    """

    subjects: int = Field(default=50, ge=2)


class DamageSettings(Sizes):
    """Templates that leaked in part, or coarser than they were.

    Attributes:
        shares: of the dimensions, where the attacker knows which ones leaked.
        unknown: of the dimensions, where it knows their order only.
        decimals: that values are rounded to.
        bits: of each value.
        noise: signal-to-noise ratios in dB.
        templates: numbers of leaked templates from which dimensions are matched by statistics,
            besides all of them.
    """

    shares: Annotated[tuple[Share, ...], BeforeValidator(listed)] = (0.5, 0.3, 0.1)
    unknown: Annotated[tuple[Share, ...], BeforeValidator(listed)] = (0.5, 0.3, 0.1)
    decimals: Annotated[tuple[Decimals, ...], BeforeValidator(listed)] = (2,)
    bits: Annotated[tuple[Bits, ...], BeforeValidator(listed)] = (8, 1)
    noise: Annotated[tuple[Decibels, ...], BeforeValidator(listed)] = (20.0, 10.0, 3.0, 0.0)
    templates: Annotated[tuple[SomeTemplates, ...], BeforeValidator(listed)] = (30, 100, 300)


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
