"""How much BioHash bits give away, against closed forms and the figures known of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from attacks.preimage.base import PREIMAGES, Population
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import make_scheme
from tests.attacks.preimage.directions import cosines, templates

PLAIN, STRONG = "biohash:sum", "biohash:posterior"


@pytest.mark.parametrize(("bits", "known"), [(32, 0.38), (64, 0.50), (128, 0.63), (256, 0.75)])
def test_the_sum_of_signed_gaussian_rows(bits: int, known: float) -> None:
    found = cosines(PLAIN, {"bits": bits, "orthonormal": False}, count=400).mean()
    assert found == pytest.approx(known, abs=0.02)
    assert found == pytest.approx(1 / np.sqrt(1 + np.pi / 2 * 127 / bits), abs=0.01)


def test_as_many_orthonormal_rows_as_values_give_the_mean_absolute_number() -> None:
    """The signs of all coordinates of a direction: cosine ``Σ|u| / √D``, √(2/π) on average."""
    assert cosines(PLAIN, {}, count=400).mean() == pytest.approx(np.sqrt(2 / np.pi), abs=0.005)


def best_possible(ratio: float) -> float:
    """Cosine of the posterior's mean from so many Gaussian bits a value, in the limit of many: the
    fixed point for the Bayes-optimal perceptron (M. Opper and D. Haussler, "Generalization
    performance of Bayes optimal classification algorithm for learning a perceptron", 1991)."""
    t, step = np.linspace(-8, 8, 2001, retstep=True)
    square = 0.5
    for _ in range(60):
        scaled = t * np.sqrt(square / (1 - square))
        told = 2 * norm.pdf(scaled) ** 2 / norm.cdf(scaled) / (1 - square)
        precision = ratio * step * (norm.pdf(t) * told).sum()
        square = precision / (1 + precision)
    return float(np.sqrt(square))


@pytest.mark.parametrize(("bits", "records"), [(64, 1), (256, 1), (32, 10)])
def test_no_method_finds_more_from_gaussian_bits(bits: int, records: int) -> None:
    values = {"bits": bits, "orthonormal": False}
    found = cosines(STRONG, values, count=300, records=records).mean()
    assert found == pytest.approx(best_possible(bits * records / 128), abs=0.004)


@pytest.mark.parametrize("orthonormal", [True, False])
@pytest.mark.parametrize(("bits", "gain"), [(32, 0.2), (128, 0.05), (512, 0.02)])
def test_what_faces_are_like_adds_to_it(bits: int, gain: float, orthonormal: bool) -> None:
    values = {"bits": bits, "orthonormal": orthonormal}
    plain = cosines(PLAIN, values, count=100, correlated=True).mean()
    assert cosines(STRONG, values, count=100, correlated=True).mean() > plain + gain


@pytest.mark.parametrize("orthonormal", [True, False])
@pytest.mark.parametrize("bits", [32, 128, 512])
def test_it_is_no_worse_where_no_direction_is_more_usual(bits: int, orthonormal: bool) -> None:
    values = {"bits": bits, "orthonormal": orthonormal}
    plain = cosines(PLAIN, values, count=100).mean()
    assert cosines(STRONG, values, count=100).mean() > plain - 0.003


@pytest.mark.parametrize("attack", [PLAIN, STRONG])
@pytest.mark.parametrize("correlated", [True, False])
def test_more_records_help(attack: str, correlated: bool) -> None:
    found = [
        cosines(attack, {}, records=r, count=40, correlated=correlated).mean()
        for r in (1, 2, 5, 10)
    ]
    assert found[0] < found[1] < found[2] < found[3]
    assert found[3] > (0.98 if attack == STRONG else 0.955)


def test_one_record_twice_is_one_record() -> None:
    """Bits that are heard again say nothing new of the direction, and nothing breaks."""
    scheme = make_scheme("biohash", {}, 24, "cosine")
    leaked = templates(30, 24, 2, True)
    made, keys = scheme.protect(leaked, 7)[:, None], np.full((30, 1), 7)
    attack = PREIMAGES.get(STRONG)(scheme, Population.of(templates(500, 24, 1, True)))
    once, twice = (attack.recover(made.repeat(n, 1), keys.repeat(n, 1)) for n in (1, 2))
    assert paired_similarity(once, twice, "cosine").min() > 0.95
