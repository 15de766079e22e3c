from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytorch_fid.fid_score import calculate_frechet_distance

from biometrics.metrics.frechet import Gaussian, Moments, frechet_distance, gaussian_of
from tests.biometrics.metrics.common import PROPERTY, Array

SQRTM = pytest.mark.filterwarnings("ignore:The `disp` argument is deprecated:DeprecationWarning")


def features(seed: int, n: int, dim: int) -> Array:
    """Correlated features whose spread falls over four orders of magnitude."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dim, dim)) * np.logspace(0, -2, dim)
    return rng.normal(size=(n, dim)) @ mixing + rng.normal(size=dim)


def by_pytorch_fid(x: Array, y: Array) -> float:
    moments = [m for z in (x, y) for m in (z.mean(axis=0), np.cov(z, rowvar=False))]
    return float(calculate_frechet_distance(*moments))


def by_singular_values(x: Array, y: Array) -> float:
    """The trace of the root as the nuclear norm of the product of the centred features: exact also
    where both covariances are singular."""
    a, b = ((z - z.mean(axis=0)) / np.sqrt(len(z) - 1) for z in (x, y))
    common = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    step = x.mean(axis=0) - y.mean(axis=0)
    return float(step @ step + (a**2).sum() + (b**2).sum() - 2 * common)


@SQRTM
@pytest.mark.parametrize(("n", "m", "dim"), [(200, 300, 40), (60, 500, 120)])
def test_the_value_is_that_of_pytorch_fid(n: int, m: int, dim: int) -> None:
    x, y = features(0, n, dim), features(1, m, dim)
    ours = frechet_distance(gaussian_of(x), gaussian_of(y))
    assert ours == pytest.approx(by_pytorch_fid(x, y), rel=1e-6)
    assert ours == pytest.approx(by_singular_values(x, y), rel=1e-7)
    assert ours > 1.0


@SQRTM
def test_singular_covariances_are_no_special_case() -> None:
    x, y = features(2, 30, 200), features(2, 30, 200) * 1.1 + 0.3
    ours = frechet_distance(gaussian_of(x), gaussian_of(y))
    assert ours == pytest.approx(by_singular_values(x, y), rel=1e-7)
    assert ours == pytest.approx(by_pytorch_fid(x, y), rel=1e-5)  # its sqrtm is 3.5e-6 off here
    apart = np.zeros((2, 20, 40))
    rng = np.random.default_rng(3)
    apart[0, :, :20], apart[1, :, 20:] = rng.normal(size=(2, 20, 20))  # no direction in common
    p, q = gaussian_of(apart[0]), gaussian_of(apart[1])
    step = p.mean - q.mean
    expected = step @ step + np.trace(p.covariance) + np.trace(q.covariance)
    assert frechet_distance(p, q) == pytest.approx(expected, rel=1e-9)


def test_closed_forms() -> None:
    rng = np.random.default_rng(4)
    root = rng.normal(size=(6, 6))
    covariance, step = root @ root.T, rng.normal(size=6)
    a = Gaussian(9, np.zeros(6), covariance)
    assert frechet_distance(a, Gaussian(9, step, covariance)) == pytest.approx(step @ step)
    d, e = rng.uniform(0.1, 4, size=(2, 6))
    found = frechet_distance(Gaussian(9, step, np.diag(d)), Gaussian(9, np.zeros(6), np.diag(e)))
    assert found == pytest.approx(step @ step + ((np.sqrt(d) - np.sqrt(e)) ** 2).sum())
    assert frechet_distance(a, Gaussian(9, np.zeros(6), 4 * covariance)) == pytest.approx(
        np.trace(covariance)
    )
    still = Gaussian(9, step, np.zeros((6, 6)))  # one picture, over and over: the mean face
    assert frechet_distance(a, still) == pytest.approx(step @ step + np.trace(covariance))


@PROPERTY
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 8), st.integers(1, 45))
def test_batches_change_nothing_and_the_distance_is_symmetric(
    seed: int, n: int, dim: int, batch: int
) -> None:
    x, y = features(seed, n, dim) + 1e4, features(seed + 1, n + 3, dim) + 1e4
    moments = Moments(dim)
    for start in range(0, n, batch):
        moments.add(x[start : start + batch].astype(np.float64))
    moments.add(np.empty((0, dim)))
    found = moments.gaussian()
    assert found.n == n
    np.testing.assert_allclose(found.mean, x.mean(axis=0), rtol=1e-12)
    expected = np.cov(x, rowvar=False).reshape(dim, dim)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-6, atol=1e-9)
    there, other = frechet_distance(found, gaussian_of(y)), gaussian_of(y)
    rounding = 1e-7 * (np.trace(found.covariance) + np.trace(other.covariance))
    assert there == pytest.approx(frechet_distance(other, found), rel=1e-6, abs=rounding)
    assert frechet_distance(found, found) == pytest.approx(0.0, abs=rounding)


def test_more_than_one_block_of_features_is_read() -> None:
    x = features(5, 5000, 3)
    np.testing.assert_allclose(gaussian_of(x).covariance, np.cov(x, rowvar=False), rtol=1e-10)
    assert gaussian_of(x).n == 5000


def test_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected features \[B, 3\], got \[2, 4\]"):
        Moments(3).add(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="not finite"):
        gaussian_of(np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="two feature vectors or more, got 1"):
        gaussian_of(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="features of 2 and 3 numbers"):
        frechet_distance(gaussian_of(features(0, 5, 2)), gaussian_of(features(0, 5, 3)))
