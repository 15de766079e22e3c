"""Averages and clusters of templates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.hierarchy import fcluster, linkage

from biometrics.aggregation import averages, clusters
from biometrics.metrics.scores import Similarity

KINDS: list[Similarity] = ["cosine", "l2"]
RNG = np.random.default_rng(0)
SOME = RNG.normal(size=(12, 7)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_one_template_is_that_template_to_the_last_bit(kind: Similarity) -> None:
    many = (100 ** RNG.normal(size=(3000, 1)) * RNG.normal(size=(3000, 7))).astype(np.float32)
    order = RNG.permutation(len(many))
    made = averages(many, order, kind)
    assert np.array_equal(made[order], many)
    assert made.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_equal_templates_average_to_themselves(kind: Similarity) -> None:
    made = averages(np.repeat(SOME, 5, axis=0), np.repeat(np.arange(12), 5), kind)
    np.testing.assert_allclose(made, SOME, rtol=1e-6)


def test_for_distances_it_is_the_plain_mean() -> None:
    parts = np.array([0, 1, 0, 1, 2, 2, 2, 0, 1, 0, 0, 1])
    made = averages(SOME, parts, "l2")
    for part in range(3):
        np.testing.assert_allclose(made[part], SOME[parts == part].mean(axis=0), rtol=1e-6)


def test_for_the_cosine_the_length_of_a_template_does_not_weigh() -> None:
    """By hand: the directions (1, 0) and (0, 1) give the diagonal, the lengths 2 and 4 give 3."""
    made = averages(np.array([[2.0, 0.0], [0.0, 4.0]]), [0, 0], "cosine")
    np.testing.assert_allclose(made, [[3 / np.sqrt(2), 3 / np.sqrt(2)]], rtol=1e-6)


def test_templates_of_length_one_give_one_of_length_one() -> None:
    unit = SOME / np.linalg.norm(SOME, axis=1, keepdims=True)
    made = averages(unit, np.repeat([0, 1, 2], 4), "cosine")
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1.0, rtol=1e-6)


def test_directions_that_cancel_out_give_the_zero_vector() -> None:
    made = averages(np.array([[1.0, 0.0], [-3.0, 0.0]]), [0, 0], "cosine")
    assert np.array_equal(made, [[0.0, 0.0]])


vectors = arrays(np.float32, (9, 4), elements=st.floats(-3, 3, width=32))


@settings(max_examples=40, deadline=None)
@given(vectors, st.permutations(range(9)), st.sampled_from(KINDS))
def test_the_order_of_the_pictures_does_not_matter(
    templates: np.ndarray, order: list[int], kind: Similarity
) -> None:
    parts = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    made = averages(templates, parts, kind)
    again = averages(templates[order], parts[order], kind)
    np.testing.assert_allclose(made, again, atol=1e-5)


@pytest.mark.parametrize(("parts", "said"), [([0, 2, 2], "part 1 holds"), ([0, 0], "3 templates")])
def test_parts_that_do_not_fit_are_refused(parts: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        averages(SOME[:3], parts, "l2")


def modes(sizes: list[int], *, scale: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Templates around well separated directions, shuffled, and the mode of each."""
    rng = np.random.default_rng(3)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = np.eye(8)[: len(sizes)]
    return centres[truth] + scale * rng.normal(size=(len(truth), 8)), truth


@pytest.mark.parametrize("kind", KINDS)
def test_well_separated_modes_are_found_the_largest_first(kind: Similarity) -> None:
    templates, truth = modes([4, 11, 7])
    found = clusters(templates, 3, kind)
    assert found.tolist() == np.array([2, 0, 1])[truth].tolist()


def test_for_the_cosine_lengths_do_not_tell_clusters_apart() -> None:
    templates = np.array([[1.0, 0.0], [10.0, 0.0], [0.0, 1.0], [0.0, 10.0]])
    assert clusters(templates, 2, "cosine").tolist() == [0, 0, 1, 1]
    assert clusters(templates, 2, "l2").tolist() == [0, 0, 0, 1], "the two short ones join first"


@pytest.mark.parametrize("number", [2, 3, 5])
def test_it_is_wards_rule(number: int) -> None:
    """Against SciPy's own linkage: the same pictures stand together."""
    templates = np.random.default_rng(8).normal(size=(40, 5))
    found = clusters(templates, number, "l2")
    other = fcluster(linkage(templates, "ward"), number, "maxclust")
    together = found[:, None] == found
    assert np.array_equal(together, other[:, None] == other)
    counts = np.bincount(found)
    assert (np.diff(counts) <= 0).all()


def test_one_cluster_holds_all_and_too_many_are_refused() -> None:
    assert clusters(SOME, 1, "l2").tolist() == [0] * 12
    assert sorted(clusters(SOME, 12, "l2")) == list(range(12))
    with pytest.raises(ValueError, match="12 templates into 13"):
        clusters(SOME, 13, "l2")
