"""How alike two pictures are: PSNR and SSIM of canonical crops (landmarks.py has the points).

Convention: pictures are uint8 [N, S, S, 3] RGB, already rounded to 8 bits and at the canonical
size; landmarks are ``(x, y)`` in pixels with the centre of the first pixel at ``(0, 0)`` (see
faces/geometry.py). Pictures in [0, 1] would be taken for nearly black ones, hence the type is
checked. ``face`` figures are inside the convex hull of the *true* 68 points.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from biometrics.faces.geometry import CROP_SIZE
from biometrics.parallel import default_workers

DATA_RANGE = 255.0
PSNR_CAP = 100.0
"""PSNR of equal pictures in dB, where the formula says infinity, which JSON cannot hold. A crop of
224 that differs by one level in one channel of one pixel has 99.9 dB."""

SIGMA = 1.5
MARGIN = 5
"""Half the width of the SSIM window (11 x 11); the average leaves out as wide a border."""

INNER = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
"""The pixels around which the window lies wholly inside the picture."""

C1, C2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2


@dataclass(frozen=True)
class ImageScores:
    """Likeness of each pair of pictures, float64 [N] each: SSIM in [-1, 1], PSNR in dB (at most
    100), over the whole crop and inside the face."""

    ssim_crop: NDArray[np.float64]
    ssim_face: NDArray[np.float64]
    psnr_crop: NDArray[np.float64]
    psnr_face: NDArray[np.float64]


def image_scores(
    reconstructed: NDArray[np.uint8],
    originals: NDArray[np.uint8],
    faces: NDArray[np.bool_],
) -> ImageScores:
    """Compare pictures [N, S, S, 3] with their originals (either may be memory-mapped).

    PSNR = 10 log10(255² / MSE), the MSE over pixels and channels. SSIM is the mean of luminance
    times contrast (:func:`ssim_terms`), over the crop without a border of 5 pixels, or over the
    face.

    Args:
        reconstructed, originals: uint8 RGB.
        faces: where the face of the original is, from :func:`hull_masks`, bool [N, S, S].

    Raises:
        ValueError: shapes or types that disagree, or a face without a pixel.
    """
    _check(reconstructed, originals, faces)

    def scores(row: int) -> tuple[float, ...]:
        made, true = (x[row].astype(np.float64) for x in (reconstructed, originals))
        squares = np.square(made - true).mean(axis=2)
        luminance, contrast = ssim_terms(made, true)
        ssim = (luminance * contrast).mean(axis=2)
        face = faces[row]
        return (
            float(ssim[INNER].mean()),
            float(ssim[face].mean()),
            _decibels(float(squares.mean())),
            _decibels(float(squares[face].mean())),
        )

    return ImageScores(*picture_by_picture(scores, len(originals)).reshape(-1, 4).T)


def absolute_errors(
    reconstructed: NDArray[np.uint8], originals: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Absolute difference at every pixel of pictures uint8 [N, S, S, 3], the mean of the channels
    in 8-bit levels, float32 [N, S, S]."""
    check_pairs(reconstructed, originals, larger_than=0)
    apart = np.abs(reconstructed.astype(np.int16) - originals)
    errors: NDArray[np.float32] = apart.sum(axis=3, dtype=np.int16).astype(np.float32) / 3
    return errors


