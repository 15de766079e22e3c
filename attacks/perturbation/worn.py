"""What people wear over their faces, drawn on the landmarks: sunglasses and a surgical mask.

Both are painted on a layer and laid over the crop with soft edges one pixel wide. Lengths are
shares of the distance between the eye centres; "along" is the line through them, so what is worn
turns with the face.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import Perturbation, Perturbed, Pictures, register_perturbation
from biometrics.faces.geometry import CROP_SIZE, five_points

SHIFT = 4
"""OpenCV draws with coordinates in sixteenths of a pixel."""
OPAQUE = 255

Points = NDArray[np.float64]
Pixels = tuple[NDArray[np.intp], ...]


class Layer:
    """What is painted: colours uint8 [224, 224, 3] and how much of them is seen, 0 to 255."""

    def __init__(self) -> None:
        self.colour = np.zeros((CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
        self.seen = np.zeros((CROP_SIZE, CROP_SIZE), dtype=np.uint8)

    def area(self, points: Points) -> None:
        """Show what lies in a polygon [K, 2]."""
        cv2.fillPoly(self.seen, [_fixed(points)], OPAQUE, cv2.LINE_AA, SHIFT)

    def line(self, points: Points, width: float) -> None:
        """Show a line through points [K, 2]."""
        thick = max(1, round(width))
        cv2.polylines(self.seen, [_fixed(points)], False, OPAQUE, thick, cv2.LINE_AA, SHIFT)

    def over(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The crop with this layer on it."""
        here, made = self.seen > 0, crop.copy()
        share = self.seen[here, None].astype(np.float32) / OPAQUE
        made[here] = np.rint(share * self.colour[here] + (1 - share) * crop[here])
        return made


class Frame(NamedTuple):
    """The axes of a face: the middle between the eyes, the unit vectors along them and down, and
    their distance in pixels."""

    origin: Points
    along: Points
    down: Points
    unit: float


def frame_of(landmarks: Points) -> Frame:
    """The axes of a face with landmarks [68, 2]."""
    left, right = five_points(landmarks)[:2]
    unit = max(float(np.linalg.norm(right - left)), 1.0)
    along = (right - left) / unit if unit > 1 else np.array([1.0, 0.0])
    return Frame((left + right) / 2, along, np.array([-along[1], along[0]]), unit)


class Worn(Perturbation):
    """Something drawn over each face by itself."""

    @abstractmethod
    def paint(self, landmarks: Points) -> Layer:
        """What goes over a face with landmarks [68, 2]."""

    def apply(self, pictures: Pictures) -> Perturbed:
        """The pictures, with what is worn; what a layer touches at all is covered."""
        crops = np.empty_like(pictures.crops)
        covered = np.empty(crops.shape[:3], dtype=bool)
        for i, points in enumerate(pictures.landmarks.astype(np.float64)):
            layer = self.paint(points)
            crops[i], covered[i] = layer.over(pictures.crops[i]), layer.seen > 0
        return Perturbed(crops, pictures.landmarks.copy(), covered)


LENS_ANGLES = np.linspace(0, 2 * np.pi, 49)[:-1]
LENS_ROUNDNESS = 0.7
"""Exponent of the lens's outline: 1 is an ellipse, 0 a rectangle."""
DARK, LIGHT = np.array([16.0, 17.0, 20.0]), np.array([58.0, 55.0, 58.0])
"""Colour of the lenses at their upper and lower ends."""
FRAME_COLOUR = (14, 13, 14)
EYES = ((slice(36, 42), 36, 39, 0), (slice(42, 48), 45, 42, 16))
"""Of either eye: its points, the outer and the inner corner, and the end of the jaw beside it."""


@register_perturbation("sunglasses")
class Sunglasses(Worn):
    """Dark glasses: two lenses, a bridge, and temples as far as the face's outline shows them."""

    name = "sunglasses"

    def paint(self, landmarks: Points) -> Layer:
        """Glasses on the eyes; the far lens of a turned face is as narrow as its eye."""
        layer, face = Layer(), frame_of(landmarks)
        height, thick = 0.34 * face.unit, 0.055 * face.unit
        inner, lenses = [], []
        for eye, outer, nasal, ear in EYES:
            outward = np.sign((landmarks[outer] - landmarks[nasal]) @ face.along) or 1.0
            centre = landmarks[eye].mean(axis=0) + 0.07 * face.unit * face.down
            wide = 1.18 * abs((landmarks[outer] - landmarks[nasal]) @ face.along)
            wide = max(wide, 0.15 * face.unit)
            # The lens ends before the bridge of the nose, which may hide a part of the far eye.
            room = abs((landmarks[27] - centre) @ face.along) - 0.11 * face.unit
            nose_side = min(wide, max(room, 0.1 * face.unit))
            lens = _lens(centre, face, outward, wide, nose_side, height)
            lenses.append(lens)
            hinge = centre + outward * 0.93 * wide * face.along - 0.6 * height * face.down
            inner.append(centre - outward * 0.9 * nose_side * face.along - 0.5 * height * face.down)
            beyond = (landmarks[ear] - hinge) @ face.along * outward
            if beyond > 0:
                layer.line(np.stack([hinge, landmarks[ear] - 0.1 * face.unit * face.down]), thick)
            layer.area(lens)
            layer.line(np.concatenate([lens, lens[:1]]), thick)
        top = (inner[0] + inner[1]) / 2 - 0.05 * face.unit * face.down
        layer.line(np.stack([inner[0], top, inner[1]]), thick)
        layer.colour[:] = FRAME_COLOUR
        glass = np.zeros_like(layer.seen)
        for lens in lenses:
            cv2.fillPoly(glass, [_fixed(lens)], OPAQUE, cv2.LINE_8, SHIFT)
        within = np.nonzero(cv2.erode(glass, np.ones((3, 3), np.uint8)))
        layer.colour[within] = _tint(face, height, within)
        return layer


