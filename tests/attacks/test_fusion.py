from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.fusion import fuse
from biometrics.errors import InputError
from biometrics.metrics.scores import Similarity, paired_similarity

KINDS: tuple[Similarity, ...] = ("cosine", "l2")


def test_distances_take_the_mean_of_each_subject_in_the_order_of_names() -> None:
    vectors = np.array([[1.0, 0.0], [10.0, 4.0], [3.0, 2.0], [-1.0, 4.0]])
    fused = fuse(vectors, np.array(["b", "a", "b", "b"]), "l2")
    assert fused.dtype == np.float32
    np.testing.assert_allclose(fused, [[10.0, 4.0], [1.0, 2.0]])


def test_cosines_take_the_mean_direction_at_the_mean_length() -> None:
    vectors = np.array([[100.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(
        fuse(vectors, np.array([5, 5]), "cosine"), 51 * np.full((1, 2), 0.5**0.5), rtol=1e-6
    )


@settings(deadline=None, max_examples=30, derandomize=True)
@given(seed=st.integers(0, 2**16), kind=st.sampled_from(KINDS))
def test_a_loop_says_the_same_in_any_order(seed: int, kind: Similarity) -> None:
    rng = np.random.default_rng(seed)
    vectors, subjects = rng.normal(size=(20, 5)), rng.integers(0, 7, 20)
    expected = []
    for name in sorted(set(subjects.tolist())):
        mine = vectors[subjects == name]
        if kind == "l2":
            expected.append(mine.mean(axis=0))
        else:
            lengths = [np.sqrt(sum(x * x for x in row)) for row in mine]
            mean = np.mean([row / n for row, n in zip(mine, lengths, strict=True)], axis=0)
            expected.append(mean / np.sqrt(sum(mean * mean)) * np.mean(lengths))
    order = rng.permutation(20)
    for rows in (np.arange(20), order):
        np.testing.assert_allclose(
            fuse(vectors[rows], subjects[rows], kind), expected, rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("kind", KINDS)
def test_one_template_comes_back_as_it_is(kind: Similarity) -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    np.testing.assert_allclose(fuse(vectors, np.arange(6), kind), vectors, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_more_templates_come_nearer_to_the_person(kind: Similarity) -> None:
    rng = np.random.default_rng(0)
    people = rng.normal(size=(200, 30))
    found = []
    for count in (1, 3, 5):
        index = np.repeat(np.arange(200), count)
        pictures = people[index] + rng.normal(size=(len(index), 30))
        found.append(paired_similarity(fuse(pictures, index, kind), people, kind).mean())
    assert found[0] < found[1] < found[2]


def test_templates_that_cancel_give_zero_and_not_nan() -> None:
    vectors = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(fuse(vectors, np.array([0, 0, 1]), "cosine"), np.zeros((2, 2)))


def test_what_cannot_be_fused_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"got \[2, 3\] and \[3\]"):
        fuse(np.zeros((2, 3)), np.arange(3), "l2")
    with pytest.raises(InputError, match=r"got \[0, 3\]"):
        fuse(np.zeros((0, 3)), np.arange(0), "l2")
    with pytest.raises(InputError, match="1 numbers are not finite"):
        fuse(np.array([[np.nan, 0.0]]), np.arange(1), "l2")
