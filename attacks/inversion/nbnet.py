"""The neighbourly de-convolutional network, the rival of the Deep Face Decoder.

Source of the idea: Mai, Cao, Yuen and Jain, "On the Reconstruction of Face Images from Deep Face
Templates", IEEE TPAMI 41(5), 2019: de-convolutions alone make channels that repeat each other, so
each block takes half its channels from the de-convolution and the other half from a chain of small
convolutions, each of which sees all channels made before it in the block (dense connections). They
train on the absolute pixel difference, or on a perceptual loss. The widths, the number of
neighbours and the rates here are ours.
"""

from __future__ import annotations

import math
from typing import ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from attacks.base import AttackSettings, register_attack
from attacks.inversion.crop_network import AroundTheMean
from attacks.inversion.dfd import CropDecoder, CropSettings
from attacks.inversion.dfd_losses import Norm

CHANNELS = (512, 256, 128, 64, 32)
"""Channels after each of the five blocks that double the side."""
STEM = 512
LEAST = 4
"""Channels of a layer, however small ``width`` is."""
QUICK_WIDTH = 0.25


class NbNetSettings(CropSettings):
    """Settings of ``nbnet``: those of the whole-crop decoders, with the rival's loss.

    Attributes:
        width: share of the channels.
        neighbours: convolutions in the chain of each block.
    """

    gradient_weight: float = Field(default=0.0, ge=0)
    perceptual_weight: float = Field(default=0.0, ge=0)
    local_pixel_weight: float = Field(default=0.0, ge=0)
    local_gradient_weight: float = Field(default=0.0, ge=0)
    local_perceptual_weight: float = Field(default=0.0, ge=0)
    pixel_norm: Norm = "l1"
    width: float = Field(default=1.0, gt=0, le=2)
    neighbours: int = Field(default=4, ge=1)

    def quick(self) -> Self:
        """Smaller and narrower, fewer passes."""
        changes = {"width": min(self.width, QUICK_WIDTH)}
        return super().quick().model_copy(update=changes)


class NeighbourBlock(nn.Module):
    """A de-convolution that doubles the side, and its densely connected neighbours.

    The first half of the channels comes from the de-convolution, the rest from ``neighbours``
    convolutions in a row, each of which sees all channels before it.
    """

    def __init__(self, before: int, after: int, neighbours: int) -> None:
        super().__init__()
        first = after - after // 2
        parts = split_evenly(after // 2, neighbours)
        self.deconvolution = nn.Sequential(
            nn.ConvTranspose2d(before, first, 4, 2, 1), nn.BatchNorm2d(first), nn.ReLU()
        )
        self.neighbours = nn.ModuleList()
        for part in parts:
            self.neighbours.append(
                nn.Sequential(nn.Conv2d(first, part, 3, padding=1), nn.BatchNorm2d(part), nn.ReLU())
            )
            first += part

    def forward(self, x: Tensor) -> Tensor:
        """[N, before, H, W] to [N, after, 2H, 2W]."""
        made: Tensor = self.deconvolution(x)
        for neighbour in self.neighbours:
            made = torch.cat([made, neighbour(made)], dim=1)
        return made


def split_evenly(total: int, parts: int) -> list[int]:
    """``total`` in at most ``parts`` whole positive numbers that differ by one at most."""
    parts = min(parts, total)
    return [total // parts + (index < total % parts) for index in range(parts)]


class NbNet(nn.Module):
    """From templates to pictures: the template as one pixel, a transposed convolution to the
    smallest side, five neighbourly blocks, a 3x3 convolution to RGB.

    Attributes:
        size: side of the pictures.
        start: the smallest side, 7 for pictures of 224 pixels.
    """

    def __init__(self, dim: int, size: int, *, width: float = 1.0, neighbours: int = 4) -> None:
        super().__init__()
        self.size = size
        self.start = math.ceil(size / 2 ** len(CHANNELS))
        channels = max(LEAST, round(STEM * width))
        self.stem = nn.Sequential(
            nn.ConvTranspose2d(dim, channels, self.start), nn.BatchNorm2d(channels), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        for wide in CHANNELS:
            after = max(LEAST, round(wide * width))
            blocks.append(NeighbourBlock(channels, after, neighbours))
            channels = after
        self.blocks = nn.Sequential(*blocks)
        self.rgb = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Templates [N, D] to pictures [N, 3, S, S], RGB, of any range."""
        pictures: Tensor = self.rgb(self.blocks(self.stem(vectors[:, :, None, None])))
        return pictures[:, :, : self.size, : self.size]


@register_attack("nbnet")
class NeighbourlyDecoder(CropDecoder):
    """The neighbourly network on the whole crop, under the absolute pixel difference."""

    Settings: ClassVar[type[AttackSettings]] = NbNetSettings
    knowledge: ClassVar[str] = "pairs of faces and templates; the model itself is not needed"
    file: ClassVar[str] = "nbnet"

    settings: NbNetSettings

    def build(self, dim: int) -> nn.Module:
        """The neighbourly network around the mean crop."""
        settings = self.settings
        decoder = NbNet(dim, settings.size, width=settings.width, neighbours=settings.neighbours)
        return AroundTheMean(decoder, decoder.rgb, settings.size)
