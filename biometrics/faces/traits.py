"""What a picture shows beside who it is: pose, light, expression; as numbers of a face.

Convention: crops uint8 [N, 224, 224, 3] RGB, landmarks ``(x, y)`` [N, 68, 2] in crop pixels (see
geometry.py). Landmarks found in a reconstruction are brought to the canonical points first, as
those of every photograph were, else the place of the face would count as its shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biometrics.faces.geometry import CANONICAL_POINTS, five_points
from biometrics.faces.grey import LUMA

FACE = (slice(56, 184), slice(48, 176))
"""Rows and columns of the crop that hold the face from the brows to the mouth, 128 x 128 pixels."""

CELLS = 16
"""Cells along a side of the face in :func:`colours`; light is seen in a quarter of them."""


def aligned(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Landmarks [N, 68, 2] after the least-squares similarity that brings eyes, nose and mouth to
    the canonical points: shape without place, size and roll.

    The closed form of a similarity in the plane, points as complex numbers.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    source = five_points(points)
    centre, target = source.mean(axis=1, keepdims=True), CANONICAL_POINTS.mean(axis=0)
    a = _complex(source - centre)
    b = _complex(CANONICAL_POINTS - target)
    turn = (a.conj() @ b) / np.maximum((np.abs(a) ** 2).sum(axis=1), np.finfo(float).tiny)
    moved = _complex(points - centre) * turn[:, None]
    return np.asarray(np.stack([moved.real, moved.imag], axis=-1) + target)


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1], dtype=np.complex128)


def expression(shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Openness and width of the mouth, openness of the eyes, height of the brows above them, in
    pixels: float64 [N, 4] of aligned landmarks."""
    x, y = shapes[..., 0], shapes[..., 1]
    mouth = y[:, 65:68].mean(axis=1) - y[:, 61:64].mean(axis=1)
    width = x[:, 54] - x[:, 48]
    lower, upper = [40, 41, 46, 47], [37, 38, 43, 44]
    eyes = y[:, lower].mean(axis=1) - y[:, upper].mean(axis=1)
    brows = y[:, 36:48].mean(axis=1) - y[:, 17:27].mean(axis=1)
    return np.asarray(np.stack([mouth, width, eyes, brows], axis=1))


def colours(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean colours of 16 x 16 cells of the face, 0 to 255: float64 [N, 768]."""
    n, side = len(crops), 128 // CELLS
    face = crops[(slice(None), *FACE)].reshape(n, CELLS, side, CELLS, side, 3)
    return np.asarray(face.mean(axis=(2, 4), dtype=np.float64).reshape(n, -1))


def light(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Luminance of 4 x 4 parts of the face, float64 [N, 16], from :func:`colours`: how bright it
    is, and from which side."""
    grey = cells.reshape(len(cells), 4, CELLS // 4, 4, CELLS // 4, 3) @ np.array(LUMA)
    return np.asarray(grey.mean(axis=(2, 4)).reshape(len(cells), -1))


MOUTH_OPEN = 0.1
"""Gap between the inner lips over the width of the mouth, from which teeth show or it speaks."""

SMILE_WIDTH, SMILE_LIFT = 0.95, 0.05
"""Width of the mouth over the distance of the eyes, and height of its corners above the middle of
the lips over its width, from which a mouth smiles. All three were set by eye on pictures of LFW,
where half of the mouths are open and a quarter of the faces smile by them."""


def mouth_open(landmarks: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether the mouth is open, bool [N], of landmarks [N, 68, 2]; see :data:`MOUTH_OPEN`.

    Raises:
        ValueError: landmarks that are not finite: nothing is known of such a face.
    """
    gap, width = expression(_found(landmarks)).T[:2]
    return np.asarray(gap > MOUTH_OPEN * width)


def smiling(landmarks: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether the face smiles, bool [N], of landmarks [N, 68, 2]: a wide mouth with its corners up;
    see :data:`SMILE_WIDTH`.

    Raises:
        ValueError: landmarks that are not finite: nothing is known of such a face.
    """
    shapes = _found(landmarks)
    width = expression(shapes)[:, 1]
    points = five_points(shapes)
    eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    corners, lips = shapes[:, [48, 54], 1].mean(axis=1), shapes[:, [51, 57], 1].mean(axis=1)
    return np.asarray((width > SMILE_WIDTH * eyes) & (lips - corners > SMILE_LIFT * width))


def _found(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    bad = int((~np.isfinite(landmarks).all(axis=(1, 2))).sum())
    if bad:
        raise ValueError(f"{bad} of {len(landmarks)} faces have no landmarks")
    return aligned(landmarks)
