"""What decoders of landmarks and texture share: both start at the mean face, the warp joins them.

Source: Cole et al. 2017, section 4, and Nagm et al. 2026, section 4.7. Neither paper says where the
networks' outputs start; here at the mean shape and the mean texture, so that the first step is
spent on what differs between faces.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from biometrics.faces.appearance import WARP_STRIDE, AppearanceModel
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.resize import resize
from biometrics.faces.warp import scale_points, warp

GREY_LEVELS = 255


class Parts(NamedTuple):
    """What decoders say of faces.

    Attributes:
        landmarks: [B, 68, 2] in pixels of the 224 crop; None where no decoder gives them.
        textures: [B, 3, S, S] on the mean shape, in [0, 1] but for errors.
    """

    landmarks: Tensor | None
    textures: Tensor


class MeanFace(nn.Module):
    """The mean shape and the mean texture as constants that travel with a network."""

    mean_shape: Tensor
    mean_texture: Tensor

    def __init__(self, appearance: AppearanceModel, size: int) -> None:
        """Args:
        appearance: gives both.
        size: side S of textures and pictures.
        """
        super().__init__()
        mean = torch.from_numpy(appearance.mean_texture.copy())[None]
        self.register_buffer("mean_shape", torch.from_numpy(appearance.mean_shape.copy()))
        self.register_buffer("mean_texture", resize(mean, size)[0].clone())

    def landmarks(self, offsets: Tensor) -> Tensor:
        """Landmarks [B, 68, 2] of offsets from the mean shape [B, 136], pixels of the 224 crop."""
        return self.mean_shape + offsets.reshape(-1, 68, 2)

    def textures(self, deviations: Tensor) -> Tensor:
        """Textures [B, 3, S, S] of deviations from the mean texture."""
        return self.mean_texture + deviations

    def render(self, textures: Tensor, landmarks: Tensor) -> Tensor:
        """Textures warped from the mean shape to the landmarks; differentiable in both."""
        size = textures.shape[-1]
        target = scale_points(landmarks, size=CROP_SIZE, to=size)
        mean = scale_points(self.mean_shape, size=CROP_SIZE, to=size)
        return warp(textures, target, mean - target, stride=WARP_STRIDE)


def start_at_zero(layer: nn.Linear | nn.Conv2d) -> None:
    """Make a last layer give zeros before training."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def landmark_error(made: Tensor, true: Tensor) -> Tensor:
    """Mean squared error of coordinates (Nagm et al. 2026, equation 1), px² of the 224 crop."""
    return (made - true).square().mean()


def grey_error(made: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error (Nagm et al. 2026, equation 2), in grey levels.

    Args:
        made: pictures in [0, 1], not clamped.
        true: uint8.
    """
    return (made * GREY_LEVELS - true).abs().mean()


def parameters(module: nn.Module) -> int:
    """How many trainable numbers a module holds."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
