"""What the length of templates and how long they are in numbers say of the model behind them.

The rule is coarse: it needs no statistics of the model and works from the first row on. What the
store itself claims stands beside it, and where both disagree that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from biometrics.stores.base import StoreFacts
from biometrics.stores.inspection import CollectionFigures

DLIB, ARCFACE_RAW, UNIT_512 = "dlib", "ArcFace family, raw", "FaceNet, or ArcFace normalised"
VGG, UNIT_128, RAW_128 = "VGG-Face", "OpenFace or SFace", "MobileFaceNet or SFace, raw"
MEANS = "means of unit templates"


class Family(NamedTuple):
    """What templates look like.

    Attributes:
        name: in words; empty where the rule knows none.
        evidence: such as ``128-D, norms 1.43 ± 0.07``.
        backbones: names of faceleak's own backbones that it may be, best first.
    """

    name: str
    evidence: str
    backbones: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """The rule, the store's claims, and where they disagree.

    Attributes:
        family: by the numbers.
        claims: what the store or its product says made them, in words.
        contradictions: in sentences.
        means: why these are taken for means of several templates; empty where they are not.
    """

    family: Family
    claims: tuple[str, ...]
    contradictions: tuple[str, ...]
    means: str


def family_of(figures: CollectionFigures) -> Family:
    """The family by D and lengths."""
    dim, norms = figures.collection.dim, figures.norms
    if norms.mean is None or norms.std is None or norms.low is None or norms.high is None:
        return Family("", f"{dim}-D, no sound row")
    mean = norms.mean
    evidence = f"{dim}-D, norms {mean:.3g} ± {norms.std:.1g}"
    if figures.min_max_scaled:
        return Family("min-max scaled", f"{evidence}, all values in [0, 1], both ends reached")
    unit = figures.unit > 0.95
    if dim == 128 and 1.25 <= mean <= 1.6:
        return Family(DLIB, evidence, ("dlib",))
    if dim == 128 and unit:
        return Family(UNIT_128, f"{evidence}, unit length")
    if dim == 128 and mean > 2:
        return Family(RAW_128, f"{evidence}, not normalised", ("mobilefacenet",))
    if dim == 512 and unit:
        names = ("facenet-vggface2", "facenet-casia", "insightface:buffalo_l")
        return Family(UNIT_512, f"{evidence}, unit length", names)
    if dim == 512 and mean > 2:
        return Family(ARCFACE_RAW, f"{evidence}, not normalised", ("insightface:buffalo_l",))
    if dim == 4096 and unit and figures.non_negative > 0.99:
        return Family(VGG, f"{evidence}, unit length, no negative value", ("vggface",))
    if figures.means_of_unit:
        return Family(MEANS, f"{evidence}, all a little shorter than 1")
    if unit:
        return Family("", f"{evidence}, unit length, of no known family")
    return Family("", f"{evidence}, of no known family")


def judge(figures: CollectionFigures, facts: StoreFacts) -> Judgement:
    """The family beside what the store says."""
    family = family_of(figures)
    said = [f"the store says {figures.collection.model}"] if figures.collection.model else []
    said += [f"{facts.product} uses {facts.model}"] if facts.model else []
    means = ""
    if figures.collection.mean:
        means = "the store keeps one mean a person here"
    elif figures.means_of_unit:
        middle = figures.norms.percentiles.get("50", 0.0)
        means = f"lengths around {middle:.2f}, below 1: means of unit templates are shorter than 1"
    return Judgement(family, tuple(said), tuple(_contradictions(figures, facts, family)), means)


FITTING = {
    "dlib": (128, 1.25, 1.6),
    "face_recognition": (128, 1.25, 1.6),
    "arcface": (None, 2.0, None),
    "insightface": (None, 2.0, None),
    "buffalo": (512, 2.0, None),
    "facenet512": (512, None, None),
    "vgg": (4096, None, None),
    "sface": (128, None, None),
    "openface": (128, 0.0, 1.01),
}
"""What a word in a claim demands: D, and the smallest and largest mean length of what was never
scaled afterwards. The first word that occurs counts."""


def _contradictions(figures: CollectionFigures, facts: StoreFacts, family: Family) -> list[str]:
    norms, dim = figures.norms, figures.collection.dim
    claim = figures.collection.model or facts.model
    word = next((word for word in FITTING if word in claim.lower()), None)
    if word is None or norms.mean is None:
        return []
    wanted, low, high = FITTING[word]
    if wanted is not None and dim != wanted:
        return [f"{claim} gives {wanted} values a template; these have {dim}"]
    # Whoever normalises or scales afterwards contradicts nobody.
    changed = figures.unit > 0.95 or figures.min_max_scaled or figures.means_of_unit
    if figures.collection.mean or changed:
        return []
    if (low is not None and norms.mean < low) or (high is not None and norms.mean > high):
        looks = f", which looks like {family.name}" if family.name else ""
        span = (
            f"from {low:g} to {high:g}"
            if low and high
            else f"over {low:g}"
            if low
            else f"to {high:g}"
        )
        return [f"{claim} gives lengths {span}; these have {norms.mean:.3g}{looks}"]
    return []
