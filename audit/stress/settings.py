"""What a stress run tries: families, and how many people and how many steps each of them takes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from audit.config_values import AttackChoice, AttackEntry, listed, refuse_twice
from audit.sizes import Ascending, Sizes
from biometrics.faces.geometry import CROP_SIZE
from reports.results import STRESS_FAMILIES, StressFamily

Share = Annotated[float, Field(gt=0, le=1)]
Area = Annotated[float, Field(ge=0, le=1)]
Decimals = Annotated[int, Field(ge=0, le=9)]
Bits = Annotated[int, Field(ge=1, le=16)]
Decibels = Annotated[float, Field(ge=-100, le=100)]
SomeTemplates = Annotated[int, Field(ge=2)]


_GAN: dict[str, Any] = {
    "size": 112,
    "width": 0.25,
    "convolutions": False,
    "dense": 1024,
    "discriminator_channels": 16,
    "epochs": 20,
    "learning_rate": 5e-3,
}
DECODER_PAIR = (
    AttackChoice("gan:cnn", {**_GAN, "adversarial": 0.0}),
    AttackChoice("gan:gan", _GAN),
)
"""One network on pixels alone (a CNN) and against a discriminator (a GAN), all else alike."""


class OcclusionSettings(Sizes):
    """Covered faces.

    Attributes:
        areas: of the random block, as shares of the face; 0 covers nothing and must give the clean
            numbers.
        slide_faces: people, with one picture each, over whom the block slides; 0 leaves it out.
        slide_grid: places along each side of the grid.
        slide_block: side of the sliding block in pixels of the crop.
        decoders: attacks that are trained for the first target to be compared under a few covers,
            as in ``attacks``; those that stand there too are left out, and none leaves it out. A
            quick run leaves it out: in its time no decoder learns enough to be accepted.
        decoder_subjects: people whose templates they invert; null for all.
    """

    areas: Annotated[tuple[Area, ...], BeforeValidator(listed)] = (0.0, 0.05, 0.1, 0.2, 0.4)
    slide_faces: int = Field(default=100, ge=0)
    slide_grid: int = Field(default=14, ge=1, le=CROP_SIZE)
    slide_block: int = Field(default=32, ge=1, le=CROP_SIZE)
    decoders: Annotated[tuple[AttackEntry, ...], BeforeValidator(listed)] = DECODER_PAIR
    decoder_subjects: int | None = Field(default=500, ge=2)

    QUICK: ClassVar[dict[str, Any]] = {
        "areas": (0.0, 0.1, 0.2, 0.4),
        "slide_faces": 20,
        "decoders": (),
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
    """Adversarial noise.

    Attributes:
        subjects: leaked people with two or more pictures; one picture of each is attacked.
        budgets: the most that a value of a pixel may change, in 255ths; 0 is always added.
        steps: of PGD.
        pairs: people for the iterative FGSM, Carlini-Wagner and the square attack.
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
        "steps": 5,
        "pairs": 40,
        "searches": 2,
        "search_steps": 5,
        "square_budgets": (8,),
    }


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
        "rotations": (30, 90, 180),
        "pairs": 800,
        "threshold_people": 260,  # 33,670 pairs: enough for an FMR of 1e-3
        "inverted_people": 100,
    }


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

    QUICK: ClassVar[dict[str, Any]] = {"noise": (10.0, 0.0)}


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
        "subjects": 100,
        "blur": (4.0,),
        "low_resolution": (16,),
        "jpeg": (5,),
        "noise": (50.0,),
    }


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
        pictures: pictures of each of them that are put under stress, at most; null for all.
            Type-II and TMR compare with all others whatever stands here.
        shown: people in the strips of pictures.
    """

    families: Annotated[tuple[StressFamily, ...], BeforeValidator(listed), Field(min_length=1)] = (
        STRESS_FAMILIES
    )
    subjects: int | None = Field(default=None, ge=2)
    pictures: int | None = Field(default=None, ge=1)
    shown: int = Field(default=4, ge=0, le=12)
    occlusion: OcclusionSettings = OcclusionSettings()
    adversarial: AdversarialSettings = AdversarialSettings()
    geometry: GeometrySettings = GeometrySettings()
    aggregation: AggregationSettings = AggregationSettings()
    damage: DamageSettings = DamageSettings()
    quality: QualitySettings = QualitySettings()
    invariance: InvarianceSettings = InvarianceSettings()

    QUICK: ClassVar[dict[str, Any]] = {"subjects": 500, "pictures": 1}

    @model_validator(mode="after")
    def _once(self) -> Self:
        refuse_twice(self.families)
        return self
