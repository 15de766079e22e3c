"""Local binary patterns: the hand-made descriptor that networks replaced. A control.

Nothing in it was learnt, so it shows what a template gives away that was never trained to tell
people apart; its acceptance says little, and it is never an unseen judge.

Source: T. Ahonen, A. Hadid, M. Pietikäinen, "Face Description with Local Binary Patterns:
Application to Face Recognition", 2006: uniform patterns of eight samples on a circle of two pixels,
59 bins, one histogram for each of 7x7 regions. The paper compares histograms by chi-square. Here
each is divided by its sum and the square roots are taken, so that every template has the same
length and its cosine is the mean over regions of the Bhattacharyya coefficient, the Hellinger
kernel; the Euclidean distance orders pairs in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from biometrics.backbones.base import Backbone, BackboneSpec, register_backbone
from biometrics.faces.grey import grey

NAME = "lbp"
SAMPLES = 8
RADIUS = 2
REGIONS = 7
"""Regions along each side."""

REGION_SIZE = 18
INPUT_SIZE = REGIONS * REGION_SIZE + 2 * RADIUS
"""Side of the input: the outermost pixels have no full circle and are nobody's centre."""

BINS = SAMPLES * (SAMPLES - 1) + 3
"""One for each uniform pattern, 58 of them, and the last for all others."""

SPEC = BackboneSpec(
    name=NAME,
    dim=REGIONS * REGIONS * BINS,
    input_size=(INPUT_SIZE, INPUT_SIZE),
    # The 130x130 pixels around eyes and mouth, at the crop's own scale: the paper's 130x150 faces
    # hold 68 px between the eyes, these 55.
    crop=((1.0, 0.0, -47.0), (0.0, 1.0, -64.0)),
    similarity="cosine",
    licence="none: computed without weights",
    origin="Ahonen et al. 2006",
    sha256=None,
    differentiable=False,
    may_be_unseen_judge=False,
    customary_threshold=None,
)


class Lbp(Backbone):
    """Histograms of uniform patterns, region by region."""

    bins: Tensor

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.register_buffer("bins", uniform_bins(), persistent=False)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, 2891] of faces [N, 3, 130, 130], RGB in [0, 1]: square roots of shares, in
        [0, 1], of length 1. No gradient reaches the input."""
        bins = self.bins[pattern_codes(grey_levels(inputs))]  # [N, 126, 126]
        regions = bins.unflatten(2, (REGIONS, -1)).unflatten(1, (REGIONS, -1))
        regions = regions.transpose(2, 3).flatten(3).flatten(1, 2)  # [N, 49, 18 * 18]
        ones = torch.ones((), dtype=inputs.dtype, device=inputs.device).expand(regions.shape)
        empty = torch.zeros(*regions.shape[:2], BINS, dtype=inputs.dtype, device=inputs.device)
        shares = empty.scatter_add(2, regions, ones) / (REGION_SIZE**2 * REGIONS**2)
        return shares.sqrt().flatten(1)


def grey_levels(inputs: Tensor) -> Tensor:
    """Whole grey levels [N, H, W] in [0, 255] of pictures [N, 3, H, W] in [0, 1].

    Rounded, since a pattern asks which of two pixels is brighter: rounding errors would decide
    wherever a picture is flat.
    """
    return grey(inputs.detach() * 255.0).round()


def pattern_codes(grey: Tensor) -> Tensor:
    """The pattern of every pixel that has a full circle: int64 [N, H - 4, W - 4] in [0, 255].

    Bit k is set where the sample at the angle 2 pi k / 8, counter-clockwise from the right, is at
    least as bright as the centre. Samples between pixels are interpolated bilinearly.
    """
    centre = _shifted(grey, 0, 0)
    codes = torch.zeros_like(centre, dtype=torch.int64)
    for k in range(SAMPLES):
        angle = 2 * math.pi * k / SAMPLES
        x, y = RADIUS * math.cos(angle), -RADIUS * math.sin(angle)
        # a sample on a pixel is that pixel: cos(pi / 2) is not quite 0
        difference = _sample(grey, round(x, 6), round(y, 6)) - centre
        codes |= (difference > -TIE).long() << k
    return codes


TIE = 1e-3
"""Grey levels below which an interpolated sample counts as equal to the centre, as in flat parts,
where the weights of four equal levels do not sum to it exactly."""


def _sample(grey: Tensor, x: float, y: float) -> Tensor:
    """Grey levels at (x, y) from every centre."""
    left, top = math.floor(x), math.floor(y)
    right, low = x - left, y - top
    total = (1 - right) * (1 - low) * _shifted(grey, left, top)
    if right:
        total = total + right * (1 - low) * _shifted(grey, left + 1, top)
    if low:
        total = total + (1 - right) * low * _shifted(grey, left, top + 1)
    if right and low:
        total = total + right * low * _shifted(grey, left + 1, top + 1)
    return total


def _shifted(grey: Tensor, x: int, y: int) -> Tensor:
    """The pixel (x, y) away from every centre: [N, H, W] to [N, H - 4, W - 4]."""
    height, width = (side - 2 * RADIUS for side in grey.shape[1:])
    rows, columns = RADIUS + y, RADIUS + x
    return grey[:, rows : rows + height, columns : columns + width]


def uniform_bins() -> Tensor:
    """The bin of each of the 256 patterns, int64 [256]: those that change at most twice around the
    circle have one each, in rising order, and all others share the last."""
    codes = range(2**SAMPLES)
    uniform = [code for code in codes if _changes(code) <= 2]
    return torch.tensor([uniform.index(c) if c in uniform else BINS - 1 for c in codes])


def _changes(code: int) -> int:
    bits = [code >> k & 1 for k in range(SAMPLES)]
    return sum(bit != bits[k - 1] for k, bit in enumerate(bits))


@register_backbone(NAME)
def lbp_backbone(weights: Mapping[str, str]) -> Backbone:
    """Local binary patterns; there are no weights to give."""
    return Lbp()
