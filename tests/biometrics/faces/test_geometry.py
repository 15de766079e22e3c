from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from biometrics.faces.geometry import (
    CANONICAL_POINTS,
    REGIONS,
    apply_affine,
    fit_similarity,
    five_points,
    invert_affine,
)

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


def similarity(angle: float, scale: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


@settings(max_examples=60, deadline=None)
@given(angles, scales, shifts)
def test_a_known_rotation_scale_and_shift_is_recovered(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    true = similarity(angle, scale, shift)
    moved = CANONICAL_POINTS @ true[:, :2].T + true[:, 2]
    np.testing.assert_allclose(fit_similarity(CANONICAL_POINTS, moved), true, atol=1e-8 * 500)


@pytest.mark.parametrize("seed", range(4))
def test_noisy_points_get_the_least_squares_similarity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(7, 2)) * 20
    target = source @ similarity(0.8, 1.7, (0, 0))[:, :2].T + rng.normal(size=(7, 2)) * 5 + 30

    def cost(p: NDArray[np.float64]) -> float:
        moved = source @ np.array([[p[0], -p[1]], [p[1], p[0]]]).T + p[2:]
        return float(((moved - target) ** 2).sum())

    a, b, x, y = minimize(cost, np.array([1.0, 0.0, 0.0, 0.0]), tol=1e-12).x
    np.testing.assert_allclose(
        fit_similarity(source, target), [[a, -b, x], [b, a, y]], atol=1e-4, rtol=1e-4
    )


def test_a_mirrored_face_is_never_mirrored_back() -> None:
    mirrored = CANONICAL_POINTS * [-1, 1] + [224, 0]
    fitted = fit_similarity(mirrored, CANONICAL_POINTS)
    assert np.linalg.det(fitted[:, :2]) > 0
    assert abs(apply_affine(fitted, mirrored) - CANONICAL_POINTS).max() > 5


def test_strong_reflection_still_gives_the_best_rotation() -> None:
    source = np.array([[0.0, 3.0], [0.0, -3.0], [1.0, 0.0], [-1.0, 0.0]])
    fitted = fit_similarity(source, source * [-1, 1])
    # Best proper rotation is the identity, with scale (9 + 9 - 1 - 1) / (9 + 9 + 1 + 1).
    np.testing.assert_allclose(fitted, [[0.8, 0, 0], [0, 0.8, 0]], atol=1e-12)


def test_five_points_are_eye_centres_nose_tip_and_mouth_corners() -> None:
    landmarks = np.zeros((2, 68, 2))
    landmarks[1, :, 0] = np.arange(68)
    landmarks[1, :, 1] = np.arange(68) ** 2
    five = five_points(landmarks)
    assert five.shape == (2, 5, 2)
    # In the 68-point scheme counted from 1: eyes 37-42 and 43-48, nose tip 31, mouth 49 and 55.
    np.testing.assert_array_equal(five[1, :, 0], [38.5, 44.5, 30, 48, 54])
    np.testing.assert_allclose(five[1, 0, 1], np.mean([36**2, 37**2, 38**2, 39**2, 40**2, 41**2]))


def test_regions_cover_all_68_points_once() -> None:
    covered = [i for region in REGIONS.values() for i in range(68)[region]]
    assert sorted(covered) == list(range(68))


def test_canonical_eyes_are_level_and_55_pixels_apart() -> None:
    np.testing.assert_array_equal(CANONICAL_POINTS[1] - CANONICAL_POINTS[0], [55, 0])


@settings(max_examples=60, deadline=None)
@given(angles, scales, shifts, st.floats(-0.5, 0.5))
def test_an_affine_and_its_inverse_cancel(
    angle: float, scale: float, shift: tuple[float, float], shear: float
) -> None:
    matrix = similarity(angle, scale, shift)
    matrix[:, :2] = matrix[:, :2] @ np.array([[1, shear], [0, 1.5]])
    points = np.array([[0.0, 0.0], [10.0, -3.0], [224.0, 100.5]])
    back = apply_affine(invert_affine(matrix), apply_affine(matrix, points))
    np.testing.assert_allclose(back, points, atol=1e-6)


def test_affine_maps_x_then_y() -> None:
    matrix = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(apply_affine(matrix, np.array([[10.0, 1.0]])), [[15.0, 51.0]])
