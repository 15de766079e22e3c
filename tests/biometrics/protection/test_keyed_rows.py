"""Rows of a key, and that projections on them are exact sums."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biometrics.protection import keyed_rows
from biometrics.protection.base import Centred, Enrolled, make_scheme
from biometrics.protection.keyed_rows import (
    DIRECTION_GRID,
    ROW_GRID,
    KeyedRows,
    gaussian_rows,
    on_grid,
    orthonormal_rows,
)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 40), dim=st.integers(1, 24), key=st.integers(0, 2**62))
def test_blocks_of_orthonormal_rows_are_at_right_angles(count: int, dim: int, key: int) -> None:
    rows = orthonormal_rows("test", key, count, dim)
    assert rows.shape == (count, dim)
    for start in range(0, count, dim):
        block = rows[start : start + dim]
        np.testing.assert_allclose(block @ block.T, np.eye(len(block)), atol=2e-6)


def test_orthonormal_rows_equal_gram_and_schmidt() -> None:
    """An independent way to the same rows: each Gaussian row less what the ones before have of it.
    Its own direction is kept, which fixes the sign."""
    rows = orthonormal_rows("test", 9, 5, 8)
    drawn = keyed_rows.key_stream("test", 9, "orthonormal", 8).standard_normal((5, 8))
    found: list[np.ndarray] = []
    for row in drawn:
        rest = row - sum((row @ before) * before for before in found)
        found.append(rest / np.linalg.norm(rest))
    np.testing.assert_allclose(rows, found, atol=1e-6)


def test_orthonormal_rows_are_spread_evenly() -> None:
    """Without the sign fixed, a QR would prefer one: the mean of many would not be zero."""
    many = np.stack([orthonormal_rows("test", key, 4, 4) for key in range(600)])
    assert np.abs(many.mean(axis=0)).max() < 4.0 * 0.5 / np.sqrt(600)  # each number has variance ¼
    np.testing.assert_allclose((many**2).mean(axis=0), 0.25, atol=0.06)


def test_gaussian_rows_are_standard_normal() -> None:
    rows = gaussian_rows("test", 1, 500, 64)
    assert abs(rows.mean()) < 4.0 / np.sqrt(rows.size)
    assert rows.var() == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / rows.size))


def test_rows_of_other_keys_schemes_and_lengths_are_others() -> None:
    first = gaussian_rows("test", 1, 4, 6)
    others = [gaussian_rows("test", 2, 4, 6), gaussian_rows("other", 1, 4, 6)]
    others.append(gaussian_rows("test", 1, 4, 7)[:, :6])
    for other in others:
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.9


@pytest.mark.parametrize("draw", [gaussian_rows, orthonormal_rows])
def test_rows_are_kept_and_cannot_be_written_to(draw: object) -> None:
    assert callable(draw)
    rows = draw("test", 3, 4, 4)
    assert draw("test", 3, 4, 4) is rows
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 1.0


def test_no_more_rows_are_kept_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed_rows, "KEPT_BYTES", 5 * 8 * 8 * 8)
    monkeypatch.setattr(keyed_rows, "_rows", type(keyed_rows._rows)())
    kept = [gaussian_rows("test", key, 8, 8) for key in range(5)]
    assert gaussian_rows("test", 0, 8, 8) is kept[0]  # now the last one used
    gaussian_rows("test", 5, 8, 8)
    assert len(keyed_rows._rows) == 5
    assert gaussian_rows("test", 0, 8, 8) is kept[0]
    again = gaussian_rows("test", 1, 8, 8)
    assert again is not kept[1]
    assert np.array_equal(again, kept[1])
    large = gaussian_rows("test", 0, 100, 100)  # alone too large: drawn, and kept until the next
    assert gaussian_rows("test", 0, 100, 100) is large


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), dim=st.integers(1, 600), orthonormal=st.booleans())
def test_projections_are_exact_sums(seed: int, dim: int, orthonormal: bool) -> None:
    """In fractions, which do not round, and in any order."""
    draw = orthonormal_rows if orthonormal else gaussian_rows
    row = draw("test", seed, 1, dim)[0]
    direction = np.random.default_rng(seed).standard_normal(dim)
    direction = on_grid(direction / np.linalg.norm(direction), DIRECTION_GRID)
    exact = sum(
        (Fraction(a) * Fraction(b) for a, b in zip(row, direction, strict=True)), Fraction()
    )
    assert Fraction(float(row @ direction)) == exact
    assert Fraction(float(np.einsum("d,d->", row[::-1], direction[::-1]))) == exact


def test_a_scheme_sums_exactly() -> None:
    scheme = make_scheme("biohash", {"bits": 40, "orthonormal": False}, 128, "cosine")
    assert isinstance(scheme, KeyedRows)
    vectors = np.random.default_rng(3).standard_normal((50, 128)).astype(np.float32)
    rows, directions = scheme.rows(5), on_grid(scheme.directions(vectors), DIRECTION_GRID)
    found = scheme.projections(vectors, 5)
    for n, p in ((0, 0), (49, 39), (7, 20), (30, 3)):
        pairs = zip(directions[n], rows[p], strict=True)
        exact = sum((Fraction(a) * Fraction(b) for a, b in pairs), Fraction())
        assert Fraction(float(found[n, p])) == exact
    np.testing.assert_allclose(directions, scheme.directions(vectors), atol=2.0**-25)


def test_rounding_to_a_grid_moves_by_half_a_step_at_most() -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    for grid in (DIRECTION_GRID, ROW_GRID):
        rounded = on_grid(values, grid)
        assert np.abs(rounded - values).max() <= 0.5 / grid
        assert np.array_equal(rounded * grid, np.rint(rounded * grid))


def test_directions_are_taken_from_the_mean() -> None:
    scheme = make_scheme("random-projection", {}, 5, "l2")
    vectors = np.random.default_rng(1).standard_normal((9, 5)).astype(np.float32)
    assert isinstance(scheme, Centred)
    scheme.fit(Enrolled(vectors, np.array(list("abcdefghi"))))
    centred = vectors - vectors.mean(axis=0)
    far = (vectors.mean(axis=0) + 7.5 * centred).astype(np.float32)
    np.testing.assert_allclose(scheme.protect(far, 2), scheme.protect(vectors, 2), atol=1e-5)
    middle = scheme.mean[None]
    assert np.array_equal(scheme.protect(middle, 2), np.zeros((1, 5)))
    assert scheme.comparator == "cosine"
