"""Is a backbone declared rightly? Its verification rate as declared, and with its input altered.

A wrong colour order, value range or crop gives templates that look valid and match less well. Each
common mistake is undone in turn: where the backbone then tells people apart clearly better, its
record is likely wrong in that point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from biometrics.backbones.base import Backbone, Crop
from biometrics.backbones.embed import embed
from biometrics.errors import FaceleakError, InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.metrics.intervals import (
    DRAWS,
    LEVEL,
    Interval,
    draw_counts,
    mean_over_subjects,
    paired_difference,
    subject_means,
)
from biometrics.metrics.pairs import group, mated_pairs
from biometrics.metrics.scores import pair_scores, similarity_matrix
from biometrics.metrics.verification import MIN_EXPECTED_PAIRS, Threshold, nonmated_threshold
from biometrics.progress import Advance, silent

WANTED_FMR = 1e-2
HIGHEST_FMR = 0.1
"""Where the pairs allow no lower one than this, there are too few people to say anything."""

SMALLEST_GAIN = 0.02
"""A smaller gain is no mistake in the record: crops of recognition models are not that exact."""

SHIFT = 0.1
ROOM = 4.0
"""How many times more of the highest non-mated scores are kept than are accepted: the threshold of
every bootstrap draw lies among them."""

Point = Literal["colour order", "value range", "crop"]


class Variant(NamedTuple):
    """One way to alter the input; ``point`` is what is wrong in the record where it is better."""

    name: str
    point: Point
    pixels: Callable[[Tensor], Tensor] | None = None
    crop: Callable[[Crop, tuple[int, int]], Crop] | None = None


@dataclass(frozen=True)
class Outcome:
    """What was measured of the backbone, altered in one way.

    Attributes:
        name: of the variant; ``as declared`` for none.
        point: what it is about; None as declared.
        tmr: at the check's FMR, with the 95 % interval; None where not measured.
        gain: paired difference to as declared, in an interval that holds for all variants at once.
        better: whether the gain is certain and no trifle.
        why_not: why it was not measured.
    """

    name: str
    point: Point | None
    tmr: Interval | None
    gain: Interval | None
    better: bool
    why_not: str = ""


@dataclass(frozen=True)
class Check:
    """All outcomes, as declared first, at ``fmr`` on ``faces`` pictures of ``subjects`` people."""

    backbone: str
    fmr: float
    subjects: int
    faces: int
    outcomes: tuple[Outcome, ...]

    @property
    def suspect(self) -> Outcome | None:
        """The best of those that are better than as declared, if any."""
        better = [o for o in self.outcomes if o.better and o.tmr is not None]
        return max(better, key=lambda o: o.tmr.value if o.tmr else 0.0, default=None)

    @property
    def verdict(self) -> str:
        """One line."""
        declared, suspect = self.outcomes[0].tmr, self.suspect
        assert declared is not None
        said = f"TMR {short(declared.value)} as declared"
        if suspect is not None and suspect.tmr is not None:
            return f"{said}, {short(suspect.tmr.value)} {suspect.name}: check the {suspect.point}"
        others = [o.tmr.value for o in self.outcomes[1:] if o.tmr is not None]
        if all(declared.value >= value for value in others):
            return f"as declared is best: {short(declared.value)}"
        return f"{said}: no difference that can be told"


def short(rate: float) -> str:
    """``.93``, as rates are read aloud; ``1`` and ``0`` where it rounds to them."""
    text = f"{rate:.2f}"
    return {"1.00": "1", "0.00": "0"}.get(text, text.removeprefix("0"))


def _whole(_crop: Crop, size: tuple[int, int]) -> Crop:
    height, width = size
    edge = CROP_SIZE - 1
    return (((width - 1) / edge, 0.0, 0.0), (0.0, (height - 1) / edge, 0.0))


def _shifted(dx: float, dy: float) -> Callable[[Crop, tuple[int, int]], Crop]:
    """The picture moved within the input by shares of its sides."""

    def shift(crop: Crop, size: tuple[int, int]) -> Crop:
        (a, b, x), (c, d, y) = crop
        return ((a, b, x + dx * size[1]), (c, d, y + dy * size[0]))

    return shift


def _scaled(by: float) -> Callable[[Crop, tuple[int, int]], Crop]:
    """The picture enlarged about the middle of the input."""

    def scale(crop: Crop, size: tuple[int, int]) -> Crop:
        (a, b, x), (c, d, y) = crop
        mx, my = (size[1] - 1) / 2, (size[0] - 1) / 2
        return (
            (by * a, by * b, by * (x - mx) + mx),
            (by * c, by * d, by * (y - my) + my),
        )

    return scale


VARIANTS = (
    Variant("with BGR", "colour order", pixels=lambda x: x.flip(1)),
    Variant("with [0, 255]", "value range", pixels=lambda x: x * 255),
    Variant("with 1/255 of it", "value range", pixels=lambda x: x / 255),
    Variant("with [-1, 1]", "value range", pixels=lambda x: x * 2 - 1),
    Variant("with [.5, 1]", "value range", pixels=lambda x: (x + 1) / 2),
    Variant("moved right by 10 %", "crop", crop=_shifted(SHIFT, 0)),
    Variant("moved left by 10 %", "crop", crop=_shifted(-SHIFT, 0)),
    Variant("moved down by 10 %", "crop", crop=_shifted(0, SHIFT)),
    Variant("moved up by 10 %", "crop", crop=_shifted(0, -SHIFT)),
    Variant("enlarged by 1.25", "crop", crop=_scaled(1.25)),
    Variant("reduced to .8", "crop", crop=_scaled(0.8)),
    Variant("with the whole crop", "crop", crop=_whole),
)
"""The common mistakes, undone. Mirroring is left out: faces match mirrored ones nearly as well."""


class Altered(Backbone):
    """A backbone that gets another input than it declares.

    Convention: ``pixels`` takes what :meth:`embed_input` gets, RGB [N, 3, H, W] in [0, 1].
    """

    def __init__(self, backbone: Backbone, variant: Variant) -> None:
        spec = backbone.spec
        if variant.crop is not None:
            spec = replace(spec, crop=variant.crop(spec.crop, spec.input_size))
        super().__init__(spec)
        self.backbone, self.variant = backbone, variant

    def to_input(self, crops: Tensor) -> Tensor:
        """The declared input, or one cut elsewhere."""
        return (
            self.backbone.to_input(crops) if self.variant.crop is None else super().to_input(crops)
        )

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, D] of the altered input."""
        altered = inputs if self.variant.pixels is None else self.variant.pixels(inputs)
        return self.backbone.embed_input(altered)


