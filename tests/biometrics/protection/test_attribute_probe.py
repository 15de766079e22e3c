from __future__ import annotations

import numpy as np
import pytest

from biometrics.metrics import attributes
from biometrics.metrics.attributes import AttributeLeakage, attribute_leakage
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.pairs import group, mated_pairs
from biometrics.protection.attribute_probe import AttributeProbe, ScoreChange, attribute_probe
from biometrics.protection.base import Enrolled, make_scheme
from tests.biometrics.protection.crowd import DIM, crowd

MOVED = np.float32(0.8) * np.random.default_rng(5).normal(size=DIM).astype(np.float32)


@pytest.fixture(autouse=True)
def one_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    """They say nothing of protection and take most of the time."""
    monkeypatch.setattr(attributes, "PERMUTATIONS", 1)
    monkeypatch.setattr(attributes, "PENALTIES", (1e-2, 1e-1))


def marked(seed: int) -> Enrolled:
    """Forty people, of whom every other picture is moved along one direction."""
    people = crowd(120, seed)
    there = np.arange(120) % 2 == 0
    return Enrolled(people.vectors + there[:, None] * MOVED, people.subjects, {"mark": there})


LEAKED = marked(2)


def probe(name: str, **values: object) -> AttributeProbe:
    scheme = make_scheme(name, values, DIM, "l2").fit(marked(1))
    return attribute_probe(scheme, LEAKED.vectors, LEAKED.subjects, LEAKED.attributes["mark"])


def value(found: AttributeLeakage | NotMeasured) -> float:
    assert isinstance(found, AttributeLeakage)
    return found.balanced_accuracy.value


def test_without_protection_nothing_changes() -> None:
    found = probe("none")
    assert found.before == found.not_retrained == found.retrained
    assert value(found.before) > 0.9
    assert isinstance(found.scores, ScoreChange)
    assert found.scores.correlation == pytest.approx(1.0)
    assert found.scores.mean_difference == 0.0
    mated = len(mated_pairs(group(LEAKED.subjects)).first)
    assert mated < found.scores.pairs <= 2 * mated


def test_an_attribute_that_is_split_off_is_gone_for_both_classifiers() -> None:
    found = probe("disentangle", steps=0)
    assert value(found.before) > 0.9
    assert value(found.not_retrained) < 0.65
    assert value(found.retrained) < 0.65
    assert isinstance(found.scores, ScoreChange)
    assert 0.9 < found.scores.correlation < 1.0


def test_who_does_not_learn_anew_is_fooled_where_others_are_not() -> None:
    """Signs of half the size of a number, about another mean: nothing fits what was learnt."""
    found = probe("quantise", bits=1)
    assert value(found.retrained) > value(found.not_retrained) + 0.02
    assert isinstance(found.scores, ScoreChange)
    assert found.scores.mean_difference is None, "a cosine is no distance"
    assert 0.3 < found.scores.correlation < 1.0


def test_protected_templates_of_another_length_cannot_be_told_by_the_old_classifier() -> None:
    found = probe("pca", keep=10)
    assert found.not_retrained == NotMeasured("protected templates have 10 numbers, plain ones 24")
    assert value(found.retrained) > 0.5


def test_people_with_one_template_each_have_no_mated_scores() -> None:
    scheme = make_scheme("none", {}, DIM, "l2")
    names = np.array([f"s{i}" for i in range(10)])
    found = attribute_probe(scheme, LEAKED.vectors[:10], names, LEAKED.attributes["mark"][:10])
    assert isinstance(found.before, NotMeasured)
    assert found.scores == NotMeasured("nobody has two templates")


def test_what_was_learnt_is_tried_on_other_templates_of_the_same_pictures() -> None:
    words = np.where(LEAKED.attributes["mark"], "yes", "no").tolist()
    plain, names = LEAKED.vectors, LEAKED.subjects
    turned = (2 * plain.mean(axis=0) - plain).astype(np.float32)
    right = value(attribute_leakage(plain, names, words))
    wrong = value(attribute_leakage(plain, names, words, tested=turned))
    assert wrong < 1 - right + 0.05
    with pytest.raises(ValueError, match=r"learnt from \(120, 24\) and tried on \(120, 3\)"):
        attribute_leakage(plain, names, words, tested=plain[:, :3])
