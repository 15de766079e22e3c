from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.geometry import (
    CANONICAL_POINTS,
    apply_affine,
    fit_similarity,
    five_points,
)
from biometrics.faces.shipped import shipped_model_path
from biometrics.faces.traits import (
    MOUTH_OPEN,
    SMILE_LIFT,
    SMILE_WIDTH,
    aligned,
    colours,
    expression,
    light,
    mouth_open,
    smiling,
)

MEAN = AppearanceModel.load(shipped_model_path()).mean_shape.astype(np.float64)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(0, 1000), st.floats(-3, 3), st.floats(0.3, 3), st.floats(-50, 50))
def test_place_size_and_roll_are_undone(seed: int, turn: float, size: float, x: float) -> None:
    shapes = MEAN + np.random.default_rng(seed).normal(size=(3, 68, 2)) * 3
    linear = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = shapes @ linear.T + (x, -2 * x)
    found = aligned(moved)
    np.testing.assert_allclose(found, aligned(shapes), atol=1e-6)
    for shape, got in zip(shapes, found, strict=True):  # the fit of one shape, by SVD
        fitted = fit_similarity(five_points(shape), CANONICAL_POINTS)
        np.testing.assert_allclose(got, apply_affine(fitted, shape), atol=1e-6)


def test_expressions_are_measured_in_pixels() -> None:
    before = expression(MEAN[None])[0]
    open_mouth = MEAN.copy()
    open_mouth[65:68, 1] += 6
    np.testing.assert_allclose(expression(open_mouth[None])[0] - before, [6, 0, 0, 0], atol=1e-9)
    smile = MEAN.copy()
    smile[48, 0] -= 3
    smile[54, 0] += 4
    np.testing.assert_allclose(expression(smile[None])[0] - before, [0, 7, 0, 0], atol=1e-9)
    raised = MEAN.copy()
    raised[17:27, 1] -= 5
    np.testing.assert_allclose(expression(raised[None])[0] - before, [0, 0, 0, 5], atol=1e-9)
    wide = MEAN.copy()
    wide[[37, 38, 43, 44], 1] -= 2
    assert (expression(wide[None])[0] - before)[2] == pytest.approx(2)
    assert (before > 0).all()


def test_cells_and_light_by_counting() -> None:
    crops = np.random.default_rng(0).integers(0, 256, size=(2, 224, 224, 3), dtype=np.uint8)
    cells = colours(crops)
    assert cells.shape == (2, 768)
    third = crops[1, 56 + 8 * 3 : 56 + 8 * 4, 48 + 8 * 5 : 48 + 8 * 6].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(cells[1].reshape(16, 16, 3)[3, 5], third)
    parts = light(cells)
    assert parts.shape == (2, 16)
    lower = crops[0, 152:184, 48:80].astype(float) @ (0.299, 0.587, 0.114)  # the last row's first
    assert parts[0, 12] == pytest.approx(lower.mean())


def test_light_from_one_side_is_seen() -> None:
    crops = np.full((1, 224, 224, 3), 100, dtype=np.uint8)
    crops[:, :, 112:] = 200
    parts = light(colours(crops)).reshape(4, 4)
    np.testing.assert_allclose(parts, np.tile([100, 100, 200, 200], (4, 1)))


def mouth(gap: float, width: float, lift: float) -> NDArray[np.float64]:
    """The mean face with eyes 55 px apart and such a mouth, all in px, upright."""
    shape = MEAN.copy()
    left, right = shape[36:42].mean(axis=0), shape[42:48].mean(axis=0)
    middle = (left + right) / 2
    shape[36:42] += middle - left - [27.5, 0]
    shape[42:48] += middle - right + [27.5, 0]
    centre = np.array([middle[0], 160.0])
    shape[30] = (middle[0], 130.0)
    shape[[51, 57]] = np.add([[0, -5], [0, 5]], centre)
    shape[[48, 54]] = np.add([[-width / 2, -lift], [width / 2, -lift]], centre)
    shape[61:64, 1], shape[65:68, 1] = 160 - gap / 2, 160 + gap / 2
    return shape


def turned(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Elsewhere, larger and rolled."""
    return shape @ np.array([[1.2, 0.7], [-0.7, 1.2]]) * 3 + (400, -90)


def test_a_mouth_is_open_from_a_tenth_of_its_width_on() -> None:
    shapes = [mouth(50 * (MOUTH_OPEN + more), 50, 2) for more in (-0.1, -0.01, 0.01, 0.3)]
    for some in (shapes, [turned(shape) for shape in shapes]):
        assert mouth_open(np.stack(some)).tolist() == [False, False, True, True]


def test_a_smile_is_wide_and_its_corners_are_up() -> None:
    wide, narrow = 55 * (SMILE_WIDTH + 0.01), 55 * (SMILE_WIDTH - 0.01)
    shapes = [
        mouth(gap, width, (SMILE_LIFT + more) * width)
        for gap in (0, 20)
        for width in (wide, narrow)
        for more in (0.01, -0.01)
    ]
    for some in (shapes, [turned(shape) for shape in shapes]):
        assert smiling(np.stack(some)).tolist() == [True, False, False, False] * 2


@pytest.mark.parametrize("call", [mouth_open, smiling])
def test_of_a_face_that_was_not_found_nothing_is_said(call: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="1 of 2 faces have no landmarks"):
        call(np.stack([MEAN, np.full_like(MEAN, np.nan)]))