def check_backbone(
    backbone: Backbone, faces: FaceSet, *, seed: int = 0, advance: Advance = silent
) -> Check:
    """Measure the TMR as declared and with every variant.

    The FMR is 1e-2, or the lowest at which 30 distinct pairs of people are accepted by chance.
    Every variant has its own threshold. Intervals are from a bootstrap over subjects in which the
    threshold is set anew in each draw.

    Args:
        backbone: ready for use.
        faces: several pictures of each of some dozens of people.
        seed: of the bootstrap.
        advance: told about every face and variant.

    Raises:
        InputError: too few people, or nobody with two pictures.
        FaceleakError: the backbone as declared gives NaN or infinite templates.
    """
    world = _World(faces.subject_ids, seed)
    declared = world.measure(embed(backbone, faces.crops, advance=advance), backbone)
    outcomes = [Outcome("as declared", None, declared.interval(), None, better=False)]
    for variant in VARIANTS:
        altered = Altered(backbone, variant).to(backbone.grid.device).eval()
        try:
            vectors = embed(altered, faces.crops, advance=advance)
        except FaceleakError as error:  # some inputs leave the range of the numbers
            outcomes.append(Outcome(variant.name, variant.point, None, None, False, str(error)))
            continue
        outcomes.append(_compared(variant, world.measure(vectors, backbone), declared))
    return Check(
        backbone.spec.name, world.fmr, world.groups.n_subjects, len(faces), tuple(outcomes)
    )


def _compared(variant: Variant, own: _Measured, declared: _Measured) -> Outcome:
    level = 1 - (1 - LEVEL) / len(VARIANTS)  # Bonferroni: so many chances to accuse wrongly
    low, high = _limits(own.draws - declared.draws, level)
    # Where few subjects differ, the bootstrap knows too little; this one falls back on binomials.
    plain = paired_difference(own.by_subject, declared.by_subject, rates=True)
    assert plain.low is not None
    assert plain.high is not None
    gain = Interval(plain.value, min(low, plain.low), max(high, plain.high), plain.n)
    better = min(low, plain.low) > 0 and plain.value >= SMALLEST_GAIN
    return Outcome(variant.name, variant.point, own.interval(), gain, better)


