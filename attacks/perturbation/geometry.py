"""Turned, shifted and scaled faces, as in Krizaj et al. 2024, section 4.3.1.

Convention: the transform goes about the centre of the crop, pixel centres at whole numbers (see
biometrics/faces/geometry.py). A rotation above 0 turns the picture clockwise as one sees it, as the
roll of biometrics/faces/head_pose.py does. A shift is a share of the crop's side, and says where
the face goes. A scale above 1 makes the face larger. Sampled bilinearly, once.

What lies beyond the crop is not known. Its outermost pixels are repeated there: black corners would
be a second perturbation, with straight edges that no photograph has and that a network sees.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import Perturbation, Perturbed, Pictures, register_perturbation
from biometrics.faces.geometry import CROP_SIZE, apply_affine

CENTRE = (CROP_SIZE - 1) / 2


def about_centre(linear: NDArray[np.floating]) -> NDArray[np.float64]:
    """The affine [2, 3] that applies a linear map [2, 2] about the centre of the crop."""
    middle = np.array([CENTRE, CENTRE])
    return np.column_stack([linear, middle - linear @ middle]).astype(np.float64)


class Geometric(Perturbation):
    """Base of the transforms: one affine for all pictures."""

    @abstractmethod
    def matrix(self) -> NDArray[np.float64]:
        """Affine [2, 3] from pixels of the clean crop to pixels of the perturbed one."""

    def apply(self, pictures: Pictures) -> Perturbed:
        """The pictures transformed, their landmarks with them; nothing is covered."""
        if self.strength == self.identity:
            return Perturbed(pictures.crops.copy(), pictures.landmarks.copy())
        affine, crops = self.matrix(), np.empty(pictures.crops.shape, dtype=np.uint8)
        size = (CROP_SIZE, CROP_SIZE)
        for crop, out in zip(pictures.crops, crops, strict=True):
            cv2.warpAffine(
                np.ascontiguousarray(crop),
                affine,
                size,
                dst=out,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return Perturbed(crops, apply_affine(affine, pictures.landmarks).astype(np.float32))


@register_perturbation("rotation")
class Rotation(Geometric):
    """Turned in the plane of the picture, clockwise as one sees it."""

    name: ClassVar[str] = "rotation"
    unit: ClassVar[str] = "degrees"
    identity: ClassVar[float | None] = 0.0
    least: ClassVar[float] = -180.0
    most: ClassVar[float] = 180.0

    @property
    def label(self) -> str:
        """Such as ``turned by 30°``."""
        return f"turned by {self.strength:g}°"

    def matrix(self) -> NDArray[np.float64]:
        """Y points down, so that this is clockwise."""
        angle = np.radians(self.strength or 0.0)
        cos, sin = np.cos(angle), np.sin(angle)
        return about_centre(np.array([[cos, -sin], [sin, cos]]))


class Translation(Geometric):
    """Base of the shifts."""

    unit: ClassVar[str] = "share of the crop"
    identity: ClassVar[float | None] = 0.0
    direction: ClassVar[tuple[int, int]]

    @property
    def label(self) -> str:
        """Such as ``shifted left by 20 %``."""
        share = 100.0 * (self.strength or 0.0)
        return f"shifted {self.name.removeprefix('translate-')} by {share:.4g} %"

    def matrix(self) -> NDArray[np.float64]:
        """A share of the side in one direction."""
        shift = CROP_SIZE * (self.strength or 0.0) * np.array(self.direction)
        return np.column_stack([np.eye(2), shift])


@register_perturbation("translate-left")
class Left(Translation):
    """The face goes to the left of the picture."""

    name: ClassVar[str] = "translate-left"
    direction: ClassVar[tuple[int, int]] = (-1, 0)


@register_perturbation("translate-right")
class Right(Translation):
    """The face goes to the right of the picture."""

    name: ClassVar[str] = "translate-right"
    direction: ClassVar[tuple[int, int]] = (1, 0)


@register_perturbation("translate-up")
class Up(Translation):
    """The face goes up."""

    name: ClassVar[str] = "translate-up"
    direction: ClassVar[tuple[int, int]] = (0, -1)


@register_perturbation("translate-down")
class Down(Translation):
    """The face goes down."""

    name: ClassVar[str] = "translate-down"
    direction: ClassVar[tuple[int, int]] = (0, 1)


@register_perturbation("scale")
class Scale(Geometric):
    """Smaller or larger about the centre; below one half, bilinear sampling would skip pixels."""

    name: ClassVar[str] = "scale"
    unit: ClassVar[str] = "times the size"
    identity: ClassVar[float | None] = 1.0
    least: ClassVar[float] = 0.5
    most: ClassVar[float] = 4.0

    @property
    def label(self) -> str:
        """Such as ``0.5 times the size``."""
        return f"{self.strength:g} times the size"

    def matrix(self) -> NDArray[np.float64]:
        """The same factor both ways."""
        return about_centre(np.eye(2) * (self.strength or 1.0))
