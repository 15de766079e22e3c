from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr

from attacks.preimage.base import PREIMAGES, Population, preimages_of
from attacks.preimage.quantise import SOFTNESS, probit_map
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import Vectors, make_scheme
from biometrics.protection.quantise import Quantise
from tests.biometrics.protection.crowd import DIM, crowd

ATTACKERS = crowd(3000, 8, pictures=1).vectors
LEAKED = crowd(200, 2).vectors
POPULATION = Population.of(ATTACKERS)


def fitted(bits: int) -> Quantise:
    scheme = make_scheme("quantise", {"bits": bits}, DIM, "l2").fit(crowd(600, 1))
    assert isinstance(scheme, Quantise)
    return scheme


def recovered(name: str, scheme: Quantise) -> Vectors:
    stored = scheme.protect(LEAKED, 0)[:, None]
    keys = np.zeros(stored.shape[:2], dtype=np.int64)
    return PREIMAGES.get(name)(scheme, POPULATION).recover(stored, keys)


def near(found: NDArray[np.floating]) -> float:
    mean = POPULATION.mean
    return float(paired_similarity(found - mean, LEAKED - mean, "cosine").mean())


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_the_linear_estimate_is_the_regression_on_what_the_attacker_protects_himself(
    bits: int,
) -> None:
    scheme = fitted(bits)
    own = np.column_stack([scheme.protect(ATTACKERS, 0), np.ones(len(ATTACKERS))])
    weights = np.linalg.lstsq(own, ATTACKERS, rcond=None)[0]
    expected = np.column_stack([scheme.protect(LEAKED, 0), np.ones(len(LEAKED))]) @ weights
    found = recovered("quantise:linear", scheme)
    assert near(found) == pytest.approx(near(expected), abs=0.01)
    assert (
        paired_similarity(found - POPULATION.mean, expected - POPULATION.mean, "cosine").mean()
        > 0.99
    )


@pytest.mark.parametrize("functions", [None, 10])
def test_the_likeliest_template_is_the_one_that_a_general_optimiser_finds(
    functions: int | None,
) -> None:
    random = np.random.default_rng(0)
    rows = None if functions is None else random.normal(size=(functions, DIM))
    matrix = np.eye(DIM) if rows is None else rows
    centre = crowd(600, 1).vectors.mean(axis=0)
    signs = np.where((LEAKED[:2] - centre) @ matrix.T >= 0, 1.0, -1.0)
    soft = SOFTNESS * np.sqrt(np.diag(matrix @ POPULATION.covariance @ matrix.T))
    root = np.linalg.cholesky(POPULATION.covariance)
    found = probit_map(signs, POPULATION, centre, rows)
    for sign, row in zip(signs, found, strict=True):

        def cost(place: NDArray[np.float64], sign: NDArray[np.float64] = sign) -> float:
            template = POPULATION.mean + root @ place
            told = log_ndtr(sign * (matrix @ (template - centre)) / soft).sum()
            return float(place @ place / 2 - told)

        best = minimize(cost, np.zeros(DIM), method="BFGS", options={"gtol": 1e-4})
        reached = cost(np.linalg.solve(root, row - POPULATION.mean))
        assert reached <= best.fun + 1e-3
        np.testing.assert_allclose(row, POPULATION.mean + root @ best.x, atol=0.02)


def test_from_signs_the_posterior_beats_the_linear_estimate_and_this_the_signs() -> None:
    scheme = fitted(1)
    signs = scheme.protect(LEAKED, 0) * np.sqrt(np.diag(POPULATION.covariance))
    found = {name: near(recovered(name, scheme)) for name in preimages_of("quantise")}
    assert found["quantise:posterior"] > found["quantise:linear"] + 0.005
    assert found["quantise:linear"] > near(signs + scheme.mean) + 0.02


def test_with_more_bits_the_template_comes_back_the_closer_and_nearly_whole_with_eight() -> None:
    quality = [near(recovered("quantise:posterior", fitted(bits))) for bits in (1, 2, 3, 8)]
    assert np.diff(quality).min() > 0
    assert quality[-1] > 0.999


@pytest.mark.parametrize("bits", [2, 3])
def test_knowing_people_helps_with_few_levels(bits: int) -> None:
    scheme = fitted(bits)
    assert near(recovered("quantise:posterior", scheme)) > near(scheme.protect(LEAKED, 0)) + 0.001
