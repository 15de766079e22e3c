"""The common mistakes in a backbone's record, each as an alteration of its input that undoes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

from torch import Tensor

from biometrics.backbones.base import Backbone, Crop
from biometrics.faces.geometry import CROP_SIZE

SHIFT = 0.1

Point = Literal["colour order", "value range", "crop"]


class Variant(NamedTuple):
    """One way to alter the input; ``point`` is what is wrong in the record where it is better."""

    name: str
    point: Point
    pixels: Callable[[Tensor], Tensor] | None = None
    crop: Callable[[Crop, tuple[int, int]], Crop] | None = None


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
