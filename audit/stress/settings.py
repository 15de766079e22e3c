"""What a stress run tries: families, and how many people and how many steps each of them takes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from audit.config_values import listed, refuse_twice
from reports.results import STRESS_FAMILIES, StressFamily


def _ascending(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if list(numbers) != sorted({n for n in numbers if n > 0}):
        raise ValueError(f"expected whole numbers above 0 in ascending order; got {list(numbers)}")
    return numbers


Ascending = Annotated[
    tuple[int, ...], BeforeValidator(listed), Field(min_length=1), AfterValidator(_ascending)
]


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
        numbers: how many pictures are averaged.
        sets: averages of so many of one person that share no picture, at most.
        probes: pictures of each person that averages are tried with, at most.
        likeness: of these, how many a reconstruction is compared with.
        clusters: numbers of clusters.
        cluster_from: pictures that a person must have, besides the probes, to be clustered.
    """

    subjects: int = Field(default=50, ge=2)
    numbers: Ascending = (1, 2, 3, 5, 10, 20)
    sets: int = Field(default=8, ge=1)
    probes: int = Field(default=10, ge=1)
    likeness: int = Field(default=4, ge=1)
    clusters: Ascending = (2, 3, 4, 5)
    cluster_from: int = Field(default=20, ge=2)

    QUICK: ClassVar[dict[str, Any]] = {"sets": 2, "likeness": 1, "clusters": (2, 3, 5)}

    @model_validator(mode="after")
    def _enough_for_clusters(self) -> Self:
        if self.clusters[0] < 2 or self.clusters[-1] > self.cluster_from:
            raise ValueError(
                f"clusters must be from 2 to cluster_from ({self.cluster_from}); "
                f"got {list(self.clusters)}"
            )
        return self


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
