"""How far landmarks are from where they should be.

Convention: landmarks are ``(x, y)`` in pixels of the 224 crop (see faces/geometry.py). A face whose
points are NaN (none was found) has the error NaN, and is never near enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biometrics.faces.geometry import N_LANDMARKS, REGIONS

NEAR = 30.0
"""px² at 224: errors below it are the good ones of Nagm et al. 2026."""


def landmark_mse(
    predicted: NDArray[np.floating], true: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Mean squared error over the 136 coordinates of each face, px², float64 [N].

    NaN where a face has no predicted points (none was re-detected).

    Source: Nagm et al. 2026, eq. 1.
    """
    error: NDArray[np.float64] = per_point_error(predicted, true).mean(axis=1)
    return error


def region_mse(
    predicted: NDArray[np.floating], true: NDArray[np.floating]
) -> dict[str, NDArray[np.float64]]:
    """:func:`landmark_mse` over the points of each region (jaw, brows, nose, eyes, mouth), px²,
    float64 [N] each. Weighed by their numbers of points they average to the whole.

    Raises:
        ValueError: where both are not [N, 68, 2].
    """
    error = per_point_error(predicted, true)
    return {name: error[:, points].mean(axis=1) for name, points in REGIONS.items()}


def is_near(errors: NDArray[np.floating], limit: float = NEAR) -> NDArray[np.bool_]:
    """Whether each face's error [N] in px² is below the limit; a face without points is not, so
    that the share of near ones is one of all attempts."""
    return np.asarray(np.nan_to_num(errors, nan=np.inf) < limit)


def per_point_error(
    predicted: NDArray[np.floating], true: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Squared error of each point, averaged over x and y, px², float64 [N, 68]; the mean over
    points is :func:`landmark_mse`.

    Raises:
        ValueError: where both are not [N, 68, 2].
    """
    if predicted.shape != true.shape or true.shape[1:] != (N_LANDMARKS, 2):
        raise ValueError(f"expected landmarks [N, 68, 2], got {predicted.shape} and {true.shape}")
    error: NDArray[np.float64] = predicted.astype(np.float64) - true
    squares: NDArray[np.float64] = np.square(error).mean(axis=2)
    return squares
