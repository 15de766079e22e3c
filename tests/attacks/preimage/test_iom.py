"""How much Index-of-Max winners give away, against closed forms and the figures known of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from attacks.preimage.base import PREIMAGES, Population
from attacks.preimage.iom_urp import _others, _Products
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import Vectors, make_scheme
from biometrics.protection.iom_urp import IomUrp
from tests.attacks.preimage.directions import cosines, templates

SUM, STRONG, URP = "iom-grp:sum", "iom-grp:posterior", "iom-urp:posterior"


def expected_largest(choices: int) -> float:
    """Of standard normal numbers."""
    return float(quad(lambda x: choices * x * norm.pdf(x) * norm.cdf(x) ** (choices - 1), -9, 9)[0])


@pytest.mark.parametrize(("hashes", "choices"), [(256, 32), (256, 16), (32, 8)])
def test_the_sum_of_winning_rows(hashes: int, choices: int) -> None:
    found = cosines(SUM, {"hashes": hashes, "choices": choices}, count=100).mean()
    largest = expected_largest(choices)
    noise = (1 - 1 / choices) * 127 / hashes
    assert found == pytest.approx(largest / np.sqrt(largest**2 + noise), abs=0.01)
    if (hashes, choices) == (256, 32):
        assert found == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("correlated", [True, False])
@pytest.mark.parametrize(("hashes", "gain"), [(16, 0.01), (256, 0.03)])
def test_the_posterior_finds_more(hashes: int, gain: float, correlated: bool) -> None:
    values = {"hashes": hashes, "choices": 8}
    plain = cosines(SUM, values, count=60, correlated=correlated).mean()
    assert cosines(STRONG, values, count=60, correlated=correlated).mean() > plain + gain


@pytest.mark.parametrize("attack", [SUM, STRONG])
def test_more_records_help(attack: str) -> None:
    values = {"hashes": 32, "choices": 8}
    found = [
        cosines(attack, values, records=r, count=30, correlated=True).mean() for r in (1, 2, 5, 10)
    ]
    assert found[0] < found[1] < found[2] < found[3]
    assert found[3] > (0.97 if attack == STRONG else 0.88)


@pytest.mark.parametrize("correlated", [True, False])
def test_two_products_give_all_but_the_sign(correlated: bool) -> None:
    one, two = (np.abs(cosines(URP, {}, count=8, records=r, correlated=correlated)) for r in (1, 2))
    assert one.min() > 0.9
    assert one.mean() > 0.96
    assert two.mean() > one.mean()


def test_three_products_give_the_sign_too() -> None:
    values = {"products": 3, "window": 8}
    assert cosines(URP, values, count=12, dim=32, correlated=True).mean() > 0.95


def test_the_sign_is_guessed_as_the_population_has_it() -> None:
    """Templates that all lie on one side of the scheme's mean have the code of the other side."""
    rng = np.random.default_rng(2)
    scheme = make_scheme("iom-urp", {"window": 8}, 32, "cosine")
    rows: Vectors = (rng.standard_normal((300, 32)) + 0.8).astype(np.float32)
    protected, keys = scheme.protect(rows[:12], 1)[:, None], np.ones((12, 1), dtype=np.int64)
    attack = PREIMAGES.get(URP)
    right = attack(scheme, Population.of(rows)).recover(protected, keys)
    assert paired_similarity(right, rows[:12], "cosine").min() > 0.9
    mirrored = attack(scheme, Population.of(-rows)).recover(protected, keys)
    assert paired_similarity(mirrored, rows[:12], "cosine").max() < -0.9


def test_slopes_of_products_go_back_to_the_values_that_they_are_made_of() -> None:
    """Against the derivative of the summed products, by steps."""
    scheme = make_scheme("iom-urp", {"hashes": 3, "window": 4, "products": 3}, 9, "cosine")
    rng = np.random.default_rng(0)
    at, weights = rng.standard_normal((5, 9)), rng.standard_normal((5, 12))
    assert isinstance(scheme, IomUrp)
    products = _Products(scheme.places(2), 9)

    def summed(directions: np.ndarray) -> np.ndarray:
        return (weights * products.factors(directions).prod(axis=1)).sum(axis=1)

    found = products.gather(weights[:, None] * _others(products.factors(at)))
    for value in range(9):
        step = np.zeros(9)
        step[value] = 1e-5
        slope = (summed(at + step) - summed(at - step)) / 2e-5
        np.testing.assert_allclose(found[:, value], slope, rtol=1e-4, atol=1e-5)


def test_a_value_that_no_hash_looks_at_is_not_lost() -> None:
    leaked = templates(6, 40, 2, True)
    scheme = make_scheme("iom-urp", {"hashes": 2, "window": 3}, 40, "cosine")
    attack = PREIMAGES.get(URP)(scheme, Population.of(templates(300, 40, 1, True)))
    found = attack.recover(scheme.protect(leaked, 0)[:, None], np.zeros((6, 1), dtype=np.int64))
    assert np.isfinite(found).all()
