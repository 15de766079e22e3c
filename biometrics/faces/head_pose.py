"""Where a head points, from 68 landmarks: OpenCV's ``solvePnP`` on a generic face.

The generic face is a set's mean shape, made symmetric and given the depths below. So yaw and roll
are measured against a symmetric face, and pitch against the mean face of the set, which comes out
as zero: a long nose and a raised head look alike in one picture, so an absolute pitch is not known.

Convention: angles are degrees. Yaw > 0 turns the nose to the right of the picture, pitch > 0 lifts
it, roll > 0 turns the head clockwise as one sees it. Points are ``(x, y)`` in pixels of the
canonical crop (see geometry.py), where most of the roll is already undone: what is measured is the
roll that is left in the crop. Camera coordinates: x right, y down, z away from the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from biometrics.faces.geometry import CROP_SIZE, N_LANDMARKS

FOCAL = 6.0 * CROP_SIZE
"""Focal length in pixels of the crop. With 55 px between the eyes (63 mm) the camera stands 1.5 m
away, as for a portrait. A photograph's own focal length is rarely known; from half to twice this
distance changes the angles by less than a degree (tested)."""

MM = 55.0 / 63.0
"""Pixels of the crop in a millimetre of the face, at the eyes."""

DEPTH = {
    **dict.fromkeys((36, 45), 2.0),
    **dict.fromkeys((39, 42), -2.0),
    **dict(zip((27, 28, 29, 30), (-18.0, -24.0, -30.0, -36.0), strict=True)),
    **dict.fromkeys((31, 35), -19.0),
    33: -25.0,
    **dict.fromkeys((48, 54), -4.0),
}
"""Depth in millimetres of corners of the eyes, nose and corners of the mouth, towards the camera
negative. The nose tip's is a common human proportion; the others were measured against it: how far
each point moves sideways in LFW when the nose tip moves. Brows, lids, lips and chin are left out,
since expressions move them."""

POINTS = tuple(sorted(DEPTH))
_MIRRORED = {36: 45, 39: 42, 31: 35, 48: 54}
_PARTNER = np.array(
    [POINTS.index({**_MIRRORED, **{b: a for a, b in _MIRRORED.items()}}.get(p, p)) for p in POINTS]
)


@dataclass(frozen=True)
class HeadPose:
    """Angles of each head in degrees, float64 [N] each."""

    yaw: NDArray[np.float64]
    pitch: NDArray[np.float64]
    roll: NDArray[np.float64]


def generic_face(mean_shape: NDArray[np.floating]) -> NDArray[np.float64]:
    """A face in three dimensions that projects onto a mean shape made symmetric.

    Args:
        mean_shape: [68, 2] in crop pixels.

    Returns:
        float64 [13, 3], the ``POINTS`` in camera coordinates about the point at distance ``FOCAL``
        on the axis.
    """
    flat = np.asarray(mean_shape, dtype=np.float64)[list(POINTS)]
    middle = np.array([flat[:, 0].mean(), 0.0])
    flat = flat - middle
    flat = (flat + flat[_PARTNER] * (-1.0, 1.0)) / 2 + middle
    depth = MM * np.array([DEPTH[p] for p in POINTS])
    centred = flat - (CROP_SIZE - 1) / 2
    return np.column_stack([centred * (1 + depth / FOCAL)[:, None], depth])


def head_pose(landmarks: NDArray[np.floating], mean_shape: NDArray[np.floating]) -> HeadPose:
    """Angles of heads.

    Args:
        landmarks: [N, 68, 2] in crop pixels.
        mean_shape: [68, 2], the mean of many faces; of a single face it would say that this face
            looks straight ahead.

    Raises:
        ValueError: a wrong shape, or coordinates that are not finite.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (N_LANDMARKS, 2) or not np.isfinite(points).all():
        raise ValueError(f"expected finite landmarks [N, 68, 2], got {list(points.shape)}")
    face, middle = generic_face(mean_shape), (CROP_SIZE - 1) / 2
    camera = np.array([[FOCAL, 0, middle], [0, FOCAL, middle], [0, 0, 1]])
    chosen = np.ascontiguousarray(points[:, list(POINTS)])
    turns = np.array([_rotation(face, seen, camera) for seen in chosen]).reshape(-1, 3, 3)
    return _angles(turns)


def _rotation(
    face: NDArray[np.float64], seen: NDArray[np.float64], camera: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The rotation [3, 3] of one head; the search starts from one that looks straight ahead."""
    turn, shift = np.zeros(3), np.array([0.0, 0.0, FOCAL])
    _, turn, _ = cv2.solvePnP(  # type: ignore[assignment]
        face, seen, camera, None, turn, shift, True, cv2.SOLVEPNP_ITERATIVE
    )
    return np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64)


def _angles(turns: NDArray[np.float64]) -> HeadPose:
    """Angles of rotations [N, 3, 3] = roll about z, after yaw about y, after pitch about x."""
    yaw = np.arcsin(np.clip(turns[:, 2, 0], -1, 1))
    pitch = -np.arctan2(turns[:, 2, 1], turns[:, 2, 2])
    roll = np.arctan2(turns[:, 1, 0], turns[:, 0, 0])
    return HeadPose(np.degrees(yaw), np.degrees(pitch), np.degrees(roll))
