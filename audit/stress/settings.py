"""What a stress run tries: families, and how many people and how many steps each of them takes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from audit.config_values import AttackChoice, AttackEntry, listed, refuse_twice
from biometrics.faces.geometry import CROP_SIZE
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


Share = Annotated[float, Field(ge=0, le=1)]


def decoder_pair(*, size: int, width: float, epochs: int) -> tuple[AttackChoice, AttackChoice]:
    """One network on pixels alone (a CNN) and against a discriminator (a GAN), all else alike."""
    small: dict[str, Any] = {
        "size": size,
        "width": width,
        "convolutions": False,
        "dense": 1024,
        "discriminator_channels": 16,
        "epochs": epochs,
        "learning_rate": 5e-3,
    }
    return AttackChoice("gan:cnn", {**small, "adversarial": 0.0}), AttackChoice("gan:gan", small)


class OcclusionSettings(Sizes):
    """Covered faces.

    Attributes:
        areas: of the random block, as shares of the face; 0 covers nothing and must give the clean
            numbers.
        slide_faces: people, with one picture each, over whom the block slides; 0 leaves it out.
        slide_grid: places along each side of the grid.
        slide_block: side of the sliding block in pixels of the crop.
        decoders: attacks that are trained for the first target to be compared under a few covers,
            as in ``attacks``; those that stand there too are left out, and none leaves it out.
        decoder_subjects: people whose templates they invert; null for all.
    """

    areas: Annotated[tuple[Share, ...], BeforeValidator(listed)] = (0.0, 0.05, 0.1, 0.2, 0.4)
    slide_faces: int = Field(default=100, ge=0)
    slide_grid: int = Field(default=14, ge=1, le=CROP_SIZE)
    slide_block: int = Field(default=32, ge=1, le=CROP_SIZE)
    decoders: Annotated[tuple[AttackEntry, ...], BeforeValidator(listed)] = decoder_pair(
        size=112, width=0.25, epochs=20
    )
    decoder_subjects: int | None = Field(default=500, ge=2)

    QUICK: ClassVar[dict[str, Any]] = {
        "slide_faces": 20,
        "decoders": decoder_pair(size=64, width=0.125, epochs=2),
        "decoder_subjects": 100,
    }

    @field_validator("areas")
    @classmethod
    def _areas_differ(cls, areas: tuple[float, ...]) -> tuple[float, ...]:
        refuse_twice([f"{area:g}" for area in areas])
        return areas

    @field_validator("decoders")
    @classmethod
    def _decoders_differ(cls, decoders: tuple[AttackChoice, ...]) -> tuple[AttackChoice, ...]:
        refuse_twice([choice.name for choice in decoders])
        return decoders


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
    """Templates that leaked in part, or coarser than they were."""


Few = Annotated[int, Field(ge=1, le=CROP_SIZE)]
Compression = Annotated[int, Field(ge=1, le=95)]
Sigma = Annotated[float, Field(ge=0, le=25)]
Levels = Annotated[float, Field(ge=0, le=255)]


class QualitySettings(Sizes):
    """Poor pictures.

    Attributes:
        subjects: people whose pictures are made poor; null for all.
        blur: standard deviations of the Gaussian in pixels.
        low_resolution: sides in pixels that the crop is brought down to.
        jpeg: qualities of the compression.
        noise: standard deviations in grey levels.
    """

    subjects: int | None = Field(default=None, ge=2)
    blur: Annotated[tuple[Sigma, ...], BeforeValidator(listed)] = (1.0, 2.0, 4.0)
    low_resolution: Annotated[tuple[Few, ...], BeforeValidator(listed)] = (64, 32, 16)
    jpeg: Annotated[tuple[Compression, ...], BeforeValidator(listed)] = (50, 20, 5)
    noise: Annotated[tuple[Levels, ...], BeforeValidator(listed)] = (10.0, 25.0, 50.0)

    QUICK: ClassVar[dict[str, Any]] = {
        "subjects": 200,
        "blur": (2.0, 4.0),
        "low_resolution": (32, 16),
        "jpeg": (20, 5),
        "noise": (25.0, 50.0),
    }


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
