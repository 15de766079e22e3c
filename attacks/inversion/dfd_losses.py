"""The losses of the Deep Face Decoder: pixels, gradients and a network's inner layers, each over
the whole crop and over the narrow face.

Source: Krizaj et al. 2024, section 3.2, equations 2 to 5. Theirs are plain sums of squares with
balancing weights that the paper does not give. Here every term is a mean over its pixels, divided
by what the mean crop scores in it: 1 says as bad as the mean face, 0 perfect. So a weight means the
same at every size and for every perceptual network, and equal weights are a plain balance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone
from biometrics.faces.geometry import CROP_SIZE, N_LANDMARKS, REGIONS

TERMS = (
    "pixel",
    "gradient",
    "perceptual",
    "local_pixel",
    "local_gradient",
    "local_perceptual",
)
"""Names of the six terms of equation 2; those over the narrow face begin with ``local_``."""

MARGIN = 0.1
"""The box of the narrow face is wider than the brows, eyes, nose and mouth by this share of itself
on each side."""

SMALLEST_SCALE = 1e-8
"""Faces that are all alike differ from their mean by nothing."""

Norm = Literal["l1", "l2"]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; right and bottom lie outside."""


def narrow_face(mean_shape: NDArray[np.floating], size: int) -> Box:
    """The narrow face in crops of side ``size``: the box around the mean face's brows, eyes, nose
    and mouth, without the jaw, a little widened.

    Args:
        mean_shape: [68, 2] in pixels of the 224 crop.
        size: side of the crops.
    """
    inner = mean_shape[REGIONS["jaw"].stop : N_LANDMARKS]
    low, high = inner.min(axis=0), inner.max(axis=0)
    margin = MARGIN * (high - low)
    scale = size / CROP_SIZE
    # Points lie at pixel centres, so the pixel of a point reaches half a pixel around it.
    low = np.floor((low - margin + 0.5) * scale).clip(0, size - 1)
    high = np.ceil((high + margin + 0.5) * scale).clip(low + 1, size)
    left, top, right, bottom = map(int, (*low, *high))
    return left, top, right, bottom


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbouring pixels to the right [..., H, W - 1] and below [..., H - 1, W]."""
    return images.diff(dim=-1), images.diff(dim=-2)


class DfdLoss(nn.Module):
    """The weighted sum of the six terms, each a mean over the batch.

    Call :meth:`calibrate` once before training.
    """

    scales: Tensor
    stage_scales: Tensor
    local_stage_scales: Tensor

    def __init__(
        self,
        weights: Mapping[str, float],
        box: Box,
        *,
        network: Backbone | None = None,
        share: float = 1.0,
        norm: Norm = "l2",
    ) -> None:
        """Choose the terms.

        Args:
            weights: a weight for each of :data:`TERMS`; absent ones are zero and cost nothing.
            box: the narrow face, in pixels of the crops that are compared.
            network: the perceptual network, needed by the perceptual terms.
            share: the perceptual terms look at this share of each batch, its first pictures.
            norm: squared or absolute differences of pixels.

        Raises:
            ValueError: an unknown term, or a perceptual term without a network.
        """
        super().__init__()
        if unknown := sorted(set(weights) - set(TERMS)):
            raise ValueError(f"no loss term {unknown[0]!r}; known: {', '.join(TERMS)}")
        self.weights = {name: weights[name] for name in TERMS if weights.get(name)}
        self.perceives = any(name.endswith("perceptual") for name in self.weights)
        if self.perceives and network is None:
            raise ValueError("a perceptual term needs a network")
        self.network = network if self.perceives else None
        self.box, self.share = box, share
        self.pixel_error: Callable[[Tensor, Tensor], Tensor] = (
            F.l1_loss if norm == "l1" else F.mse_loss
        )
        self.register_buffer("scales", torch.ones(len(TERMS)))
        self.register_buffer("stage_scales", torch.ones(0))
        self.register_buffer("local_stage_scales", torch.ones(0))

    def calibrate(self, pictures: Tensor, mean: Tensor) -> None:
        """Make each term, and each stage of the perceptual ones, 1 for the mean crop.

        Args:
            pictures: faces uint8 [N, 3, S, S]; a few hundred will do.
            mean: the mean crop [3, S, S] in [0, 1].
        """
        truth = pictures.float() / 255
        guess = mean.expand(len(truth), -1, -1, -1)
        with torch.no_grad():
            plain = self._pixel_terms(guess, truth)
            for index, name in enumerate(TERMS):
                if name in plain:
                    self.scales[index] = plain[name].clamp_min(SMALLEST_SCALE)
            if self.perceives:
                whole, local = self._stage_errors(guess, truth)
                self.stage_scales = whole.clamp_min(SMALLEST_SCALE)
                self.local_stage_scales = local.clamp_min(SMALLEST_SCALE)

    def forward(self, made: Tensor, pictures: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            made: reconstructions [B, 3, S, S]; values outside [0, 1] count as they are.
            pictures: the true faces uint8 [B, 3, S, S].
        """
        terms = self.terms(made, pictures)
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()

    def terms(self, made: Tensor, pictures: Tensor) -> dict[str, Tensor]:
        """Every term that has a weight, in units of the mean face's, without its weight."""
        truth = pictures.to(made.dtype) / 255
        values = {
            name: value / self.scales[TERMS.index(name)]
            for name, value in self._pixel_terms(made, truth).items()
        }
        if self.perceives:
            seen = max(1, round(self.share * len(made)))
            whole, local = self._stage_errors(made[:seen], truth[:seen])
            values["perceptual"] = (whole / self.stage_scales).mean()
            values["local_perceptual"] = (local / self.local_stage_scales).mean()
        return {name: values[name] for name in self.weights}

    def _pixel_terms(self, made: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Pixel and gradient terms as they are, those with a weight."""
        left, top, right, bottom = self.box
        inside = (..., slice(top, bottom), slice(left, right))
        pairs = {"": (made, truth), "local_": (made[inside], truth[inside])}
        values = {}
        for where, (a, b) in pairs.items():
            if f"{where}pixel" in self.weights:
                values[f"{where}pixel"] = self.pixel_error(a, b)
            if f"{where}gradient" in self.weights:
                values[f"{where}gradient"] = _both(gradients(a - b))
        return values

    def _stage_errors(self, made: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared difference in each inner stage [K], everywhere and in the narrow face.

        The narrow face is looked at through the same activations, where they lie in the box: the
        backbones take an aligned face of a fixed place and size, so a box cut out of it and
        enlarged, as the paper has it, would be no input of theirs.
        """
        assert self.network is not None
        with torch.no_grad():
            wanted = self.network.features(_canonical(truth))
        got = self.network.features(_canonical(made))
        mask = self._mask(made)
        whole, local = [], []
        for have, want in zip(got, wanted, strict=True):
            error = (have - want).square().mean(dim=(0, 1))
            weight = F.adaptive_avg_pool2d(mask, (error.shape[0], error.shape[1]))[0, 0]
            whole.append(error.mean())
            local.append((error * weight).sum() / weight.sum().clamp_min(SMALLEST_SCALE))
        return torch.stack(whole), torch.stack(local)

    def _mask(self, like: Tensor) -> Tensor:
        """Where the network's own input shows the narrow face [1, 1, H, W], 1 inside."""
        assert self.network is not None
        left, top, right, bottom = self.box
        mask = torch.zeros(1, 3, *like.shape[-2:], dtype=like.dtype, device=like.device)
        mask[..., top:bottom, left:right] = 1
        return self.network.to_input(_canonical(mask))[:, :1]


def _both(parts: tuple[Tensor, Tensor]) -> Tensor:
    """Mean square of the differences in both directions, summed."""
    across, down = parts
    return across.square().mean() + down.square().mean()


def _canonical(crops: Tensor) -> Tensor:
    """Crops at the side that backbones take; bilinear, because its gradient is cheap."""
    if crops.shape[-1] == CROP_SIZE:
        return crops
    return F.interpolate(crops, (CROP_SIZE, CROP_SIZE), mode="bilinear", align_corners=False)
