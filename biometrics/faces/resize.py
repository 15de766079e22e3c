"""Bringing pictures to another size, the same way everywhere."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from biometrics.faces.geometry import CROP_SIZE


def resize(images: Tensor, size: int) -> Tensor:
    """Square images [N, C, S, S] in [0, 1] at side ``size``: bicubic, antialiased, clipped."""
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, (size, size), mode="bicubic", antialias=True).clamp(0, 1)


def from_pixels(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, S, S, 3] to float [N, 3, S, S] in [0, 1].

    It copies, since torch refuses memory that is mapped read-only.
    """
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 255


def to_pixels(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Float [N, 3, S, S] in [0, 1] to uint8 [N, S, S, 3], rounded."""
    pixels = np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))  # N C H W -> N H W C


def to_canonical(images: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures of any square size as uint8 [N, 224, 224, 3].

    They are rounded to 8 bits at their own size first, as a picture file would be, and again after
    resizing.

    Args:
        images: float32 [N, 3, S, S] in [0, 1], or uint8 [N, S, S, 3].
    """
    pixels = images if images.dtype == np.uint8 else to_pixels(images)  # type: ignore[arg-type]
    if pixels.shape[1] == CROP_SIZE:
        return pixels  # type: ignore[return-value]
    return to_pixels(resize(from_pixels(pixels), CROP_SIZE).numpy())  # type: ignore[arg-type]
