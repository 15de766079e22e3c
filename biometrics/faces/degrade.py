"""What may have happened to a picture before its template was computed: covered, or too small.

Convention: crops are uint8 [N, 224, 224, 3] RGB, landmarks ``(x, y)`` in crop pixels with the
centre of the first pixel at ``(0, 0)`` (see geometry.py). The crop is taken from the clean picture
first, so a degraded face lies where the clean one lay.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from biometrics.faces.geometry import CROP_SIZE, N_LANDMARKS, REGIONS, five_points
from biometrics.faces.resize import from_pixels, resize, to_canonical, to_pixels

Occlusion = Literal["none", "eyes", "mouth"]

GREY = 128
MARGIN = 0.25
"""How far a block reaches beyond the landmarks that it covers, in distances of the eye centres
(about 14 of 55 px in the canonical crop): eyes with their lids and the lower part of the brows, or
the mouth down to the chin."""

BATCH = 64


def degrade(
    crops: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    *,
    occlude: Occlusion = "none",
    resolution: int | None = None,
) -> NDArray[np.uint8]:
    """Degraded copies of crops: covered first, since that happens in front of the camera, then
    seen at a lower resolution.

    Args:
        crops: uint8 [N, 224, 224, 3]; read in batches, so they may be memory-mapped.
        landmarks: [N, 68, 2] of the same faces.
        occlude: which part lies under a homogeneous grey block.
        resolution: side in pixels to which the crop is brought down (bicubic, antialiased, rounded
            to 8 bits) before it is enlarged again; None leaves it.

    Returns:
        uint8 [N, 224, 224, 3].

    Raises:
        ValueError: shapes that disagree, or a resolution outside 1 to 224.
    """
    n = len(crops)
    if crops.shape != (n, CROP_SIZE, CROP_SIZE, 3) or landmarks.shape != (n, N_LANDMARKS, 2):
        raise ValueError(
            f"expected crops [N, {CROP_SIZE}, {CROP_SIZE}, 3] with landmarks [N, 68, 2], got "
            f"{list(crops.shape)} and {list(landmarks.shape)}"
        )
    if resolution is not None and not 1 <= resolution <= CROP_SIZE:
        raise ValueError(f"a resolution must lie between 1 and {CROP_SIZE}, got {resolution}")
    degraded = np.empty(crops.shape, dtype=np.uint8)
    for start in range(0, n, BATCH):
        rows = slice(start, start + BATCH)
        some = np.asarray(crops[rows])
        if occlude != "none":
            some = cover(some, blocks(landmarks[rows], occlude))
        degraded[rows] = some if resolution is None else _coarse(some, resolution)
    return degraded


def cover(crops: NDArray[np.uint8], covered: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Crops [N, S, S, 3] with homogeneous grey where ``covered`` [N, S, S] says so; one crop can
    meet many masks, or one mask many crops."""
    return np.where(covered[..., None], np.uint8(GREY), crops)


def blocks(landmarks: NDArray[np.floating], region: Literal["eyes", "mouth"]) -> NDArray[np.bool_]:
    """Where the block over ``region`` lies, bool [N, 224, 224]: the upright rectangle about its
    landmarks [N, 68, 2] and ``MARGIN`` on all sides."""
    points = landmarks[:, REGIONS[region]]
    five = five_points(landmarks)
    margin = MARGIN * np.linalg.norm(five[:, 1] - five[:, 0], axis=1)[:, None]
    low, high = points.min(axis=1) - margin, points.max(axis=1) + margin  # [N, 2]
    grid = np.arange(CROP_SIZE)
    inside = (grid >= low[..., None]) & (grid <= high[..., None])  # [N, (x, y), 224]
    covered: NDArray[np.bool_] = inside[:, 1, :, None] & inside[:, 0, None, :]
    return covered


def _coarse(crops: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return to_canonical(to_pixels(resize(from_pixels(crops), side).numpy()))
