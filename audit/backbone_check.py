"""Is a backbone declared rightly? How well it recognises as declared, and with its input altered.

A wrong colour order, value range or crop gives templates that look valid and match less well. Each
common mistake is undone in turn: where the backbone then tells people apart clearly better, its
record is likely wrong in that point. A strong backbone accepts nearly everybody either way, so
where the TMR cannot tell, the separation of mated from non-mated scores may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.check_rates import Comparisons, Measured, limits
from audit.input_variants import VARIANTS, Altered, Point, Variant
from biometrics.backbones.base import Backbone
from biometrics.backbones.embed import embed
from biometrics.errors import FaceleakError
from biometrics.faces.faceset import FaceSet
from biometrics.metrics.intervals import LEVEL, Interval, paired_difference
from biometrics.progress import Advance, silent

SMALLEST_GAIN = 0.02
"""A smaller gain of TMR is no mistake in the record: crops of recognition models are not that
exact."""

SMALLEST_FURTHER = 0.05
"""The same of the separation, as a share of that as declared."""


@dataclass(frozen=True)
class Outcome:
    """What was measured of the backbone, altered in one way.

    Attributes:
        name: of the variant; ``as declared`` for none.
        point: what it is about; None as declared.
        tmr: at the check's FMR, with the 95 % interval; None where not measured.
        gain: paired difference to as declared, in an interval that holds for all variants at once.
        separation: how far mated scores lie from non-mated ones (d'); None where not measured.
        further: of the separation what ``gain`` is of the TMR.
        better: by what it is better than as declared, where that is certain and no trifle; by the
            separation only where the TMR does not tell.
        why_not: why it was not measured.
    """

    name: str
    point: Point | None
    tmr: Interval | None = None
    gain: Interval | None = None
    separation: float | None = None
    further: Interval | None = None
    better: Literal["TMR", "separation"] | None = None
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
        """The best of those that are better than as declared, if any; by TMR before separation."""

        def rank(outcome: Outcome) -> tuple[bool, float, float]:
            by_tmr = outcome.better == "TMR"
            tmr = outcome.tmr.value if by_tmr and outcome.tmr else 0.0
            return by_tmr, tmr, outcome.separation or 0.0

        return max((o for o in self.outcomes if o.better), key=rank, default=None)

    @property
    def verdict(self) -> str:
        """One line."""
        declared, suspect = self.outcomes[0], self.suspect
        assert declared.tmr is not None
        said = f"TMR {short(declared.tmr.value)} as declared"
        if suspect is not None:
            return f"{said}, {_compared_in_words(suspect, declared)}: check the {suspect.point}"
        others = [o.tmr.value for o in self.outcomes[1:] if o.tmr is not None]
        if all(declared.tmr.value >= value for value in others):
            return f"as declared is best: {short(declared.tmr.value)}"
        return f"{said}: no difference that can be told"


def _compared_in_words(suspect: Outcome, declared: Outcome) -> str:
    assert suspect.tmr is not None
    said = f"{short(suspect.tmr.value)} {suspect.name}"
    if suspect.better == "TMR":
        return said
    return f"{said}, but separation {suspect.separation:.1f}, not {declared.separation:.1f}"


def short(rate: float) -> str:
    """``.93``, as rates are read aloud; ``1`` and ``0`` where it rounds to them."""
    text = f"{rate:.2f}"
    return {"1.00": "1", "0.00": "0"}.get(text, text.removeprefix("0"))


def check_backbone(
    backbone: Backbone, faces: FaceSet, *, seed: int = 0, advance: Advance = silent
) -> Check:
    """Measure TMR and separation as declared and with every variant.

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
    world, kind = Comparisons(faces.subject_ids, seed), backbone.spec.similarity
    declared = world.measure(embed(backbone, faces.crops, advance=advance), kind)
    outcomes = [
        Outcome("as declared", None, tmr=declared.interval(), separation=declared.separation)
    ]
    for variant in VARIANTS:
        altered = Altered(backbone, variant).to(backbone.grid.device).eval()
        try:
            vectors = embed(altered, faces.crops, advance=advance)
        except FaceleakError as error:  # some inputs leave the range of the numbers
            outcomes.append(Outcome(variant.name, variant.point, why_not=str(error)))
            continue
        outcomes.append(_compared(variant, world.measure(vectors, kind), declared))
    return Check(
        backbone.spec.name, world.fmr, world.groups.n_subjects, len(faces), tuple(outcomes)
    )


def _compared(variant: Variant, own: Measured, declared: Measured) -> Outcome:
    low, high = _of_all(own.draws - declared.draws)
    # Where few subjects differ, the bootstrap knows too little; this one falls back on binomials.
    plain = paired_difference(own.by_subject, declared.by_subject, rates=True)
    assert plain.low is not None
    assert plain.high is not None
    gain = Interval(plain.value, min(low, plain.low), max(high, plain.high), plain.n)
    apart = own.separation - declared.separation
    nearest, furthest = _of_all(own.separation_draws - declared.separation_draws)
    further = Interval(apart, nearest, furthest, plain.n)
    better: Literal["TMR", "separation"] | None = None
    if min(low, plain.low) > 0 and plain.value >= SMALLEST_GAIN:
        better = "TMR"
    elif (
        max(high, plain.high) >= 0
        and nearest > 0
        and apart >= SMALLEST_FURTHER * abs(declared.separation)
    ):
        better = "separation"
    return Outcome(
        variant.name,
        variant.point,
        tmr=own.interval(),
        gain=gain,
        separation=own.separation,
        further=further,
        better=better,
    )


def _of_all(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Limits that hold for all variants at once (Bonferroni): so many chances to accuse wrongly."""
    return limits(draws, 1 - (1 - LEVEL) / len(VARIANTS))
