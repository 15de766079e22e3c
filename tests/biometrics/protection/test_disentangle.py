from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from biometrics.errors import ConfigError, InputError
from biometrics.metrics.scores import pair_scores, similarity_matrix
from biometrics.protection.base import Enrolled, NoLabelsError, make_scheme
from biometrics.protection.disentangle import Disentangle
from tests.biometrics.protection.crowd import DIM, crowd


def labelled(n: int, seed: int, *, dim: int = DIM) -> Enrolled:
    """People whose pictures smile at random; smiling moves a template a little, the same way for
    everybody, and makes one direction noisier."""
    people = crowd(n, seed, dim=dim)
    random = np.random.default_rng(seed + 100)
    smile = random.random(n) < 0.4
    way = np.random.default_rng(5).normal(size=(2, dim)) / np.sqrt(dim)
    moved = people.vectors + 1.2 * smile[:, None] * way[0]
    noisy = moved + 1.5 * (smile * random.normal(size=n))[:, None] * way[1]
    marks = {"smile": smile, "beard": random.random(n) < 0.5}
    return Enrolled(noisy.astype(np.float32), people.subjects, marks)


PEOPLE, LEAKED = labelled(900, 1), labelled(600, 2)
SMILE = LEAKED.attributes["smile"]


def made(**values: Any) -> Disentangle:
    scheme = make_scheme("disentangle", {"name": "smile", **values}, DIM, "l2").fit(PEOPLE)
    assert isinstance(scheme, Disentangle)
    return scheme


@pytest.fixture(scope="module")
def trained() -> Disentangle:
    return made()


def told(learnt: NDArray[np.float32], tried: NDArray[np.float32]) -> float:
    """Balanced accuracy of a regression that learnt from the people of the scheme."""
    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    right = model.fit(learnt, PEOPLE.attributes["smile"]).predict(tried) == SMILE
    return float((right[SMILE].mean() + right[~SMILE].mean()) / 2)


@pytest.mark.parametrize("linear", [True, False])
def test_neither_an_old_nor_a_new_classifier_tells_the_attribute_afterwards(
    trained: Disentangle, linear: bool
) -> None:
    scheme = made(steps=0) if linear else trained
    stored, plain = scheme.protect(LEAKED.vectors, 0), PEOPLE.vectors
    assert told(plain, LEAKED.vectors) > 0.75
    assert told(plain, stored) < 0.58
    assert told(scheme.protect(plain, 0), stored) < 0.58


def test_both_parts_together_give_the_template_back(trained: Disentangle) -> None:
    spread = ((LEAKED.vectors - LEAKED.vectors.mean(axis=0)) ** 2).sum()
    error = ((trained.decode(LEAKED.vectors) - LEAKED.vectors) ** 2).sum() / spread
    assert 0 < error < 0.02
    np.testing.assert_allclose(made(steps=0).decode(LEAKED.vectors), LEAKED.vectors, atol=1e-4)


def test_the_class_means_of_the_people_it_learnt_from_are_alike() -> None:
    """In closed form without training: the means of what is stored are equal."""
    stored = made(steps=0).protect(PEOPLE.vectors, 0).astype(np.float64)
    there = PEOPLE.attributes["smile"]
    np.testing.assert_allclose(stored[there].mean(axis=0), stored[~there].mean(axis=0), atol=1e-5)
    plain = PEOPLE.vectors
    assert np.abs(plain[there].mean(axis=0) - plain[~there].mean(axis=0)).max() > 0.2


def test_the_attribute_part_swapped_turns_the_attribute(trained: Disentangle) -> None:
    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    model.fit(PEOPLE.vectors, PEOPLE.attributes["smile"])
    before = model.predict(LEAKED.vectors)
    after = model.predict(trained.decode(LEAKED.vectors, attribute="swap"))
    assert (before == after).mean() < 0.2
    share = {
        part: model.predict(trained.decode(LEAKED.vectors, attribute=part)).mean()
        for part in ("without", "average", "with")
    }
    assert share["without"] < 0.2 < share["average"] < 0.8 < share["with"]


