"""Multi-scale structural similarity of pictures, the same number as torchmetrics gives.

Settings: five scales with the exponents of the paper, halved by 2 x 2 averages; a Gaussian window
of 11 x 11 and sigma 1.5; K1 = 0.01, K2 = 0.03; a data range of 255 whatever the pictures hold; the
three channels are averaged. As in torchmetrics, contrast is averaged where the window lies inside
the picture, the similarity of the last scale everywhere with mirrored edges, and a negative
average counts as 0. Pictures need a side of 176 pixels or more.

torchmetrics itself takes 56 ms a picture of 224 on one core, since it filters with the 121 numbers
of the window; here the window is applied to rows and columns in turn, and only to what the formula
needs.

Source: Z. Wang, E. Simoncelli, A. Bovik, "Multiscale structural similarity for image quality
assessment", 2003, eq. 7.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from biometrics.faces.resize import from_pixels
from biometrics.metrics.image import MARGIN, SIGMA, check_pairs

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
TOO_SMALL = 175
"""Pixels of a side: at the last scale, a sixteenth of it, the window of 11 has to fit."""

BATCH = 8
C1, C2 = 0.01**2, 0.03**2


def ms_ssim(
    reconstructed: NDArray[np.uint8], originals: NDArray[np.uint8], *, batch: int = BATCH
) -> NDArray[np.float64]:
    """MS-SSIM of each pair of pictures uint8 [N, S, S, 3], float64 [N] in [0, 1].

    Computed in float32; pictures may be memory-mapped, and are read batch by batch.

    Raises:
        ValueError: shapes or types that disagree, or pictures that are too small.
    """
    check_pairs(reconstructed, originals, larger_than=TOO_SMALL)
    values = np.empty(len(originals))
    with torch.inference_mode():
        for start in range(0, len(originals), batch):
            rows = slice(start, start + batch)
            found = _ms_ssim(from_pixels(reconstructed[rows]), from_pixels(originals[rows]))
            values[rows] = found.double().numpy()
    return values


def _ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Of planes [N, 3, S, S] in [0, 1]: [N]."""
    parts: list[Tensor] = []
    for scale in range(len(EXPONENTS)):
        last = scale == len(EXPONENTS) - 1
        if last:
            a, b = (F.pad(x, (MARGIN,) * 4, mode="reflect") for x in (a, b))
        parts.append(_scale(a, b, with_luminance=last))
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    stacked = torch.stack(parts).clamp_min(0.0)
    exponents = torch.tensor(EXPONENTS, device=stacked.device)[:, None]
    return torch.pow(stacked, exponents).prod(dim=0)


def _scale(a: Tensor, b: Tensor, *, with_luminance: bool) -> Tensor:
    """Mean contrast-structure term [N] of one scale, times luminance at the last."""
    filtered = _blur(torch.cat([a, b, a * a + b * b, a * b], dim=1))
    mean_a, mean_b, power, product = filtered.split(3, dim=1)
    means, squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    terms = (2 * (product - means) + C2) / ((power - squares).clamp_min(0.0) + C2)
    if with_luminance:
        terms = terms * (2 * means + C1) / (squares + C1)
    mean: Tensor = terms.mean(dim=(1, 2, 3))
    return mean


def _blur(planes: Tensor) -> Tensor:
    """The window where it fits wholly: [N, C, H, W] to [N, C, H - 10, W - 10]."""
    channels = planes.shape[1]
    taps = torch.arange(-MARGIN, MARGIN + 1, device=planes.device, dtype=planes.dtype)
    window = torch.exp(-0.5 * (taps / SIGMA) ** 2)
    window = (window / window.sum()).repeat(channels, 1, 1, 1)  # [C, 1, 1, 11]
    planes = planes.contiguous(memory_format=torch.channels_last)  # twice as fast on a processor
    rows = F.conv2d(planes, window.transpose(2, 3), groups=channels)
    return F.conv2d(rows, window, groups=channels)
