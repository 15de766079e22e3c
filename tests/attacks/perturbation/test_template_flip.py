from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from attacks.perturbation.template_flip import flip
from biometrics.backbones.base import Similarity
from biometrics.metrics.scores import paired_similarity

KINDS = st.sampled_from(["cosine", "l2"])
CUTS = {"cosine": 0.4, "l2": -0.7}


def draw(seed: int, n: int, dim: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def accepted(
    vectors: NDArray[np.float32], references: NDArray[np.float32], kind: Similarity
) -> NDArray[np.bool_]:
    return paired_similarity(vectors, references, kind) >= CUTS[kind]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 9999),
    dim=st.integers(2, 40),
    kind=KINDS,
    accept=st.booleans(),
    size=st.floats(0.05, 30.0),
)
def test_the_decision_turns_and_who_is_there_stays(
    seed: int, dim: int, kind: Similarity, accept: bool, size: float
) -> None:
    vectors, references = draw(seed, 20, dim) * np.float32(size), draw(seed + 1, 20, dim)
    made = flip(vectors, references, kind, CUTS[kind], accept=accept)
    assert (accepted(made.vectors, references, kind) == accept).all()
    there = accepted(vectors, references, kind) == accept
    np.testing.assert_array_equal(made.vectors[there], vectors[there])
    assert (made.change[there] == 0).all()
    assert (made.angle[there] == 0).all()
    assert (made.change[~there] > 0).all()
    if kind == "cosine":
        lengths = np.linalg.norm(made.vectors, axis=1)
        np.testing.assert_allclose(lengths, size, rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9999), kind=KINDS, accept=st.booleans())
def test_no_template_that_turns_the_decision_is_nearer(
    seed: int, kind: Similarity, accept: bool
) -> None:
    vectors, references = draw(seed, 8, 3), draw(seed + 1, 8, 3)
    made = flip(vectors, references, kind, CUTS[kind], accept=accept)
    # Brute force: many places around each template; of the same length for the cosine.
    tries = np.random.default_rng(seed + 2).normal(size=(8, 4_000, 3))
    tries /= np.linalg.norm(tries, axis=2, keepdims=True)
    if kind == "l2":
        tries = vectors[:, None] + 1.5 * np.random.default_rng(3).random((8, 4_000, 1)) * tries
    for i in range(8):
        known = np.repeat(references[i : i + 1], len(tries[i]), axis=0)
        good = accepted(tries[i].astype(np.float32), known, kind) == accept
        if not good.any():
            continue
        best = np.linalg.norm(tries[i][good] - vectors[i], axis=1).min()
        assert made.change[i] <= best + 1e-5
        assert best <= made.change[i] + 0.2


def test_the_closed_form_at_a_known_angle() -> None:
    vector = np.array([[0.0, 2.0, 0.0]], dtype=np.float32)
    reference = np.array([[3.0, 0.0, 0.0]], dtype=np.float32)
    made = flip(vector, reference, "cosine", 0.5, accept=True)  # 60 of the 90 degrees remain
    np.testing.assert_allclose(made.vectors, [[1.0, np.sqrt(3.0), 0.0]], atol=1e-4)
    assert made.angle[0] == pytest.approx(30.0, abs=1e-3)
    assert made.change[0] == pytest.approx(2 * np.sin(np.radians(15.0)), abs=1e-5)
    moved = flip(vector, reference, "l2", -1.0, accept=True)
    expected = np.array([[3.0, 0.0, 0.0]]) + np.array([[-3.0, 2.0, 0.0]]) / np.sqrt(13.0)
    np.testing.assert_allclose(moved.vectors, expected, atol=1e-4)
    assert moved.change[0] == pytest.approx((np.sqrt(13.0) - 1.0) / 2.0, abs=1e-4)


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_a_template_that_is_its_own_reference_gets_away(kind: Similarity) -> None:
    vectors = draw(1, 4, 6)
    made = flip(vectors, vectors, kind, CUTS[kind], accept=False)
    assert not accepted(made.vectors, vectors, kind).any()
    expected = 0.7 if kind == "l2" else 2 * np.sin(np.arccos(0.4) / 2)
    np.testing.assert_allclose(made.change, expected, rtol=1e-4)


def test_the_opposite_of_a_template_reaches_it() -> None:
    vectors = draw(2, 4, 6)
    made = flip(-vectors, vectors, "cosine", 0.4, accept=True)
    assert accepted(made.vectors, vectors, "cosine").all()
    np.testing.assert_allclose(made.angle, 180.0 - np.degrees(np.arccos(0.4)), atol=1e-3)


@pytest.mark.parametrize(("kind", "cut"), [("cosine", 1.0), ("cosine", -1.0), ("l2", 0.0)])
def test_a_threshold_that_leaves_no_choice_is_refused(kind: Similarity, cut: float) -> None:
    with pytest.raises(ValueError, match="no template can be turned"):
        flip(draw(0, 2, 4), draw(1, 2, 4), kind, cut, accept=True)
