from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.preimage.base import Population
from attacks.preimage.noise import NoisePosterior
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import Vectors, make_scheme
from biometrics.protection.noise import Noise
from tests.biometrics.protection.crowd import DIM, crowd

LEAKED = crowd(200, 2).vectors
POPULATION = Population.of(crowd(900, 8).vectors)


def noisy(sigma: float) -> Noise:
    scheme = make_scheme("noise", {"sigma": sigma}, DIM, "l2").fit(crowd(400, 1))
    assert isinstance(scheme, Noise)
    return scheme


def recovered(scheme: Noise, records: Vectors) -> Vectors:
    keys = np.zeros(records.shape[:2], dtype=np.int64)
    return NoisePosterior(scheme, POPULATION).recover(records, keys)


def near(found: NDArray[np.floating]) -> float:
    mean = POPULATION.mean
    return float(paired_similarity(found - mean, LEAKED - mean, "cosine").mean())


@pytest.mark.parametrize("records", [1, 3])
def test_the_estimate_solves_the_normal_equations_of_prior_and_records(records: int) -> None:
    """In the precision form, which has no matrix in common with the code."""
    scheme = noisy(0.3)
    stored = np.stack([scheme.protect(LEAKED, 0)] * records, axis=1)
    stored[:, 1:] += np.arange(1, records)[:, None] * np.float32(0.01)
    length = POPULATION.length
    inverse = np.linalg.inv(POPULATION.covariance) * length**2
    start = (POPULATION.mean - scheme.mean) / length
    seen = stored.astype(np.float64).sum(axis=1) / scheme.sigma**2
    known = inverse + records / scheme.sigma**2 * np.eye(DIM)
    expected = np.linalg.solve(known, (inverse @ start)[:, None] + seen.T).T
    expected *= length / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(recovered(scheme, stored), expected + scheme.mean, atol=1e-3)


def test_without_noise_the_direction_comes_back_whole() -> None:
    scheme = noisy(1e-6)
    found = recovered(scheme, scheme.protect(LEAKED, 0)[:, None]) - scheme.mean
    np.testing.assert_allclose(
        scheme.directions(found + scheme.mean), scheme.directions(LEAKED), atol=2e-5
    )
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), POPULATION.length, rtol=1e-5)


def test_knowing_people_helps_against_noise() -> None:
    scheme = noisy(0.2)
    stored = scheme.protect(LEAKED, 0)
    assert near(recovered(scheme, stored[:, None])) > near(stored + scheme.mean) + 0.03


def test_a_record_that_comes_twice_says_nothing_new_and_another_does() -> None:
    scheme = noisy(0.3)
    one = scheme.protect(LEAKED, 0)
    random = np.random.default_rng(0)
    fresh = scheme.directions(LEAKED) + scheme.sigma * random.normal(size=LEAKED.shape)
    alone = recovered(scheme, one[:, None])
    twice = recovered(scheme, np.stack([one, one, one], axis=1))
    np.testing.assert_array_equal(twice, alone)
    other = fresh.astype(np.float32)
    both = recovered(scheme, np.stack([one, other], axis=1))
    assert near(both) > near(alone) + 0.03
    np.testing.assert_array_equal(recovered(scheme, np.stack([one, other, one], axis=1)), both)
