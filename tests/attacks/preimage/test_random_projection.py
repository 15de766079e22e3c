"""Projections undone, against the textbook's formulas on all equations at once."""

from __future__ import annotations

import numpy as np
import pytest

from attacks.preimage.base import PREIMAGES, Matrix, Population
from biometrics.errors import InputError
from biometrics.protection.base import Enrolled, make_scheme
from biometrics.protection.random_projection import RandomProjection
from tests.attacks.preimage.directions import cosines, templates

PLAIN, STRONG = "random-projection:pseudo-inverse", "random-projection:posterior"
DIM = 12


@pytest.mark.parametrize(("length", "known"), [(32, 0.50), (64, 0.71), (128, 1.00)])
def test_a_key_gives_back_as_much_as_it_lets_through(length: int, known: float) -> None:
    found = cosines(PLAIN, {"length": length}, count=300).mean()
    assert found == pytest.approx(known, abs=0.02)
    assert found == pytest.approx(np.sqrt(length / 128), abs=0.01)


@pytest.mark.parametrize("records", [1, 2, 3])
@pytest.mark.parametrize("length", [16, 64])
def test_what_faces_are_like_adds_to_it(length: int, records: int) -> None:
    plain = cosines(PLAIN, {"length": length}, records=records, correlated=True).mean()
    strong = cosines(STRONG, {"length": length}, records=records, correlated=True).mean()
    assert 1 - strong < 0.65 * (1 - plain) + 1e-4


@pytest.mark.parametrize("attack", [PLAIN, STRONG])
def test_more_records_help_until_nothing_is_missing(attack: str) -> None:
    found = [cosines(attack, {"length": 24}, records=r, count=60).mean() for r in (1, 2, 5, 10)]
    assert found[0] < found[1] < found[2] < found[3]
    assert found[3] > 0.999


def scheme_and_records() -> tuple[RandomProjection, Matrix, Matrix, Matrix]:
    """A fitted scheme of 5 rows, templates [9, D], and 3 records of each with their keys."""
    scheme = make_scheme("random-projection", {"length": 5}, DIM, "cosine")
    rng = np.random.default_rng(3)
    vectors = (rng.standard_normal((9, DIM)) + 2.0).astype(np.float32)
    crowd = rng.standard_normal((200, DIM)).astype(np.float32) + 2.0
    scheme.fit(Enrolled(crowd, np.full(200, "a")))
    keys = rng.integers(0, 4, (9, 3))
    keys[0] = 2  # one record thrice says nothing new
    protected = np.stack([scheme.protect_each(vectors, some) for some in keys.T], axis=1)
    assert isinstance(scheme, RandomProjection)
    return scheme, vectors, protected, keys


def away(scheme: RandomProjection, found: Matrix) -> Matrix:
    rows = found.astype(np.float64) - scheme.mean
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_least_squares_equals_numpys_pseudo_inverse() -> None:
    scheme, _, protected, keys = scheme_and_records()
    population = Population.of(templates(99, DIM, 1, True))
    found = away(scheme, PREIMAGES.get(PLAIN)(scheme, population).recover(protected, keys))
    for row, records, under in zip(found, protected, keys, strict=True):
        stacked = np.concatenate([scheme.rows(int(key)) for key in under])
        wanted = np.linalg.pinv(stacked, rcond=1e-4) @ records.ravel()
        np.testing.assert_allclose(row, wanted / np.linalg.norm(wanted), atol=1e-4)


def test_the_posterior_equals_the_formula_of_conditional_gaussians() -> None:
    """μ + C Aᵀ (A C Aᵀ)⁻¹ (p - A μ) over the stacked rows of different keys."""
    scheme, _, protected, keys = scheme_and_records()
    keys[:, 1:] = keys[:, :1] + np.array([1, 2])  # no key twice
    rows = np.random.default_rng(8).standard_normal((500, DIM)) * np.arange(1, DIM + 1) + 2.1
    population = Population.of(rows.astype(np.float32))
    prior = (population.mean - scheme.mean) / population.length
    covariance = population.covariance / population.length**2
    for count in (1, 2):
        some, under = protected[:, :count], keys[:, :count]
        found = away(scheme, PREIMAGES.get(STRONG)(scheme, population).recover(some, under))
        for row, records, each in zip(found, some, under, strict=True):
            a = np.concatenate([scheme.rows(int(key)) for key in each])
            gain = covariance @ a.T @ np.linalg.inv(a @ covariance @ a.T)
            wanted = prior + gain @ (records.ravel() - a @ prior)
            np.testing.assert_allclose(row, wanted / np.linalg.norm(wanted), atol=1e-4)


def test_templates_lie_at_the_usual_length_from_the_schemes_mean() -> None:
    scheme, vectors, protected, keys = scheme_and_records()
    population = Population.of(vectors)
    for attack in (PLAIN, STRONG):
        found = PREIMAGES.get(attack)(scheme, population).recover(protected, keys)
        length = np.linalg.norm(found - scheme.mean, axis=1)
        np.testing.assert_allclose(length, population.length, rtol=1e-5)
    nothing = PREIMAGES.get(PLAIN)(scheme, population).recover(0 * protected, keys)
    assert np.array_equal(nothing, np.tile(scheme.mean, (9, 1)))


def test_what_does_not_fit_the_scheme_is_refused() -> None:
    scheme, vectors, protected, keys = scheme_and_records()
    attack = PREIMAGES.get(STRONG)
    with pytest.raises(InputError, match="on 'random-projection' cannot undo BioHash"):
        attack(make_scheme("biohash", {}, DIM, "cosine"), Population.of(vectors))
    with pytest.raises(InputError, match="templates of 12 values, the population's have 11"):
        attack(scheme, Population.of(vectors[:, 1:]))
    with pytest.raises(InputError, match="have 5 numbers, got 4"):
        attack(scheme, Population.of(vectors)).recover(protected[:, :, 1:], keys)
