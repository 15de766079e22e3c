from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biometrics.metrics.intervals import Interval, Measured, NotMeasured
from biometrics.metrics.pairs import group
from biometrics.metrics.spread import Kept, Spread, normalisation, spread
from tests.biometrics.metrics.common import PROPERTY, Array


def faces(
    seed: int, people: float, pose: float, n: int = 60, each: int = 5, dim: int = 4
) -> tuple[Array, Array, Array]:
    """What is a person's [N, dim], what is not, and whose each picture is."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n), each)
    own = people * rng.normal(size=(n, dim))[subjects]
    return own, pose * rng.normal(size=(n * each, dim)), subjects


def score(pictures: Array, reconstructions: Array, subjects: Array) -> Measured:
    groups = group(subjects)
    before, after = spread(pictures, groups), spread(reconstructions, groups)
    return normalisation([Kept(before, after, before, after)])


def value(measured: Measured) -> float:
    assert isinstance(measured, Interval)
    assert measured.low is not None
    assert measured.high is not None
    assert measured.low - 1e-12 <= measured.value <= measured.high + 1e-12
    return measured.value


def test_both_spreads_by_the_textbook() -> None:
    values = np.array([[1.0], [3.0], [10.0], [14.0], [12.0], [5.0], [5.0]])
    found = spread(values, group(["a", "a", "b", "b", "b", "c", "c"]))
    np.testing.assert_allclose(found.within, [2.0, 4.0, 0.0])
    once = np.ones((1, 3))
    assert found.within_draws(once)[0] == pytest.approx(2.0)
    expected = np.var([2.0, 12.0, 5.0], ddof=1) - np.mean([2 / 2, 4 / 3, 0])
    assert found.between_draws(once)[0] == pytest.approx(expected)
    assert found.within_people(0).value == pytest.approx((2**0.5 + 2.0) / 3)
    assert value(found.between_people(0)) == pytest.approx(expected**0.5)
    # A subject that is taken twice weighs twice, and so do the others.
    twice = found.within_draws(np.array([[2.0, 1.0, 0.0]]))
    assert twice[0] == pytest.approx((2 * 2 + 4) / 3)


def test_the_estimates_are_those_of_the_generator() -> None:
    own, pose, subjects = faces(1, 3.0, 2.0, n=4000, each=3)
    found = spread(own + pose, group(subjects))
    once = np.ones((1, 4000))
    assert found.within_draws(once)[0] == pytest.approx(4.0, rel=0.03)
    assert found.between_draws(once)[0] == pytest.approx(9.0, rel=0.03)
    none = spread(pose, group(subjects))  # nobody differs: zero on average
    assert abs(none.between_draws(once)[0]) < 0.1


def test_a_perfect_normaliser_a_copy_and_a_shrunk_copy() -> None:
    own, pose, subjects = faces(2, 1.0, 1.0)
    pictures = own + pose + 7.0
    assert value(score(pictures, own, subjects)) == pytest.approx(1.0)
    assert value(score(pictures, pictures, subjects)) == pytest.approx(0.0, abs=1e-9)
    shrunk = 0.1 * (pictures - pictures.mean(axis=0)) + 100.0
    assert value(score(pictures, shrunk, subjects)) == pytest.approx(0.0, abs=1e-9)


def test_half_the_pose_is_three_quarters_of_its_variance() -> None:
    own, pose, subjects = faces(3, 1.0, 1.0, n=2000)
    assert value(score(own + pose, own + pose / 2, subjects)) == pytest.approx(0.75, abs=0.03)
    lost = value(score(own + pose, own / 2 + pose, subjects))
    assert lost == pytest.approx(1 - 4, abs=0.3)  # a quarter of people is left, all of their poses


def test_a_decoder_that_gives_one_face_or_chance_is_not_measured() -> None:
    own, pose, subjects = faces(4, 1.0, 1.0)
    pictures, rng = own + pose, np.random.default_rng(5)
    for made in (np.full_like(pictures, 0.1), 0.1 + 1e-3 * rng.normal(size=pictures.shape)):
        found = score(pictures, made, subjects)
        assert found == NotMeasured("the spread between people is not told from zero")
    alike = score(own, pictures, subjects)
    assert alike == NotMeasured("the pictures of one person do not differ")


def test_poses_are_held_against_another_quantity_and_scores_are_averaged() -> None:
    own, pose, subjects = faces(6, 1.0, 1.0)
    groups = group(subjects)
    shape, turned, front = (spread(x, groups) for x in (own + pose, pose, 0 * pose))
    frontal = Kept(turned, front, shape, shape)
    assert value(normalisation([frontal])) == pytest.approx(1.0)
    copied = Kept(turned, turned, shape, shape)
    assert value(normalisation([copied])) == pytest.approx(0.0, abs=1e-9)
    assert value(normalisation([frontal, copied])) == pytest.approx(0.5, abs=1e-9)
    assert isinstance(normalisation([Kept(turned, front, turned, front)]), NotMeasured)


@settings(PROPERTY, max_examples=10)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_scale_place_and_order_say_nothing(seed: int, scale: float, shift: float) -> None:
    own, pose, subjects = faces(seed, 2.0, 1.0, n=20, each=3)
    pictures, made = own + pose, own + 0.3 * pose
    expected = value(score(pictures, made, subjects))
    assert value(score(pictures, made * scale + shift, subjects)) == pytest.approx(expected)
    assert value(score(pictures * scale + shift, made, subjects)) == pytest.approx(expected)
    order = np.random.default_rng(seed).permutation(len(subjects))
    again = score(pictures[order], made[order], subjects[order])
    assert value(again) == pytest.approx(expected)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="two or more"):
        spread(np.ones((3, 2)), group(["a", "a", "b"]))
    with pytest.raises(ValueError, match="finite"):
        spread(np.full((2, 2), np.nan), group(["a", "a"]))
    two = spread(np.arange(8.0).reshape(4, 2), group(["a", "a", "b", "b"]))
    assert isinstance(normalisation([Kept(two, two, two, two)]), NotMeasured)
    assert isinstance(two.between_people(0), NotMeasured)
    assert isinstance(two, Spread)
