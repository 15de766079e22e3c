"""How pictures are changed to train faceleak-mini: cut from the crop, moved, lit, blurred,
covered."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from biometrics.backbones.base import input_grid
from biometrics.backbones.faceleak_mini import SIZE, SPEC
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.grey import grey

ANGLE, ZOOM, STRETCH, SHIFT = 0.05, 0.05, 0.03, 2.5
"""Standard deviations: radians, log of the size, log of width to height, pixels of the 224 crop."""


def plain(faces: Tensor) -> Tensor:
    """The model's grey input [N, 1, 112, 112], cut from crops [N, 3, 224, 224] in [0, 1]."""
    grid = input_grid(SPEC.crop, SPEC.input_size).expand(len(faces), -1, -1, -1)
    return _cut(faces, grid)


def changed(faces: Tensor) -> Tensor:
    """The same of crops [N, 3, S, S] of any size, everything drawn anew for every face: place,
    angle, size, gamma, blur, noise, and for one in four a covered part."""
    inputs = _cut(faces, moved_grid(len(faces)))
    n = len(inputs)
    inputs = blurred(inputs)
    inputs = inputs.clamp(1e-3, 1) ** (0.3 * torch.randn(n, 1, 1, 1)).exp()
    inputs = inputs + 0.02 * torch.rand(n, 1, 1, 1) * torch.randn_like(inputs)
    return covered(inputs.clamp(0, 1))


def _cut(faces: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(grey(faces)[:, None], grid, padding_mode="border", align_corners=True)


def moved_grid(n: int) -> Tensor:
    """Where each face's input lies in the crop, [N, 112, 112, 2] in [-1, 1]: the model's own place,
    changed a little."""
    points = input_grid(SPEC.crop, SPEC.input_size).reshape(1, -1, 2)
    middle = points.mean(dim=1, keepdim=True)
    angle, size = ANGLE * torch.randn(n), (ZOOM * torch.randn(n)).exp()
    stretch = (STRETCH * torch.randn(n)).exp()
    cos, sin = size * angle.cos(), size * angle.sin()
    turn = torch.stack([cos * stretch, -sin, sin * stretch, cos], dim=1).reshape(-1, 2, 2)
    shift = SHIFT / ((CROP_SIZE - 1) / 2) * torch.randn(n, 1, 2)
    return ((points - middle) @ turn.transpose(1, 2) + middle + shift).reshape(n, SIZE, SIZE, 2)


def blurred(inputs: Tensor) -> Tensor:
    """Three of ten faces at half or a third of their detail."""
    out = inputs.clone()
    draw = torch.rand(len(inputs))
    for chosen, size in ((draw < 0.2, SIZE // 2), ((draw >= 0.2) & (draw < 0.3), SIZE // 3)):
        if chosen.any():
            low = F.interpolate(inputs[chosen], (size, size), mode="area")
            out[chosen] = F.interpolate(low, (SIZE, SIZE), mode="bilinear", align_corners=False)
    return out


def covered(inputs: Tensor) -> Tensor:
    """One face of four gets a flat rectangle of up to a third of its width and height."""
    n, place = len(inputs), torch.arange(SIZE)[None]
    sides = 10 + (SIZE / 3 - 10) * torch.rand(2, n, 1)
    starts = torch.rand(2, n, 1) * (SIZE - sides)
    inside = (place >= starts) & (place < starts + sides)
    mask = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    mask = mask & (torch.rand(n, 1, 1, 1) < 0.25)
    return torch.where(mask, torch.rand(n, 1, 1, 1), inputs)
