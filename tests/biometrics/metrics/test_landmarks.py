from __future__ import annotations

import numpy as np
import pytest

from biometrics.faces.geometry import REGIONS
from biometrics.metrics.landmarks import is_near, landmark_mse, per_point_error, region_mse
from tests.biometrics.metrics.common import Array


def points(seed: int, n: int, size: int = 224) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(size / 2, size / 6, size=(n, 68, 2))


def test_the_papers_own_example_of_equation_one() -> None:
    # Nagm et al. 2026: an error of 40 in one coordinate is an MSE of 11.76; 10 everywhere is 100
    true = points(8, 3)
    made = true.copy()
    made[0, 30, 1] += 40
    made[1] += 10
    np.testing.assert_allclose(landmark_mse(made, true), [1600 / 136, 100, 0], atol=1e-9)
    assert landmark_mse(made, true)[0] == pytest.approx(11.76, abs=0.01)


def test_the_error_of_a_face_is_the_mean_of_its_points() -> None:
    made, true = points(9, 4).astype(np.float32), points(10, 4).astype(np.float32)
    each = per_point_error(made, true)
    assert each.shape == (4, 68)
    np.testing.assert_allclose(each.mean(axis=1), landmark_mse(made, true))
    x, y = (made - true)[2, 5].astype(float)
    assert each[2, 5] == pytest.approx((x * x + y * y) / 2)


def test_a_face_without_predicted_points_has_no_error() -> None:
    made = points(11, 2)
    made[1] = np.nan
    assert np.isnan(landmark_mse(made, points(12, 2))).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"expected landmarks \[N, 68, 2\]"):
        landmark_mse(made[:, :5], made[:, :5])


def test_regions_average_to_the_whole_and_see_only_their_own_points() -> None:
    made, true = points(13, 3), points(14, 3)
    found = region_mse(made, true)
    sizes = {name: len(range(*part.indices(68))) for name, part in REGIONS.items()}
    assert sum(sizes.values()) == 68
    whole = sum(sizes[name] * errors for name, errors in found.items()) / 68
    np.testing.assert_allclose(whole, landmark_mse(made, true))
    moved = true.copy()
    moved[:, 48:68, 1] += 3  # the mouth, in y only: 9 / 2
    expected = {"jaw": 0.0, "brows": 0.0, "nose": 0.0, "eyes": 0.0, "mouth": 4.5}
    assert {k: float(v[0]) for k, v in region_mse(moved, true).items()} == pytest.approx(expected)


def test_a_face_without_points_is_not_near() -> None:
    assert is_near(np.array([0.0, 29.99, 30.0, np.nan])).tolist() == [True, True, False, False]
    assert is_near(np.array([0.5, 2.0]), 1.0).tolist() == [True, False]
