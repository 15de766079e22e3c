"""The canonical crop: where a face lies in it, and how a picture is brought there.

Convention: points are ``(x, y)`` in pixels, x to the right, y down, the centre of the first pixel
at ``(0, 0)`` (as in dlib and OpenCV). Reading them as pixel *corners* shifts every crop by half a
pixel; swapping x and y mirrors it about the diagonal. ``tests/biometrics/faces/test_images.py``
pins both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 224
"""Side of the canonical crop in pixels."""

N_LANDMARKS = 68

CANONICAL_POINTS = np.array(
    [(84.5, 100.0), (139.5, 100.0), (112.0, 130.4), (87.2, 160.7), (137.0, 160.9)]
)
"""Eye centres, nose tip and mouth corners in the crop, float64 [5, 2]: dlib's mean shape scaled to
55 px between the eye centres (the distance of Cole et al. 2017, section 6.1)."""

REGIONS: dict[str, slice] = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}
"""Index ranges of the 68-point scheme (iBUG 300-W)."""


def five_points(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Reduce 68 landmarks [..., 68, 2] to eye centres, nose tip and mouth corners [..., 5, 2]."""
    points = np.asarray(landmarks, dtype=np.float64)
    return np.stack(
        [
            points[..., 36:42, :].mean(axis=-2),
            points[..., 42:48, :].mean(axis=-2),
            points[..., 30, :],
            points[..., 48, :],
            points[..., 54, :],
        ],
        axis=-2,
    )


def fit_similarity(
    source: NDArray[np.floating], target: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Least-squares similarity (rotation, uniform scale, shift) from ``source`` to ``target``.

    Args:
        source, target: corresponding points [K, 2].

    Returns:
        float64 [2, 3] matrix A with ``target ≈ A[:, :2] @ source + A[:, 2]``.

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", 1991. Reflections are excluded.
    """
    src, dst = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    src_mean, dst_mean = src.mean(axis=0), dst.mean(axis=0)
    src_c, dst_c = src - src_mean, dst - dst_mean
    u, s, vt = np.linalg.svd(dst_c.T @ src_c)
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = (u * sign) @ vt
    scale = (s * sign).sum() / max(float((src_c**2).sum()), np.finfo(float).tiny)
    linear = scale * rotation
    return np.column_stack([linear, dst_mean - linear @ src_mean])


def apply_affine(matrix: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map points [..., 2] through an affine [2, 3]."""
    affine = np.asarray(matrix, dtype=np.float64)
    return np.asarray(points, dtype=np.float64) @ affine[:, :2].T + affine[:, 2]


def invert_affine(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse [2, 3] of an affine [2, 3]."""
    affine = np.asarray(matrix, dtype=np.float64)
    linear = np.linalg.inv(affine[:, :2])
    return np.column_stack([linear, -linear @ affine[:, 2]])
