"""Attributes told from templates, where it is known how well they can be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from biometrics.errors import InputError
from biometrics.metrics import attributes
from biometrics.metrics.attributes import AttributeLeakage, attribute_leakage, grouped_values
from biometrics.metrics.intervals import NotMeasured
from tests.biometrics.metrics.common import Array


def measured(vectors: Array, subjects: Array, labels: Array | list[str | None]) -> AttributeLeakage:
    found = attribute_leakage(vectors, subjects.astype(str), list(labels), seed=1)
    assert isinstance(found, AttributeLeakage)
    return found


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "PERMUTATIONS", 2)
    monkeypatch.setattr(attributes, "PENALTIES", (1e-3, 1e-1))


def test_a_planted_direction_is_told_as_well_as_two_gaussians_can_be() -> None:
    """Two normal clouds whose means lie d apart: the best rule is right in Phi(d / 2)."""
    rng = np.random.default_rng(0)
    people, apart = 900, 2.0
    label = rng.permutation(np.arange(people) % 2)
    vectors = rng.normal(size=(people, 6))
    vectors[:, 2] += apart * label
    vectors *= 10.0 ** np.arange(6)  # standardised first, so that units do not matter
    found = measured(vectors, np.arange(people), np.where(label, "yes", "no"))
    best = float(norm.cdf(apart / 2))
    assert found.balanced_accuracy.value == pytest.approx(best, abs=0.02)
    assert found.balanced_accuracy.n == people
    low, high = found.balanced_accuracy.low, found.balanced_accuracy.high
    assert low is not None
    assert high is not None
    assert low < best < high
    # A binomial share has about this interval.
    width = 2 * 1.96 * np.sqrt(best * (1 - best) / people)
    assert high - low == pytest.approx(width, rel=0.1)
    assert found.classes == {"no": 450, "yes": 450}
    assert (found.guess, found.majority) == (0.5, pytest.approx(0.5))
    assert np.mean(found.permuted) == pytest.approx(0.5, abs=0.03)


def test_noise_tells_nothing_and_the_majority_is_no_success() -> None:
    rng = np.random.default_rng(1)
    label = np.where(np.arange(300) < 240, "common", "rare")
    found = measured(rng.normal(size=(300, 10)), np.arange(300), label)
    assert found.majority == pytest.approx(0.8)
    assert found.balanced_accuracy.low is not None
    assert found.balanced_accuracy.low < 0.5 < found.balanced_accuracy.high  # type: ignore[operator]
    assert found.accuracy.value < 0.8


def test_people_who_are_recognised_are_not_counted_as_attributes() -> None:
    """Tight clouds a person and an attribute by lot: whoever saw a picture of the person knows it;
    people who were not seen tell nothing."""
    rng = np.random.default_rng(2)
    subjects = np.repeat(np.arange(80), 6)
    vectors = 5 * rng.normal(size=(80, 60))[subjects] + 0.1 * rng.normal(size=(480, 60))
    label = rng.permutation(np.arange(80) % 2)[subjects].astype(str)
    found = measured(vectors, subjects, label)
    assert found.balanced_accuracy.value == pytest.approx(0.5, abs=0.15)
    assert found.balanced_accuracy.low is not None
    assert found.balanced_accuracy.low < 0.5
    assert found.balanced_accuracy.n == 80


def test_an_attribute_that_changes_within_a_person_is_told_by_picture() -> None:
    rng = np.random.default_rng(3)
    subjects = np.repeat(np.arange(60), 4)
    glasses = np.tile([0, 1, 1, 1], 60)
    vectors = rng.normal(size=(60, 8))[subjects] + 0.3 * rng.normal(size=(240, 8))
    vectors[:, 0] = 8.0 * glasses + rng.normal(size=240)
    found = measured(vectors, subjects, np.where(glasses, "glasses", "none"))
    assert found.classes == {"glasses": 60, "none": 60}
    assert found.balanced_accuracy.value > 0.98
    assert found.majority == pytest.approx(0.75)  # of each person's pictures
    assert np.mean(found.permuted) == pytest.approx(0.5, abs=0.1)


def test_a_person_with_many_pictures_counts_no_more_than_others() -> None:
    rng = np.random.default_rng(4)
    subjects = np.r_[np.arange(100), np.zeros(9, dtype=int)]
    label = np.where(subjects % 2, "odd", "even")
    vectors = rng.normal(size=(109, 3))
    vectors[:, 0] += 6 * (subjects % 2)
    vectors[subjects == 0, 0] += 6  # always wrong
    found = measured(vectors, subjects, label)
    assert found.templates == 109
    assert found.accuracy.value == pytest.approx(0.99, abs=0.011)
    assert found.balanced_accuracy.value == pytest.approx(0.99, abs=0.011)


def test_numbers_are_cut_into_groups_of_people_and_that_is_said() -> None:
    ages = np.arange(80).astype(float)
    names = np.arange(80).astype(str)
    found = grouped_values(names, ages.astype(str))
    assert not isinstance(found, NotMeasured)
    assert found.grouped == "numbers, cut at 19.75, 39.5, 59.25 (quantiles of the subjects' means)"
    titles, counts = np.unique(found.labels, return_counts=True)
    assert titles.tolist() == ["19.75 to 39.5", "39.5 to 59.25", "59.25 and above", "below 19.75"]
    assert counts.tolist() == [20, 20, 20, 20]
    vectors = np.random.default_rng(0).normal(size=(80, 2))
    vectors[:, 0] = ages
    leak = measured(vectors, np.arange(80), ages.astype(str))
    assert leak.grouped == found.grouped
    assert leak.guess == 0.25
    assert leak.balanced_accuracy.value > 0.5


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([None] * 60, "no template has a value"),
        (["a"] * 60, "two values need 20 each, the commonest have 60"),
        (["a"] * 50 + ["b"] * 10, "20 each, the commonest have 50 and 10"),
        ([f"w{i}" for i in range(60)], "60 different words: at most 8"),
        (["nan", *map(str, range(59))], "not finite"),
    ],
)
def test_what_cannot_be_measured_says_why(labels: list[str | None], says: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    found = attribute_leakage(vectors, np.arange(60).astype(str), labels)
    assert isinstance(found, NotMeasured)
    assert says in found.reason


def test_rare_values_and_missing_ones_are_left_out_and_said() -> None:
    labels: list[str | None] = [*["a"] * 30, *["b"] * 30, *["c"] * 5, None, " "]
    vectors = np.random.default_rng(0).normal(size=(67, 3))
    found = measured(vectors, np.arange(67), labels)
    assert found.left_out == {"c": 5}
    assert found.classes == {"a": 30, "b": 30}
    assert found.templates == 60


def test_of_many_templates_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "MOST_TEMPLATES", 2)
    subjects = np.repeat(np.arange(50), 5)
    labels = (subjects % 2).astype(str)
    vectors = np.random.default_rng(0).normal(size=(250, 3))
    assert measured(vectors, subjects, labels).templates == 100
    monkeypatch.setattr(attributes, "MOST_ROWS", 90)
    found = measured(vectors, subjects, labels)
    assert found.templates == 90
    assert sum(found.classes.values()) == 45


def test_the_seed_decides_and_bad_input_is_refused() -> None:
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    labels = (np.arange(60) % 2).astype(str)
    assert measured(vectors, np.arange(60), labels) == measured(vectors, np.arange(60), labels)
    with pytest.raises(ValueError, match="60 templates, 60 subjects, 2 labels"):
        attribute_leakage(vectors, np.arange(60).astype(str), ["a", "b"])
    vectors[0, 0] = np.inf
    with pytest.raises(InputError, match="NaN or infinite"):
        attribute_leakage(vectors, np.arange(60).astype(str), list(labels))
