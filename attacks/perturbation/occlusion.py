"""Faces partly under homogeneous grey: blocks over a region, halves, random and sliding blocks.

Source: Krizaj et al. 2024, section 4.3.2, for the blocks over eyes and mouth. What people wear over
their faces is in worn.py. Convention as in base.py; left and right are those of the picture.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import Perturbation, Perturbed, Pictures, register_perturbation
from biometrics.faces.degrade import blocks, cover
from biometrics.faces.geometry import CROP_SIZE

GRID = np.arange(CROP_SIZE)
BRIDGE = slice(27, 31)
"""Points along the bridge of the nose, from its root to its tip."""
MIDDLE = 29
"""The point of the bridge below which a face's lower half begins."""


class GreyCover(Perturbation):
    """Grey over what :meth:`region` says; all else keeps its pixels."""

    @abstractmethod
    def region(self, pictures: Pictures) -> NDArray[np.bool_]:
        """What is covered, bool [N, 224, 224]."""

    def apply(self, pictures: Pictures) -> Perturbed:
        """The pictures, covered."""
        covered = self.region(pictures)
        return Perturbed(cover(pictures.crops, covered), pictures.landmarks.copy(), covered)


class RegionBlock(GreyCover):
    """An upright block over the landmarks of a region and a margin about them."""

    part: ClassVar[Literal["eyes", "mouth"]]

    @property
    def label(self) -> str:
        """In words."""
        return f"block over the {self.part}"

    def region(self, pictures: Pictures) -> NDArray[np.bool_]:
        """The block."""
        return blocks(pictures.landmarks, self.part)


@register_perturbation("block-eyes")
class BlockEyes(RegionBlock):
    """A block over both eyes."""

    name = "block-eyes"
    part = "eyes"


@register_perturbation("block-mouth")
class BlockMouth(RegionBlock):
    """A block over the mouth."""

    name = "block-mouth"
    part = "mouth"


class Half(GreyCover):
    """Half of the crop, cut at the face's own middle: at the bridge of the nose or below it."""

    side: ClassVar[Literal["left", "right", "lower"]]

    @property
    def label(self) -> str:
        """In words."""
        return f"{self.side} half covered"

    def region(self, pictures: Pictures) -> NDArray[np.bool_]:
        """The half, to the edge of the crop."""
        points = pictures.landmarks
        if self.side == "lower":
            below = points[:, MIDDLE, 1, None] < GRID  # [N, y]
            return np.repeat(below[:, :, None], CROP_SIZE, axis=2)
        middle = points[:, BRIDGE, 0].mean(axis=1)[:, None]
        beside = middle > GRID if self.side == "left" else middle < GRID  # [N, x]
        return np.repeat(beside[:, None, :], CROP_SIZE, axis=1)


@register_perturbation("half-left")
class HalfLeft(Half):
    """The left half of the picture, which is the right half of the person."""

    name = "half-left"
    side = "left"


@register_perturbation("half-right")
class HalfRight(Half):
    """The right half of the picture, which is the left half of the person."""

    name = "half-right"
    side = "right"


@register_perturbation("half-lower")
class HalfLower(Half):
    """All below the middle of the nose."""

    name = "half-lower"
    side = "lower"


@register_perturbation("random-block")
class RandomBlock(GreyCover):
    """A block anywhere in the face, of the shape of its box.

    The strength is the block's share of the area of the box about all landmarks (as far as it lies
    in the crop). Where it goes depends on the picture's seed alone: a larger block of one picture
    lies about the same place.
    """

    name = "random-block"
    unit = "share of the face"
    identity = 0.0

    @property
    def label(self) -> str:
        """In words, with the share in percent."""
        return f"random block over {100 * (self.strength or 0):.3g} % of the face"

    def region(self, pictures: Pictures) -> NDArray[np.bool_]:
        """The block, in whole pixels."""
        low = np.floor(pictures.landmarks.min(axis=1)).clip(0, CROP_SIZE)  # [N, (x, y)]
        high = (np.floor(pictures.landmarks.max(axis=1)) + 1).clip(0, CROP_SIZE)
        sides = np.rint((high - low) * np.sqrt(self.strength or 0.0))
        places = [np.random.default_rng(seed).random(2) for seed in pictures.seeds.tolist()]
        begin = low + np.floor(np.reshape(places, (-1, 2)) * (high - low - sides + 1))
        end = begin + sides
        inside = (begin[..., None] <= GRID) & (end[..., None] > GRID)  # [N, (x, y), 224]
        covered: NDArray[np.bool_] = inside[:, 1, :, None] & inside[:, 0, None, :]
        return covered


def grid_blocks(grid: int, side: int) -> NDArray[np.bool_]:
    """One block at every place of a grid over the crop, bool [grid * grid, 224, 224], row by row
    from the top left.

    Each is a square of ``side`` pixels about the middle of its cell, as far as it lies in the crop.
    """
    middles = (np.arange(grid) + 0.5) * CROP_SIZE / grid - 0.5
    inside = np.abs(GRID - middles[:, None]) <= side / 2  # [grid, 224]
    covered = inside[:, None, :, None] & inside[None, :, None, :]  # [row, column, y, x]
    return covered.reshape(grid * grid, CROP_SIZE, CROP_SIZE)