def mean_within(values: NDArray[np.floating], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of values [N, S, S] over the pixels of each mask [N, S, S], float64 [N]; NaN where a
    mask is empty.

    Raises:
        ValueError: shapes that disagree.
    """
    if values.shape != masks.shape:
        raise ValueError(f"{list(values.shape)} values for masks {list(masks.shape)}")
    counts = np.count_nonzero(masks, axis=(1, 2))
    sums = np.where(masks, values, 0).sum(axis=(1, 2), dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def psnr_within(
    reconstructed: NDArray[np.uint8], originals: NDArray[np.uint8], masks: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """PSNR in dB (at most 100) of pictures uint8 [N, S, S, 3] over the pixels of each mask
    [N, S, S], as ``psnr_face`` of :func:`image_scores`, float64 [N]; NaN where a mask is empty."""
    check_pairs(reconstructed, originals, larger_than=0)
    apart = reconstructed.astype(np.int32) - originals
    mse = mean_within(np.square(apart).sum(axis=3) / 3, masks)
    return np.array([_decibels(value) if np.isfinite(value) else np.nan for value in mse])


def picture_by_picture(
    measure: Callable[[int], float | tuple[float, ...]], count: int
) -> NDArray[np.float64]:
    """``measure`` of 0 … count - 1 on as many threads as there are processors, float64 [count] or
    [count, values]; OpenCV's filters and NumPy's arithmetic let go of the interpreter lock."""
    with ThreadPoolExecutor(default_workers()) as pool:
        return np.array(list(pool.map(measure, range(count))), dtype=np.float64)


def ssim_terms(
    a: NDArray[np.floating], b: NDArray[np.floating], *, border: int = cv2.BORDER_REFLECT
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Luminance and contrast-structure at every pixel of pictures [H, W, 3] in [0, 255].

    Gaussian window of 11 x 11 and sigma 1.5, population covariance, K1 = 0.01, K2 = 0.03, a data
    range of 255 whatever the pictures hold. Computed in the pictures' own precision; the variance
    of a flat region is a small difference of large numbers.

    Args:
        a, b: the two pictures.
        border: how OpenCV continues them beyond their edges; mirrored unless told.

    Source: Z. Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004, eqs. 6 and 13 (contrast and structure in one).
    """
    mean_a, mean_b = _blur(a, border), _blur(b, border)
    product, power = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    covariance = _blur(a * b, border) - product
    variances = np.maximum(_blur(a * a + b * b, border) - power, 0)
    return (2 * product + C1) / (power + C1), (2 * covariance + C2) / (variances + C2)


def _blur(picture: NDArray[np.floating], border: int) -> NDArray[np.floating]:
    window = cv2.getGaussianKernel(2 * MARGIN + 1, SIGMA, cv2.CV_64F)
    blurred: NDArray[np.floating] = np.asarray(
        cv2.sepFilter2D(picture, -1, window, window, borderType=border)
    )
    return blurred


def check_pairs(
    reconstructed: NDArray[np.uint8], originals: NDArray[np.uint8], *, larger_than: int
) -> None:
    """Refuse what are not pairs of uint8 pictures [N, S, S, 3] of a side above ``larger_than``.

    Raises:
        ValueError: with what was got.
    """
    shape = originals.shape
    if len(shape) != 4 or shape[3] != 3 or reconstructed.shape != shape:
        raise ValueError(f"expected pictures [N, S, S, 3], got {reconstructed.shape} and {shape}")
    if reconstructed.dtype != np.uint8 or originals.dtype != np.uint8:
        raise ValueError(f"expected uint8, got {reconstructed.dtype} and {originals.dtype}")
    if min(shape[1:3]) <= larger_than:
        raise ValueError(f"pictures must be larger than {larger_than} pixels, got {shape}")


def hull_masks(landmarks: NDArray[np.floating], size: int = CROP_SIZE) -> NDArray[np.bool_]:
    """Pixels whose centre lies in or on the convex hull of each set of points.

    Args:
        landmarks: [N, K, 2], K >= 1, finite; points outside the crop are fine.
        size: side S of the crop.

    Returns:
        bool [N, S, S], indexed row (y) first.

    Raises:
        ValueError: a wrong shape, or coordinates that are not finite.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[2] != 2 or not np.isfinite(points).all():
        raise ValueError(f"expected finite points [N, K, 2], got {list(points.shape)}")
    right = _right_edge(points, size)  # [N, S]: the hull's largest x on each row, -inf outside
    left = -_right_edge(points * (-1.0, 1.0), size)
    x = np.arange(size)
    return (x >= left[:, :, None] - 1e-6) & (x <= right[:, :, None] + 1e-6)


def _right_edge(points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Largest x of the convex hull of points [N, K, 2] on each row y = 0 … S - 1, float64 [N, S].

    Walks all hulls at once from their top to their bottom: the next corner is the point below in
    the direction with the greatest dx/dy. The loop is over corners, at most K.
    """
    n, x, y = np.arange(len(points)), points[:, :, 0], points[:, :, 1]
    rows = np.arange(size, dtype=np.float64)
    at_top = np.where(y == y.min(axis=1, keepdims=True), x, -np.inf)
    corner = at_top.argmax(axis=1)
    edge = np.where(rows == y[n, corner, None], x[n, corner, None], -np.inf)
    bottom = y.max(axis=1)
    while (y[n, corner] < bottom).any():
        x0, y0 = x[n, corner, None], y[n, corner, None]
        below = y > y0
        slope = np.where(below, (x - x0) / np.where(below, y - y0, 1.0), -np.inf)
        going: NDArray[np.bool_] = y0[:, 0] < bottom
        following = np.where(going, slope.argmax(axis=1), corner)
        steepest = np.where(going, slope.max(axis=1), 0.0)[:, None]
        here = (rows >= y0) & (rows <= y[n, following, None]) & going[:, None]
        edge = np.where(here, np.maximum(edge, x0 + steepest * (rows - y0)), edge)
        corner = following
    return edge


def _decibels(mse: float) -> float:
    floor = DATA_RANGE**2 / 10 ** (PSNR_CAP / 10)
    return float(10 * np.log10(DATA_RANGE**2 / max(mse, floor)))


def _check(
    reconstructed: NDArray[np.uint8], originals: NDArray[np.uint8], faces: NDArray[np.bool_]
) -> None:
    check_pairs(reconstructed, originals, larger_than=2 * MARGIN)
    shape = originals.shape
    if faces.shape != shape[:3] or faces.dtype != np.bool_:
        raise ValueError(f"expected bool faces {shape[:3]}, got {faces.dtype} {faces.shape}")
    empty = np.flatnonzero(~faces.any(axis=(1, 2)))
    if empty.size:
        raise ValueError(f"the face of picture {empty[0]} covers no pixel of the crop")
