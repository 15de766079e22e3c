"""Ridge regression against scikit-learn, and its errors against leaving out each row in turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from biometrics.ridge import leave_one_out, solve_ridge


@pytest.mark.parametrize("count", [50, 7, 6, 5])
@pytest.mark.parametrize("ridge", [1e-3, 0.1, 3.0])
def test_weights_equal_scikit_learns(ridge: float, count: int) -> None:
    """Of more vectors than values, of as many, and of fewer."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((count, 7)) @ rng.standard_normal((7, 7)) + 4).astype(np.float32)
    # Not centred: there is no intercept.
    y = rng.standard_normal((count, 3)).astype(np.float32) + 0.2
    mean, weights = solve_ridge(x, y, ridge)
    alpha = ridge * count * float(x.astype(np.float64).var(axis=0).mean())
    oracle = Ridge(alpha=alpha, fit_intercept=False).fit(x - x.mean(axis=0, dtype=np.float64), y)
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(weights, oracle.coef_.T, rtol=1e-4, atol=1e-5)


def test_templates_that_are_all_alike_give_nothing() -> None:
    x = np.full((30, 4), 0.5, dtype=np.float32)
    y = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    _, weights = solve_ridge(x, y, 0.01)
    assert np.array_equal(weights, np.zeros((4, 2), dtype=np.float32))


def left_out_one_by_one(
    x: NDArray[np.float64], y: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    """Squared error of each row, predicted by scikit-learn's regression on the others."""
    alpha = ridge * len(x) * float(x.var(axis=0).mean())
    errors = []
    for row in range(len(x)):
        rest = np.arange(len(x)) != row
        model = Ridge(alpha=alpha, solver="svd").fit(x[rest], y[rest])
        errors.append(((model.predict(x[row : row + 1]) - y[row]) ** 2).sum())
    return np.array(errors)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(3, 12),
    dim=st.integers(1, 14),
    targets=st.integers(1, 3),
    exponent=st.integers(-4, 2),
    seed=st.integers(0, 2**16),
)
def test_the_closed_form_equals_leaving_out_each_row(
    n: int, dim: int, targets: int, exponent: int, seed: int
) -> None:
    """More values than rows among them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dim)) * rng.uniform(0.2, 5, dim) + 3
    y = rng.standard_normal((n, targets)) - 7
    ridge = 10.0**exponent
    wanted = left_out_one_by_one(x, y, ridge).mean()
    assert leave_one_out(x, y, [1.0, ridge])[1] == pytest.approx(wanted, rel=1e-5)


def test_two_rows_predict_each_other() -> None:
    x, y = np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[1.0], [4.0]])
    assert leave_one_out(x, y, [1e-6, 1.0]) == pytest.approx([9.0, 9.0])


def test_rows_that_are_all_alike_leave_the_mean_of_the_others() -> None:
    y = np.array([[0.0], [0.0], [3.0]])
    assert leave_one_out(np.ones((3, 4)), y, [0.1]) == pytest.approx([(1.5**2 * 2 + 9) / 3])
