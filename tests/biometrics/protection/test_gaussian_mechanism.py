from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from biometrics.protection.gaussian_mechanism import (
    gaussian_delta,
    gaussian_epsilon,
    gaussian_sigma,
)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("sigma", [0.7, 2.0, 5.0])
@pytest.mark.parametrize("sensitivity", [1.0, 2.0])
def test_delta_is_the_mass_by_which_one_density_exceeds_the_other(
    epsilon: float, sigma: float, sensitivity: float
) -> None:
    """Two inputs at the largest distance, seen along the line between them: by integration."""

    def excess(x: float) -> float:
        there, here = norm.pdf(x, sensitivity, sigma), norm.pdf(x, 0.0, sigma)
        return float(max(there - math.exp(epsilon) * here, 0.0))

    # Where the two densities cross; the excess is zero to the left of it.
    start = sensitivity / 2 + epsilon * sigma**2 / sensitivity
    expected = quad(excess, start, start + 40 * sigma, epsabs=1e-14, limit=200)[0]
    found = gaussian_delta(epsilon, sigma, sensitivity)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 2000.0), st.floats(1e-9, 0.2), st.floats(0.1, 5.0))
def test_sigma_and_epsilon_undo_each_other(epsilon: float, delta: float, size: float) -> None:
    sigma = gaussian_sigma(epsilon, delta, size)
    assert gaussian_epsilon(sigma, delta, size) == pytest.approx(epsilon, rel=1e-6)
    assert gaussian_delta(epsilon, sigma, size) <= delta
    assert gaussian_delta(epsilon, sigma * 0.999, size) > delta


@pytest.mark.parametrize("epsilon", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("delta", [1e-3, 1e-5, 1e-9])
def test_less_noise_is_needed_than_the_classical_bound_asks_for(
    epsilon: float, delta: float
) -> None:
    classical = math.sqrt(2 * math.log(1.25 / delta)) * 2.0 / epsilon
    exact = gaussian_sigma(epsilon, delta, 2.0)
    assert 0.3 * classical < exact < classical


def test_more_noise_is_more_private() -> None:
    sigmas = np.geomspace(0.01, 50, 30)
    found = [gaussian_epsilon(float(sigma), 1e-5, 2.0) for sigma in sigmas]
    assert np.diff(found).max() < 0
    assert found[0] > 20_000, "and little noise hardly at all"


def test_noise_that_drowns_everything_needs_no_epsilon() -> None:
    assert gaussian_epsilon(1e6, 1e-5, 2.0) == 0.0


@pytest.mark.parametrize("delta", [0.0, 1.0, -1.0])
def test_a_delta_that_is_no_probability_is_refused(delta: float) -> None:
    for call in (gaussian_epsilon, gaussian_sigma):
        with pytest.raises(ValueError, match="delta lies between 0 and 1"):
            call(1.0, delta, 2.0)


@pytest.mark.parametrize(("epsilon", "sigma", "size"), [(-1, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_impossible_noise_is_refused(epsilon: float, sigma: float, size: float) -> None:
    with pytest.raises(ValueError, match="epsilon must be at least 0"):
        gaussian_delta(epsilon, sigma, size)
