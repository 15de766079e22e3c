"""Grey of colours, the same everywhere."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G, B in grey (ITU-R BT.601)."""


def grey(pictures: Tensor) -> Tensor:
    """Grey [N, H, W] of pictures [N, 3, H, W] RGB, in their range; differentiable."""
    luma = torch.tensor(LUMA, dtype=pictures.dtype, device=pictures.device).reshape(1, 3, 1, 1)
    return (pictures * luma).sum(dim=1)
