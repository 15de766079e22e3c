"""What bits and winners tell, against derivatives taken by steps, and posterior means, against
directions drawn from the prior of which only those with the same code are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from attacks.preimage.base import PREIMAGES, Matrix, Population
from attacks.preimage.biohash import tell_bits
from attacks.preimage.direction_attack import Prior
from attacks.preimage.winners import GUMBEL, tell_winners
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import Centred, Enrolled, make_scheme

STEP = 1e-3


def by_steps(likelihood: Callable[[Matrix], Matrix], at: Matrix) -> tuple[Matrix, Matrix]:
    """First and minus second derivatives of a log likelihood [B] in each column of [B, P]."""
    slope, bend = np.empty_like(at), np.empty_like(at)
    for column in range(at.shape[1]):
        step = np.zeros_like(at)
        step[:, column] = STEP
        low, middle, high = (likelihood(at + side * step) for side in (-1, 0, 1))
        slope[:, column] = (high - low) / (2 * STEP)
        bend[:, column] = -(high - 2 * middle + low) / STEP**2
    return slope, bend


def test_a_bit_tells_what_a_gaussian_value_of_its_sign_does() -> None:
    rng = np.random.default_rng(0)
    expected, deviation = rng.normal(size=(6, 5)) * 2, rng.uniform(0.5, 2, size=(6, 1))
    codes = np.where(rng.random((6, 5)) < 0.5, 0.3, -0.3)
    told = tell_bits(*(v.astype(np.float32) for v in (expected, deviation, codes)))
    slope, bend = by_steps(
        lambda at: norm.logcdf(np.sign(codes) * at / deviation).sum(axis=1), expected
    )
    np.testing.assert_allclose(told.slope, slope, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(told.curvature, bend, rtol=1e-3, atol=1e-3)


def test_a_bit_that_is_sure_or_wrong_beyond_doubt_tells_a_finite_thing() -> None:
    expected = np.array([[-80.0, -15.0, 15.0, 80.0]], dtype=np.float32)
    told = tell_bits(expected, np.ones((1, 1), np.float32), np.ones((1, 4), np.float32))
    np.testing.assert_allclose(told.slope, [[80.0125, 15.066, 0.0, 0.0]], rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(told.curvature, [[1.0, 1.0, 0.0, 0.0]], atol=0.02)


def test_a_winner_tells_what_a_softmax_does() -> None:
    rng = np.random.default_rng(1)
    expected, deviation = rng.normal(size=(4, 6)) * 2, rng.uniform(0.5, 2, size=(4, 1))
    winners = rng.integers(0, 3, (4, 2))
    codes = np.eye(3, dtype=np.float32)[winners].reshape(4, 6)

    def likelihood(at: Matrix) -> Matrix:
        scaled = (at * np.pi / np.sqrt(6) / deviation).reshape(4, 2, 3)
        won = np.take_along_axis(scaled, winners[:, :, None], axis=2)[:, :, 0]
        return (won - np.log(np.exp(scaled).sum(axis=2))).sum(axis=1)

    told = tell_winners(expected.astype(np.float32), deviation.astype(np.float32), codes, 2)
    slope, bend = by_steps(likelihood, expected)
    np.testing.assert_allclose(told.slope, slope, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(told.curvature, bend, rtol=1e-3, atol=1e-3)


def test_a_winner_far_behind_tells_a_finite_thing() -> None:
    expected = np.array([[0.0, 9000.0, -9000.0]], dtype=np.float32)
    codes = np.array([[1.0, 0.0, 0.0]], dtype=np.float32)
    told = tell_winners(expected, np.ones((1, 1), np.float32), codes, 1)
    np.testing.assert_allclose(told.slope, [[GUMBEL, -GUMBEL, 0.0]], atol=1e-5)
    assert np.isfinite(told.curvature).all()


@pytest.mark.parametrize(
    ("attack", "values", "least"),
    [
        ("biohash:posterior", {"bits": 4}, 0.995),
        ("biohash:posterior", {"bits": 7, "orthonormal": False}, 0.985),
        ("iom-grp:posterior", {"hashes": 3, "choices": 3}, 0.985),
    ],
)
def test_the_mean_of_all_directions_with_that_code(
    attack: str, values: dict[str, Any], least: float
) -> None:
    """Of 200,000 draws from the attacker's own prior; the mean of the prior is not zero."""
    rng, dim, key = np.random.default_rng(4), 4, 3
    rows = rng.normal(size=(400, dim)) * [1.0, 0.8, 0.5, 0.4] + [3.0, 1.0, 0.0, 0.0]
    population = Population.of(rows.astype(np.float32))
    scheme = make_scheme(attack.partition(":")[0], values, dim, "cosine")
    assert isinstance(scheme, Centred)
    scheme.fit(Enrolled((rows - [0.8, 0.0, 0.0, 0.0]).astype(np.float32), np.full(400, "a")))
    drawn = rng.multivariate_normal(population.mean, population.covariance, 200_000)
    codes = scheme.protect(drawn.astype(np.float32), key)
    leaked = scheme.protect(rows[:40].astype(np.float32), key)
    means = []
    for code in leaked:
        alike = drawn[(codes == code).all(axis=1)]
        assert len(alike) > 30
        means.append(alike.mean(axis=0) - scheme.mean)
    found = PREIMAGES.get(attack)(scheme, population)
    recovered = found.recover(leaked[:, None], np.full((40, 1), key)) - scheme.mean
    alike = paired_similarity(recovered, np.array(means), "cosine")
    assert alike.mean() > least


def test_the_prior_is_of_directions_along_its_axes() -> None:
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(300, 5)) * np.arange(1, 6) + 1.0
    population = Population.of(rows)
    scheme = make_scheme("biohash", {}, 5, "cosine")
    assert isinstance(scheme, Centred)
    prior = Prior.of(scheme, population)
    np.testing.assert_allclose(
        prior.axes @ np.diag(prior.variances) @ prior.axes.T * population.length**2,
        population.covariance,
        atol=1e-9,
    )
    np.testing.assert_allclose(prior.axes @ prior.mean * population.length, population.mean)
    flat = Prior.of(scheme, Population(population.mean, np.zeros((5, 5)), 0.0, rows))
    assert (flat.variances > 0).all()
