"""BioHash against a plain loop, and its cosine against the Hamming distance and against angles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biometrics.metrics.scores import paired_similarity, similarity_matrix
from biometrics.protection.base import Enrolled, make_scheme
from biometrics.protection.biohash import BioHash


def made(dim: int, bits: int | None = None, orthonormal: bool = True) -> BioHash:
    scheme = make_scheme("biohash", {"bits": bits, "orthonormal": orthonormal}, dim, "cosine")
    assert isinstance(scheme, BioHash)
    return scheme


def templates(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    dim=st.integers(1, 12), bits=st.integers(1, 40), orthonormal=st.booleans(), key=st.integers(0)
)
def test_each_bit_is_the_side_of_a_plane(dim: int, bits: int, orthonormal: bool, key: int) -> None:
    scheme, vectors = made(dim, bits, orthonormal), templates(3, dim, key % 1000)
    scheme.fit(Enrolled(templates(20, dim, 1), np.full(20, "a")))
    mean = templates(20, dim, 1).mean(axis=0, dtype=np.float64).astype(np.float32)
    for vector, found in zip(vectors, scheme.protect(vectors, key), strict=True):
        sides = [
            sum(float(row[i]) * (float(vector[i]) - float(mean[i])) for i in range(dim)) >= 0.0
            for row in scheme.rows(key)
        ]
        wanted = [1.0 if side else -1.0 for side in sides]
        np.testing.assert_allclose(found, np.array(wanted) / math.sqrt(bits), rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(bits=st.integers(1, 300), seed=st.integers(0, 2**20))
def test_the_cosine_tells_the_hamming_distance(bits: int, seed: int) -> None:
    scheme = made(24, bits)
    made_of = scheme.protect(templates(8, 24, seed), 3)
    hamming = (made_of[:, None] != made_of[None]).mean(axis=2)
    np.testing.assert_allclose(
        similarity_matrix(made_of, made_of, "cosine"), 1.0 - 2.0 * hamming, atol=1e-5
    )
    assert scheme.stored_bits == bits


@pytest.mark.parametrize("orthonormal", [True, False])
def test_bits_differ_as_often_as_the_angle_says(orthonormal: bool) -> None:
    """A random plane parts two directions at an angle θ with chance θ / π (M. Goemans and D.
    Williamson, 1995), and planes at right angles do so on average too."""
    scheme, one = made(32, 4096, orthonormal), templates(40, 32)
    other = one + templates(40, 32, 1) * np.linspace(0.1, 3, 40, dtype=np.float32)[:, None]
    angle = np.arccos(paired_similarity(one, other, "cosine").clip(-1, 1))
    found = paired_similarity(scheme.protect(one, 0), scheme.protect(other, 0), "cosine")
    np.testing.assert_allclose(found, 1.0 - 2.0 * angle / np.pi, atol=0.06)


def test_a_template_at_the_mean_lies_on_no_side_and_has_all_bits() -> None:
    assert (made(24).protect(np.zeros((1, 24), dtype=np.float32), 0) > 0).all()


def test_as_many_bits_as_values_where_nothing_is_said() -> None:
    assert made(24).stored_bits == 24
    rows = made(24).rows(5)
    np.testing.assert_allclose(rows @ rows.T, np.eye(24), atol=2e-6)
    loose = made(24, orthonormal=False).rows(5)
    assert np.abs(loose @ loose.T - 24 * np.eye(24)).max() > 1
