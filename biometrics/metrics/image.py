"""How alike two pictures are: PSNR and SSIM of canonical crops (landmarks.py has the points).

Convention: pictures are uint8 [N, S, S, 3] RGB, already rounded to 8 bits and at the canonical
size; landmarks are ``(x, y)`` in pixels with the centre of the first pixel at ``(0, 0)`` (see
faces/geometry.py). Pictures in [0, 1] would be taken for nearly black ones, hence the type is
checked. ``face`` figures are inside the convex hull of the *true* 68 points.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from biometrics.faces.geometry import CROP_SIZE
from biometrics.parallel import default_workers

DATA_RANGE = 255.0
PSNR_CAP = 100.0
"""PSNR of equal pictures in dB, where the formula says infinity, which JSON cannot hold. A crop of
224 that differs by one level in one channel of one pixel has 99.9 dB."""

BATCH = 4
SIGMA = 1.5
MARGIN = 5
"""Half the width of the SSIM window (11 x 11); the average leaves out as wide a border."""


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
    *,
    batch: int = BATCH,
) -> ImageScores:
    """Compare pictures [N, S, S, 3] with their originals (either may be memory-mapped).

    PSNR = 10 log10(255² / MSE), the MSE over pixels and channels. SSIM is the mean of
    :func:`ssim_map`, over the crop without a border of 5 pixels, or over the face.

    Args:
        reconstructed, originals: uint8 RGB.
        faces: where the face of the original is, from :func:`hull_masks`, bool [N, S, S].
        batch: pictures worked on at a time; the figures do not depend on it.

    Raises:
        ValueError: shapes or types that disagree, or a face without a pixel.
    """
    _check(reconstructed, originals, faces)
    scores = ImageScores(*(np.empty(len(originals)) for _ in range(4)))

    def work(start: int) -> None:
        rows = slice(start, start + batch)
        _score_rows(reconstructed[rows], originals[rows], faces[rows], scores, rows)

    # Threads are enough: SciPy's filters and NumPy's arithmetic let go of the interpreter lock.
    with ThreadPoolExecutor(default_workers()) as pool:
        list(pool.map(work, range(0, len(originals), batch)))
    return scores


def _score_rows(
    reconstructed: NDArray[np.uint8],
    originals: NDArray[np.uint8],
    faces: NDArray[np.bool_],
    scores: ImageScores,
    rows: slice,
) -> None:
    """Fill in the scores of one batch."""
    inner = slice(MARGIN, -MARGIN)
    made, true = _planes(reconstructed), _planes(originals)
    squares = np.square(made - true).mean(axis=1)
    ssim = ssim_map(made, true).mean(axis=1)
    scores.psnr_crop[rows] = _decibels(squares.mean(axis=(1, 2)))
    scores.psnr_face[rows] = _decibels(_mean_inside(squares, faces))
    scores.ssim_crop[rows] = ssim[:, inner, inner].mean(axis=(1, 2))
    scores.ssim_face[rows] = _mean_inside(ssim, faces)


def ssim_map(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Structural similarity at every pixel of planes [..., H, W] in [0, 255].

    Gaussian window of 11 x 11 and sigma 1.5, population covariance, K1 = 0.01, K2 = 0.03, a data
    range of 255 whatever the pictures hold; edges are mirrored. Float64, because the variance of a
    flat region is a small difference of large numbers.

    Source: Z. Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004, eq. 13.
    """
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    mean_a, mean_b = _blur(a), _blur(b)
    product, power = mean_a * mean_b, mean_a**2 + mean_b**2
    covariance = _blur(a * b) - product
    variances = _blur(a**2 + b**2) - power
    return (2 * product + c1) * (2 * covariance + c2) / ((power + c1) * (variances + c2))


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


def _planes(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).astype(np.float64)  # N C H W


def _blur(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    window = np.exp(-0.5 * (np.arange(-MARGIN, MARGIN + 1) / SIGMA) ** 2)
    window /= window.sum()
    blurred: NDArray[np.float64] = correlate1d(
        correlate1d(planes, window, axis=-2), window, axis=-1
    )
    return blurred


def _decibels(mse: NDArray[np.float64]) -> NDArray[np.float64]:
    floor = DATA_RANGE**2 / 10 ** (PSNR_CAP / 10)
    decibels: NDArray[np.float64] = 10 * np.log10(DATA_RANGE**2 / np.maximum(mse, floor))
    return decibels


def _mean_inside(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = (values * mask).sum(axis=(1, 2)) / mask.sum(axis=(1, 2))
    return means


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