def test_the_identity_part_holds_who_it_is(trained: Disentangle) -> None:
    """Replaced by an average it leaves next to nothing of the distances between people."""
    plain = similarity_matrix(LEAKED.vectors, LEAKED.vectors, "l2")
    kept = trained.protect(LEAKED.vectors, 0)
    alike = np.corrcoef(plain.ravel(), similarity_matrix(kept, kept, "l2").ravel())[0, 1]
    gone = trained.decode(LEAKED.vectors, identity="average")
    left = similarity_matrix(gone, gone, "l2")
    assert alike > 0.95
    assert left.mean() > 0.4 * plain.mean()  # scores are minus the distance
    one = trained.decode(LEAKED.vectors, identity="with", attribute="without")
    np.testing.assert_allclose(one, np.broadcast_to(one[:1], one.shape), atol=1e-5)


def test_what_is_stored_follows_the_setting(trained: Disentangle) -> None:
    for part in ("average", "swap", "keep"):
        scheme = made(attribute=part, steps=0)
        expected = scheme.decode(LEAKED.vectors, attribute=part)
        np.testing.assert_array_equal(scheme.protect(LEAKED.vectors, 4), expected)
    average = trained.decode(LEAKED.vectors, attribute="average")
    np.testing.assert_array_equal(trained.protect(LEAKED.vectors, 0), average)
    assert (trained.comparator, trained.stored_bits) == ("l2", 32 * DIM)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(trained: Disentangle) -> None:
    stored = trained.protect(LEAKED.vectors, 0)
    assert made().protect(LEAKED.vectors, 0).tobytes() == stored.tobytes()
    assert made(seed=1).protect(LEAKED.vectors, 0).tobytes() != stored.tobytes()
    alone = [trained.protect(LEAKED.vectors[i : i + 1], 0) for i in range(50)]
    assert np.concatenate(alone).tobytes() == stored[:50].tobytes()


def test_the_first_attribute_by_name_is_taken_where_none_is_named() -> None:
    scheme = make_scheme("disentangle", {"steps": 0}, DIM, "l2").fit(PEOPLE)
    assert isinstance(scheme, Disentangle)
    assert scheme.name == "beard"
    assert made(steps=0).name == "smile"


def fails(people: Enrolled, kind: type[Exception], said: str, **values: Any) -> None:
    with pytest.raises(kind, match=said):
        make_scheme("disentangle", {"steps": 0, **values}, DIM, "l2").fit(people)


def test_labels_that_are_not_there_are_told_in_one_line() -> None:
    none = Enrolled(PEOPLE.vectors, PEOPLE.subjects)
    fails(none, NoLabelsError, "^no attribute of the operator's people is labelled$")
    fails(
        PEOPLE,
        ConfigError,
        r"'smiles' \(did you mean 'smile'\?\); labelled: beard, smile$",
        name="smiles",
    )
    few = dataclasses.replace(PEOPLE, attributes={"smile": np.arange(900) < 19})
    fails(few, NoLabelsError, "too few labels: 19 templates have one value of 'smile', at least 20")
    short = dataclasses.replace(PEOPLE, attributes={"smile": np.ones(3, dtype=np.bool_)})
    fails(short, InputError, "900 templates with 3 labels")


def test_other_templates_and_a_scheme_that_learnt_nothing_are_refused() -> None:
    fails(labelled(200, 3, dim=7), InputError, "made for templates of 24 values")
    with pytest.raises(InputError, match="fit it first"):
        make_scheme("disentangle", {}, DIM, "l2").protect(LEAKED.vectors, 0)


def test_scores_of_pairs_stay_in_order(trained: Disentangle) -> None:
    pairs = np.arange(0, 600, 3), np.arange(1, 600, 3)
    others = np.arange(0, 600, 3), np.roll(np.arange(1, 600, 3), 7)
    stored = trained.protect(LEAKED.vectors, 0)
    mated, strangers = (pair_scores(stored, stored, some, "l2") for some in (pairs, others))
    plain, far = (pair_scores(LEAKED.vectors, LEAKED.vectors, p, "l2") for p in (pairs, others))
    before = (plain[:, None] > far).mean()
    assert (mated[:, None] > strangers).mean() > before - 0.01
