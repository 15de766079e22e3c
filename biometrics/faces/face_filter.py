"""The filter of the papers: which faces are fit to train a decoder on.

Sources: Nagm et al. 2026, section 5.2, and Cole et al. 2017, section 6.1, who had Google's Cloud
Vision judge monochrome, blur, emotion, headwear, eyeglasses and angles. No such classifier is at
hand here: expression, eyeglasses and headwear are approximated, and each rule says by what.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biometrics.faces.faceset import FaceSet
from biometrics.faces.filter_settings import RULES, FilterSettings
from biometrics.faces.head_pose import HeadPose, head_pose
from biometrics.faces.quality import Quality, measure_quality
from biometrics.progress import Advance, silent

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RuleReport:
    """What one rule did.

    Attributes:
        name: one of ``RULES``.
        how: what the rule measures, and, where that stands for something else, that it does.
        approximation: whether it stands for something else.
        dropped: faces that break the rule; None where it was switched off.
        alone: of these, faces that break no other rule.
    """

    name: str
    how: str
    approximation: bool
    dropped: int | None
    alone: int | None


@dataclass(frozen=True)
class FilterReport:
    """Which faces are kept and why the others are not.

    Attributes:
        kept: bool [N].
        broken: for each rule that was applied, which faces break it, bool [N].
        rules: one entry for each of ``RULES``.
    """

    kept: Mask
    broken: dict[str, Mask]
    rules: tuple[RuleReport, ...]

    @property
    def rows(self) -> NDArray[np.intp]:
        """Positions of the kept faces."""
        return np.flatnonzero(self.kept)


def filter_faces(
    faces: FaceSet, settings: FilterSettings | None = None, *, advance: Advance = silent
) -> FilterReport:
    """Apply the rules to a set of faces.

    Expression is judged against the set's median and pitch against its mean face, so the set should
    hold some dozens of faces; a single face is its own median.

    Args:
        faces: the crops are read once, batch by batch.
        settings: the defaults where None.
        advance: told about every face.
    """
    settings = settings or FilterSettings()
    if len(faces) == 0:
        return _report({name: np.zeros(0, dtype=bool) for name in RULES}, settings, 0)
    quality = measure_quality(faces, advance=advance)
    pose = head_pose(faces.landmarks, faces.landmarks.mean(axis=0))
    return _report(broken_rules(quality, pose, settings), settings, len(faces))


def broken_rules(quality: Quality, pose: HeadPose, settings: FilterSettings) -> dict[str, Mask]:
    """Which faces break each rule, whether or not it is switched on."""
    s, q = settings, quality
    eyes = q.eye_opening / max(float(np.median(q.eye_opening)), 1e-9)
    expression = (
        (q.mouth_opening > s.max_mouth_opening)
        | (q.mouth_width > s.max_mouth_width * np.median(q.mouth_width))
        | (q.mouth_lift > s.max_mouth_lift + np.median(q.mouth_lift))
        | (eyes < s.min_eye_opening)
        | (eyes > s.max_eye_opening)
    )
    return {
        "monochrome": q.colour < s.min_colour,
        "blurred": q.sharpness < s.min_sharpness,
        "expression": expression,
        "eyeglasses": q.bridge_edge > s.max_bridge_edge,
        "headwear": q.forehead > s.max_forehead,
        "yaw": np.abs(pose.yaw) > s.max_angle,
        "pitch": np.abs(pose.pitch) > s.max_angle,
        "roll": np.abs(pose.roll) > s.max_angle,
    }


HOW: dict[str, tuple[str, bool]] = {
    "monochrome": ("colour that brightness does not explain, below min_colour", False),
    "blurred": ("variance of the Laplacian inside the face, below min_sharpness", False),
    "expression": (
        "approximated from landmarks: gap of the lips, width and lift of the mouth, gap of the lids"
        " against the set's median",
        True,
    ),
    "eyeglasses": (
        "approximated by a thin line across the bridge of the nose (of 188 faces of LFW labelled by"
        " eye it finds 98 % of the glasses and drops 10 % of the bare faces)",
        True,
    ),
    "headwear": (
        "approximated by a strip above the brows unlike the cheeks in colour; hair and hard shadow"
        " there count too (of 200 labelled faces: 71 % of the headwear, 10 % of the others)",
        True,
    ),
    "yaw": ("solvePnP on a symmetric generic face", False),
    "pitch": ("solvePnP, relative to the mean face of the set", False),
    "roll": ("solvePnP, what alignment left in the crop", False),
}
"""What each rule measures, and whether that stands for something else. The labelled faces are the
ones that the measures were chosen on, so the shares are on the bright side."""


def _report(broken: dict[str, Mask], settings: FilterSettings, n: int) -> FilterReport:
    applied = {name: mask for name, mask in broken.items() if getattr(settings, name)}
    times = np.sum(list(applied.values()), axis=0) if applied else np.zeros(n, dtype=int)
    rules = tuple(
        RuleReport(
            name,
            *HOW[name],
            dropped=int(applied[name].sum()) if name in applied else None,
            alone=int((applied[name] & (times == 1)).sum()) if name in applied else None,
        )
        for name in RULES
    )
    return FilterReport(times == 0, applied, rules)
