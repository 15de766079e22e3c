"""Random projection against a plain loop, and what it keeps of cosines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biometrics.errors import ConfigError
from biometrics.metrics.scores import similarity_matrix
from biometrics.protection.base import Enrolled, make_scheme
from biometrics.protection.random_projection import RandomProjection


def made(dim: int, length: int | None = None) -> RandomProjection:
    scheme = make_scheme("random-projection", {"length": length}, dim, "cosine")
    assert isinstance(scheme, RandomProjection)
    return scheme


def templates(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32) + 0.5


@settings(max_examples=25, deadline=None)
@given(dim=st.integers(2, 12), data=st.data(), key=st.integers(0, 2**40))
def test_each_number_is_a_row_times_the_direction(dim: int, data: st.DataObject, key: int) -> None:
    length = data.draw(st.integers(1, dim))
    scheme, vectors = made(dim, length), templates(3, dim, key % 1000)
    scheme.fit(Enrolled(templates(20, dim, 1), np.full(20, "a")))
    rows, mean = scheme.rows(key), templates(20, dim, 1).mean(axis=0)
    for vector, found in zip(vectors, scheme.protect(vectors, key), strict=True):
        away = [float(v) - float(m) for v, m in zip(vector, mean, strict=True)]
        size = sum(a * a for a in away) ** 0.5
        wanted = [sum(row[i] * away[i] for i in range(dim)) / size for row in rows]
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_whole_projection_is_a_rotation() -> None:
    scheme, vectors = made(16), templates(30, 16)
    plain = scheme.directions(vectors)
    found = scheme.protect(vectors, 4)
    np.testing.assert_allclose(
        similarity_matrix(found, found, "cosine"),
        similarity_matrix(plain, plain, "cosine"),
        atol=1e-5,
    )
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)


def test_a_short_projection_keeps_its_share_of_the_square() -> None:
    """k / D on average over keys, of which the rows are spread evenly."""
    scheme, vectors = made(32, 8), templates(4, 32)
    square = [np.square(scheme.protect(vectors, key)).sum(axis=1).mean() for key in range(200)]
    assert np.mean(square) == pytest.approx(8 / 32, abs=4 * np.std(square) / np.sqrt(200))


def test_what_is_stored() -> None:
    assert made(128).stored_bits == 32 * 128
    assert made(128, 32).stored_bits == 32 * 32
    assert made(128, 32).protect(templates(2, 128), 0).shape == (2, 32)


def test_a_projection_longer_than_a_template_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'length': templates have 8 values.*got 9$"):
        made(8, 9)
    with pytest.raises(ConfigError, match="setting 'length': Input should be greater"):
        made(8, 0)
