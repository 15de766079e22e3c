"""Multi-scale structural similarity of pictures, the same number as torchmetrics gives.

Settings: five scales with the exponents of the paper, halved by 2 x 2 averages; window and
constants of the single-scale SSIM (``image.ssim_terms``); the three channels are averaged. As in
torchmetrics, contrast is averaged where the window lies inside the picture, the similarity of the
last scale everywhere with mirrored edges, and a negative average counts as 0. Pictures need a side
of 176 pixels or more.

torchmetrics itself takes 56 ms a picture of 224 on one core, since it filters with the 121 numbers
of the window; here the window is applied to rows and columns in turn.

Source: Z. Wang, E. Simoncelli, A. Bovik, "Multiscale structural similarity for image quality
assessment", 2003, eq. 7.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.image import INNER, check_pairs, picture_by_picture, ssim_terms

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
TOO_SMALL = 175
"""Pixels of a side: at the last scale, a sixteenth of it, the window of 11 has to fit."""


def ms_ssim(reconstructed: NDArray[np.uint8], originals: NDArray[np.uint8]) -> NDArray[np.float64]:
    """MS-SSIM of each pair of pictures uint8 [N, S, S, 3], float64 [N] in [0, 1], computed in
    single precision.

    Raises:
        ValueError: shapes or types that disagree, or pictures that are too small.
    """
    check_pairs(reconstructed, originals, larger_than=TOO_SMALL)

    def similarity(row: int) -> float:
        a: NDArray[np.floating] = reconstructed[row].astype(np.float32)
        b: NDArray[np.floating] = originals[row].astype(np.float32)
        product = 1.0
        for exponent in EXPONENTS[:-1]:
            contrast = ssim_terms(a, b)[1]
            product *= max(float(contrast[INNER].mean()), 0.0) ** exponent
            a, b = _halved(a), _halved(b)
        luminance, contrast = ssim_terms(a, b, border=cv2.BORDER_REFLECT_101)
        return float(product * max(float((luminance * contrast).mean()), 0.0) ** EXPONENTS[-1])

    return picture_by_picture(similarity, len(originals))


def _halved(picture: NDArray[np.floating]) -> NDArray[np.floating]:
    """Averages of 2 x 2 pixels of [H, W, 3]; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    even = picture[:height, :width]
    mean: NDArray[np.floating] = (
        even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    ) / 4
    return mean