def _lens(
    centre: Points, face: Frame, outward: float, wide: float, nose_side: float, height: float
) -> Points:
    """Outline [K, 2] of a lens, narrower below, that reaches ``wide`` outward and ``nose_side``
    to the nose."""
    x, y = np.cos(LENS_ANGLES), np.sin(LENS_ANGLES)
    x, y = (np.sign(v) * np.abs(v) ** LENS_ROUNDNESS for v in (x, y))
    reach = np.where(x > 0, wide, nose_side) * (1 - 0.12 * (y + 1))
    across, below = (outward * x * reach)[:, None], (y * height)[:, None]
    outline: Points = centre + across * face.along + below * face.down
    return outline


def _tint(face: Frame, height: float, pixels: Pixels) -> NDArray[np.uint8]:
    """Colours [P, 3] of the lenses: darkest above, with a faint slanting reflection."""
    x, y = _coordinates(face, pixels)
    down = ((y - 0.07 * face.unit) / (2 * height) + 0.5).clip(0, 1)[..., None]
    colour = DARK + (LIGHT - DARK) * down**1.5
    slant = np.abs(np.mod((x + 0.6 * y) / face.unit, 1.0) - 0.3)
    colour = colour + 30.0 * np.exp(-((slant / 0.05) ** 2))[..., None]
    tint: NDArray[np.uint8] = np.rint(colour).astype(np.uint8)
    return tint


BLUE = np.array([172.0, 205.0, 225.0])
BAND = (232, 236, 238)
JAW = slice(2, 15)
FACE_BELOW = [28, *range(29, 36), *range(48, 68)]
"""Points that the cloth is stretched over, besides the jaw: from the bridge of the nose down."""
PLEATS = (0.34, 0.5, 0.66)
"""Where the folds lie between the upper and the lower edge."""


@register_perturbation("surgical-mask")
class SurgicalMask(Worn):
    """A pale blue mask from the bridge of the nose to below the chin, with pleats and ear loops."""

    name = "surgical-mask"

    @property
    def label(self) -> str:
        """In words."""
        return "surgical mask"

    def paint(self, landmarks: Points) -> Layer:
        """Cloth stretched over nose, mouth and chin: their convex hull."""
        layer, face = Layer(), frame_of(landmarks)
        middle = landmarks[33]
        jaw = middle + 1.04 * (landmarks[JAW] - middle) + 0.03 * face.unit * face.down
        for ear, upper, lower in ((0, jaw[0], jaw[2]), (16, jaw[-1], jaw[-3])):
            for end in (upper, lower):
                layer.line(np.stack([end, landmarks[ear]]), 0.03 * face.unit)
        layer.colour[:] = BAND
        points = np.concatenate([jaw, landmarks[FACE_BELOW]])
        hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
        layer.area(hull)
        cloth = np.zeros_like(layer.seen)
        cv2.fillPoly(cloth, [_fixed(hull)], OPAQUE, cv2.LINE_AA, SHIFT)
        layer.colour[cloth > 0] = self._cloth(landmarks, jaw, face, np.nonzero(cloth))
        return layer

    def _cloth(
        self, landmarks: Points, jaw: Points, face: Frame, pixels: Pixels
    ) -> NDArray[np.uint8]:
        """Colours [P, 3] of the cloth: darker towards the sides and at each pleat."""
        x, y = _coordinates(face, pixels)
        nose = float((landmarks[28] - face.origin) @ face.down)
        chin = float((jaw[6] - face.origin) @ face.down)
        sides = (jaw[[1, -2]] - face.origin) @ face.along
        tip = float((landmarks[30] - face.origin) @ face.along)
        half = np.where(x < tip, max(tip - sides[0], 1.0), max(sides[1] - tip, 1.0))
        across = (np.abs(x - tip) / half).clip(0, 1.2)
        # A pleat hangs lower in the middle than at the ears.
        height = (y - nose) / max(chin - nose, 1.0) + 0.08 * across**2
        shade = 1.03 - 0.2 * across**2 - 0.1 * height.clip(0, 1) ** 2
        for pleat in PLEATS:
            apart = (height - pleat) * max(chin - nose, 1.0) / (0.035 * face.unit)
            shade = shade - 0.13 * np.exp(-(apart**2)) + 0.05 * np.exp(-((apart + 1.8) ** 2))
        colour: NDArray[np.uint8] = np.rint((BLUE * shade[..., None]).clip(0, 255)).astype(np.uint8)
        return colour


def _coordinates(face: Frame, pixels: Pixels) -> tuple[Points, Points]:
    """How far pixels (rows, columns) lie along and down from the middle between the eyes, [P]."""
    x, y = pixels[1] - face.origin[0], pixels[0] - face.origin[1]
    return x * face.along[0] + y * face.along[1], x * face.down[0] + y * face.down[1]


def _fixed(points: Points) -> NDArray[np.int32]:
    """Points as OpenCV draws them; far outside the crop is as good as just outside it."""
    near = np.asarray(points).clip(-4 * CROP_SIZE, 5 * CROP_SIZE)
    fixed: NDArray[np.int32] = np.rint(near * 2**SHIFT).astype(np.int32)
    return fixed
