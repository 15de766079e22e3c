"""Index-of-Max hashing against plain loops, and its cosine against the share of equal winners."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biometrics.errors import ConfigError
from biometrics.metrics.scores import similarity_matrix
from biometrics.protection.base import Enrolled, make_scheme
from biometrics.protection.codes import (
    bits_as_vectors,
    vectors_as_signs,
    vectors_as_winners,
    winners_as_vectors,
)
from biometrics.protection.iom_grp import IomGrp
from biometrics.protection.iom_urp import IomUrp

DIM = 10


def grp(hashes: int = 256, choices: int = 16) -> IomGrp:
    scheme = make_scheme("iom-grp", {"hashes": hashes, "choices": choices}, DIM, "cosine")
    assert isinstance(scheme, IomGrp)
    return scheme


def urp(hashes: int = 256, window: int = 5, products: int = 2, dim: int = DIM) -> IomUrp:
    values = {"hashes": hashes, "window": window, "products": products}
    scheme = make_scheme("iom-urp", values, dim, "cosine")
    assert isinstance(scheme, IomUrp)
    return scheme


def templates(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)


def away_from_mean(scheme: IomGrp | IomUrp, vectors: np.ndarray) -> list[list[float]]:
    scheme.fit(Enrolled(templates(20, 1), np.full(20, "a")))
    mean = templates(20, 1).mean(axis=0, dtype=np.float64).astype(np.float32)
    return [[float(v) - float(m) for v, m in zip(row, mean, strict=True)] for row in vectors]


def assert_largest(values: list[float], winner: int) -> None:
    """But for rounding: products of the same numbers in another order are a tie, too."""
    size = max(abs(value) for value in values)
    assert values[winner] >= max(values) - 1e-6 * size


@settings(max_examples=60, deadline=None)
@given(hashes=st.integers(1, 12), choices=st.integers(2, 9), key=st.integers(0, 2**40))
def test_a_gaussian_hash_is_the_place_of_the_largest_projection(
    hashes: int, choices: int, key: int
) -> None:
    scheme, vectors = grp(hashes, choices), templates(3, key % 1000)
    rows = away_from_mean(scheme, vectors)
    groups = scheme.rows(key).reshape(hashes, choices, DIM)
    found = vectors_as_winners(scheme.protect(vectors, key), choices).tolist()
    for away, winners in zip(rows, found, strict=True):
        for group, winner in zip(groups, winners, strict=True):
            values = [sum(a * r for a, r in zip(away, row, strict=True)) for row in group.tolist()]
            assert_largest(values, winner)


@settings(max_examples=60, deadline=None)
@given(
    hashes=st.integers(1, 12),
    window=st.integers(2, DIM),
    products=st.integers(1, 4),
    key=st.integers(0, 2**40),
)
def test_a_permuted_hash_is_the_place_of_the_largest_product(
    hashes: int, window: int, products: int, key: int
) -> None:
    scheme, vectors = urp(hashes, window, products), templates(3, key % 1000)
    rows = away_from_mean(scheme, vectors)
    places = scheme.places(key).tolist()
    found = vectors_as_winners(scheme.protect(vectors, key), window).tolist()
    for away, winners in zip(rows, found, strict=True):
        for h, winner in enumerate(winners):
            values = [
                math.prod(away[places[j][h][i]] for j in range(products)) for i in range(window)
            ]
            assert_largest(values, winner)


def test_each_factor_of_each_hash_is_a_permutation_of_its_own() -> None:
    places = urp(50, DIM, 3).places(6).reshape(150, DIM)
    assert np.array_equal(np.sort(places, axis=1), np.tile(np.arange(DIM), (150, 1)))
    assert len(np.unique(places, axis=0)) == 150
    first = urp(2000, DIM, 1).places(0)[0, :, 0]  # every value comes first equally often
    assert np.abs(np.bincount(first, minlength=DIM) - 200).max() < 4.5 * math.sqrt(200)
    with pytest.raises(ValueError, match="read-only"):
        places[0, 0] = 1


@pytest.mark.parametrize("scheme", [grp(60, 7), urp(60, 7)])
def test_the_cosine_is_the_share_of_equal_winners(scheme: IomGrp | IomUrp) -> None:
    made = scheme.protect(templates(12), 2)
    winners = vectors_as_winners(made, 7)
    share = (winners[:, None] == winners[None]).mean(axis=2)
    np.testing.assert_allclose(similarity_matrix(made, made, "cosine"), share, atol=1e-6)


def test_chance_winners_agree_once_in_q() -> None:
    made = grp(4000, 8).protect(templates(2), 0)
    other = grp(4000, 8).protect(templates(2), 1)
    assert similarity_matrix(made, other, "cosine").mean() == pytest.approx(1 / 8, abs=0.02)


@pytest.mark.parametrize(("products", "same"), [(1, False), (2, True), (3, False), (4, True)])
def test_an_even_number_of_products_hides_the_sign(products: int, same: bool) -> None:
    scheme, vectors = urp(products=products), templates(6)
    mirrored = scheme.protect(-vectors, 1)
    assert np.array_equal(mirrored, scheme.protect(vectors, 1)) == same


@pytest.mark.parametrize(("choices", "bits"), [(2, 1), (3, 2), (8, 3), (9, 4)])
def test_a_winner_takes_the_bits_of_its_number(choices: int, bits: int) -> None:
    assert grp(100, choices).stored_bits == 100 * bits
    assert urp(100, choices).stored_bits == 100 * bits
    assert grp(100, choices).protect(templates(2), 0).shape == (2, 100 * choices)


def test_a_window_wider_than_a_template_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'window': templates have 4 values, got a window of 5"):
        urp(window=5, dim=4)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 5),
    hashes=st.integers(1, 9),
    choices=st.integers(2, 9),
    seed=st.integers(0, 99),
)
def test_codes_come_back_from_their_vectors(
    count: int, hashes: int, choices: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    winners = rng.integers(0, choices, (count, hashes))
    made = winners_as_vectors(winners, choices)
    assert np.array_equal(vectors_as_winners(made, choices), winners)
    assert (np.count_nonzero(made, axis=1) == hashes).all()
    bits = rng.random((count, hashes)) < 0.5
    assert np.array_equal(vectors_as_signs(bits_as_vectors(bits)) > 0, bits)
    for vectors in (made, bits_as_vectors(bits)):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.ones(count), rtol=1e-6)
