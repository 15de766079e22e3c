"""Random small changes to faces in training, so that a model must accept them as faces."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SCALE, TURN, SHIFT = 0.03, 0.03, 0.02
"""Standard deviations at strength 1: of the relative size, of the angle in radians, and of the
shift in half widths of the picture (about 2 pixels of 224)."""

GAIN, TINT, NOISE = 0.1, 0.03, 0.01
"""Standard deviations at strength 1: of the contrast, of the colour cast of a channel, and of the
noise of a pixel, for values in [0, 1]."""


class Jitter(nn.Module):
    """Shift, turn, size, mirror, contrast, tint and noise, drawn anew for every face.

    ``strength`` multiplies every standard deviation; 0 leaves faces as they are, unmirrored.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, faces: Tensor) -> Tensor:
        """Faces [B, 3, S, S] in [0, 1], changed; differentiable."""
        if self.strength == 0:
            return faces
        count, s = len(faces), self.strength

        def normal(*shape: int) -> Tensor:
            return torch.randn(count, *shape, dtype=faces.dtype, device=faces.device)

        size, angle = 1 + s * SCALE * normal(), s * TURN * normal()
        mirror = torch.where(torch.rand(count, device=faces.device) < 0.5, -1.0, 1.0)
        cos, sin = size * torch.cos(angle), size * torch.sin(angle)
        linear = torch.stack([cos * mirror, -sin, sin * mirror, cos], dim=1).reshape(-1, 2, 2)
        affine = torch.cat([linear, s * SHIFT * normal(2, 1)], dim=2)
        grid = F.affine_grid(affine, list(faces.shape), align_corners=False)
        moved = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
        tinted = moved * (1 + s * GAIN * normal(1, 1, 1)) + s * TINT * normal(3, 1, 1)
        return (tinted + s * NOISE * torch.randn_like(tinted)).clamp(0, 1)
