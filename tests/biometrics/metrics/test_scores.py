from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from biometrics.metrics import scores
from biometrics.metrics.scores import (
    Similarity,
    pair_scores,
    paired_similarity,
    row_blocks,
    similarity_matrix,
)
from tests.biometrics.metrics.common import PROPERTY

KINDS: tuple[Similarity, ...] = ("cosine", "l2")


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_agrees_with_scipy(kind: Similarity) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(30, 17)), rng.normal(size=(21, 17)) * 9
    expected = 1 - cdist(a, b, "cosine") if kind == "cosine" else -cdist(a, b)
    got = similarity_matrix(a, b, kind)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=2e-7, atol=2e-7)


@pytest.mark.parametrize("kind", KINDS)
@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, 60))
def test_blocks_do_not_change_the_matrix(kind: Similarity, seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(13, 5)), rng.normal(size=(7, 5))
    whole = similarity_matrix(a, b, kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "BLOCK_ELEMENTS", limit)
        np.testing.assert_allclose(similarity_matrix(a, b, kind), whole, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 3e4])
def test_equal_vectors_score_one_and_minus_zero_at_any_length(scale: float) -> None:
    a = (np.random.default_rng(2).normal(size=(40, 512)) * scale).astype(np.float32)
    np.testing.assert_allclose(np.diag(similarity_matrix(a, a, "cosine")), 1, atol=1e-6)
    assert (np.diag(similarity_matrix(a, a, "l2")) == 0).all()
    near = a * np.float32(1 + 1e-5)  # the expansion of |a - b|² has no digit left here
    exact = -np.linalg.norm(a.astype(float) - near, axis=1)
    np.testing.assert_allclose(np.diag(similarity_matrix(a, near, "l2")), exact, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_agree_with_the_matrix(kind: Similarity) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(9, 8)), rng.normal(size=(9, 8))
    matrix = similarity_matrix(a, b, kind)
    np.testing.assert_allclose(paired_similarity(a, b, kind), np.diag(matrix), atol=1e-6)
    i, j = np.array([0, 8, 3, 3]), np.array([5, 0, 3, 1])
    np.testing.assert_allclose(pair_scores(a, b, (i, j), kind), matrix[i, j], atol=1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "BLOCK_ELEMENTS", 16)
        np.testing.assert_allclose(pair_scores(a, b, (i, j), kind), matrix[i, j], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_turns_with_its_arguments(kind: Similarity) -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(6, 4)), rng.normal(size=(5, 4))
    there, back = similarity_matrix(a, b, kind), similarity_matrix(b, a, kind)
    np.testing.assert_allclose(there, back.T, atol=1e-6)


def test_a_zero_vector_has_cosine_zero() -> None:
    a = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert similarity_matrix(a, a, "cosine").tolist() == [[0, 0], [0, 1]]
    assert similarity_matrix(a, a, "l2").tolist() == [[0, -5], [-5, 0]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_scores_nan_and_spares_the_others(
    kind: Similarity, bad: float
) -> None:
    a = np.random.default_rng(5).normal(size=(4, 3))
    broken = a.copy()
    broken[2, 1] = bad
    got = similarity_matrix(broken, a, kind)
    assert np.isnan(got[2]).all()
    np.testing.assert_array_equal(np.delete(got, 2, 0), similarity_matrix(a[[0, 1, 3]], a, kind))
    assert np.isnan(similarity_matrix(a, broken, kind)[:, 2]).all()
    assert np.isnan(paired_similarity(a, broken, kind)).tolist() == [False, False, True, False]


def test_inputs_are_left_untouched() -> None:
    a = np.array([[3.0, 4.0], [np.nan, 1.0]])
    before = a.copy()
    similarity_matrix(a, a, "cosine")
    np.testing.assert_array_equal(a, before)


def test_no_rows_give_an_empty_matrix() -> None:
    assert similarity_matrix(np.zeros((0, 3)), np.zeros((2, 3)), "l2").shape == (0, 2)


def test_blocks_cover_every_row_once() -> None:
    rows = [i for block in row_blocks(10_001, 3000) for i in range(block.start, block.stop)]
    assert rows == list(range(10_001))


def test_wrong_use_is_refused() -> None:
    a = np.ones((2, 3))
    with pytest.raises(ValueError, match="unknown similarity 'dot'; known: cosine, l2"):
        similarity_matrix(a, a, "dot")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="templates of 3 and 2 numbers"):
        similarity_matrix(a, a[:, :2], "l2")
    with pytest.raises(ValueError, match="cannot pair templates"):
        paired_similarity(a, a[:1], "l2")
    with pytest.raises(ValueError, match=r"must be \[N, D\], got \[3\]"):
        similarity_matrix(a[0], a, "l2")