class _Measured(NamedTuple):
    """Acceptance of each subject with two pictures [S], and the TMR of each bootstrap draw."""

    by_subject: NDArray[np.float64]
    draws: NDArray[np.float64]

    def interval(self) -> Interval:
        """The TMR, 95 %: the wider of the bootstrap and, where few differ, the binomial."""
        plain = mean_over_subjects(self.by_subject, rates=True)
        low, high = _limits(self.draws, LEVEL)
        return Interval(
            plain.value,
            min(low, plain.value if plain.low is None else plain.low),
            max(high, plain.value if plain.high is None else plain.high),
            plain.n,
        )


class _World:
    """The comparisons, which are the same for all variants."""

    def __init__(self, subjects: NDArray[np.str_], seed: int) -> None:
        self.subjects, self.groups = subjects, group(subjects)
        self.mated = mated_pairs(self.groups)
        pairs = self.groups.n_subject_pairs
        self.fmr = max(WANTED_FMR, MIN_EXPECTED_PAIRS / max(pairs, 1))
        if self.fmr > HIGHEST_FMR:
            raise InputError(
                f"{self.groups.n_subjects} people are too few to measure a TMR: at least 25 are "
                "needed, 78 for an FMR of 1e-2"
            )
        if len(np.unique(self.groups.index[self.mated.first])) < 5:
            raise InputError("fewer than 5 people have two pictures; a TMR needs several of each")
        self.counts = draw_counts(self.groups.n_subjects, seed)  # [2000, S]

    def measure(self, vectors: NDArray[np.float32], backbone: Backbone) -> _Measured:
        kind, index = backbone.spec.similarity, self.groups.index
        found = nonmated_threshold(vectors, self.subjects, kind, self.fmr)
        assert isinstance(found, Threshold)  # the FMR was chosen so that it can be measured
        mated = pair_scores(vectors, vectors, self.mated, kind)
        owner = index[self.mated.first]
        by_subject = subject_means(mated >= found.value, owner)
        thresholds = self._thresholds(similarity_matrix(vectors, vectors, kind))
        return _Measured(by_subject, self._tmr_draws(mated, owner, thresholds))

    def _thresholds(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The threshold [2000] of each draw: the lowest score at which the weighted share of
        accepted pairs of different people is at most the FMR."""
        index, share = self.groups.index, 1.0 / self.groups.counts
        i, j = np.nonzero(index[:, None] < index[None, :])
        order = np.argsort(-scores[i, j], kind="stable")
        order = order[: max(1, int(len(order) * min(1.0, ROOM * self.fmr)))]
        i, j = i[order], j[order]
        weight = (share[index[i]] * share[index[j]]).astype(np.float32)
        total = (self.counts.sum(axis=1) ** 2 - (self.counts**2).sum(axis=1)) / 2
        kept = scores[i, j]
        thresholds = np.empty(DRAWS, dtype=np.float32)
        for draw in range(DRAWS):  # one row at a time: all together would take gigabytes
            count = self.counts[draw]
            accepted = np.cumsum(weight * count[index[i]] * count[index[j]])
            first_too_many = int(np.searchsorted(accepted, self.fmr * total[draw], side="right"))
            last = min(first_too_many, len(kept) - 1)
            thresholds[draw] = np.nextafter(kept[last], np.float32(np.inf))
        return thresholds

    def _tmr_draws(
        self,
        mated: NDArray[np.float32],
        owner: NDArray[np.intp],
        thresholds: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """The TMR [2000] of each draw: a mean over its subjects with two pictures."""
        sizes = np.bincount(owner, minlength=self.groups.n_subjects)
        weight = self.counts[:, owner] / sizes[owner]  # [2000, P]
        accepted = mated[None, :] >= thresholds[:, None]
        taken = self.counts[:, sizes > 0].sum(axis=1)
        rates: NDArray[np.float64] = (weight * accepted).sum(axis=1) / np.maximum(taken, 1)
        return rates


def _limits(draws: NDArray[np.float64], level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
