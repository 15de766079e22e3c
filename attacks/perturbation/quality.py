"""Poor pictures: without colour, blurred, compressed, noisy, or of few pixels.

Cole et al. 2017 (Figure 2) invert the templates of such pictures, and Kumar et al. 2024 weigh
decoders by them. Convention as in base.py: the crop is made poor, not the photograph that it came
from.
"""

from __future__ import annotations

import io
from abc import abstractmethod

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from attacks.perturbation.base import Perturbation, Perturbed, Pictures, register_perturbation
from biometrics.errors import ConfigError
from biometrics.faces.degrade import degrade
from biometrics.faces.geometry import CROP_SIZE


class PoorPicture(Perturbation):
    """Every picture by itself, its landmarks where they were."""

    @abstractmethod
    def spoil(self, crop: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """One crop [224, 224, 3] made poor."""

    def apply(self, pictures: Pictures) -> Perturbed:
        """The pictures, made poor."""
        crops = np.empty_like(pictures.crops)
        for i, (crop, seed) in enumerate(zip(pictures.crops, pictures.seeds, strict=True)):
            crops[i] = self.spoil(crop, int(seed))
        return Perturbed(crops, pictures.landmarks.copy())


@register_perturbation("grey")
class Grey(PoorPicture):
    """Brightness alone, with the weights of ITU-R BT.601."""

    name = "grey"

    def spoil(self, crop: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """One crop without colour."""
        return np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


@register_perturbation("blur")
class Blur(PoorPicture):
    """A Gaussian whose standard deviation is the strength."""

    name = "blur"
    unit = "pixels"
    identity = 0.0
    most = 25.0

    @property
    def label(self) -> str:
        """In words."""
        return f"blur, sigma {self.strength:g} px"

    def spoil(self, crop: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """One crop blurred; mirrored beyond its edges."""
        if not self.strength:
            return crop
        sigma = self.strength
        return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))


@register_perturbation("noise")
class Noise(PoorPicture):
    """Independent Gaussian noise on every channel of every pixel; the strength is its standard
    deviation, before what falls outside 0 to 255 is cut off."""

    name = "noise"
    unit = "grey levels"
    identity = 0.0
    most = 255.0

    @property
    def label(self) -> str:
        """In words."""
        return f"noise, deviation {self.strength:g}"

    def spoil(self, crop: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """One crop with the noise of its seed: the same pattern at every strength."""
        if not self.strength:
            return crop
        noise = np.random.default_rng(seed).standard_normal(crop.shape, dtype=np.float32)
        noisy: NDArray[np.uint8] = np.rint((crop + self.strength * noise).clip(0, 255)).astype(
            np.uint8
        )
        return noisy


class WholeStrength(Perturbation):
    """A perturbation whose strength is a whole number.

    Raises:
        ConfigError: also for a fraction.
    """

    least = 1.0

    def __init__(self, strength: float | None = None) -> None:
        super().__init__(strength)
        if strength != int(strength or 0):
            raise ConfigError(
                f"perturbation '{self.name}': expected a whole number ({self.unit}); "
                f"got {strength:g}"
            )


@register_perturbation("jpeg")
class Jpeg(WholeStrength, PoorPicture):
    """Compressed as JPEG at a quality of Pillow's, colour at half the resolution, and read back."""

    name = "jpeg"
    unit = "quality"
    most = 95.0

    @property
    def label(self) -> str:
        """In words."""
        return f"JPEG, quality {self.strength:g}"

    def spoil(self, crop: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """One crop as it comes back from a file."""
        file = io.BytesIO()
        Image.fromarray(crop).save(file, "JPEG", quality=int(self.strength or 0), subsampling=2)
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"))


@register_perturbation("low-resolution")
class LowResolution(WholeStrength):
    """Brought down to a side of so many pixels, and enlarged again."""

    name = "low-resolution"
    unit = "pixels"
    identity = float(CROP_SIZE)
    most = float(CROP_SIZE)

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.strength:g} x {self.strength:g} px"

    def apply(self, pictures: Pictures) -> Perturbed:
        """The pictures at few pixels."""
        side = int(self.strength or 0)
        crops = degrade(pictures.crops, pictures.landmarks, resolution=side)
        return Perturbed(crops, pictures.landmarks.copy())
