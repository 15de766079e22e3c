from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import PCA

from biometrics.errors import ConfigError, InputError
from biometrics.metrics.scores import similarity_matrix
from biometrics.protection.base import ProtectionScheme, make_scheme
from biometrics.protection.pca import Pca
from tests.biometrics.protection.crowd import DIM, crowd

PEOPLE = crowd(300, 1)
LEAKED = crowd(40, 2).vectors


def fitted(keep: float = 8) -> Pca:
    scheme = make_scheme("pca", {"keep": keep}, DIM, "l2").fit(PEOPLE)
    assert isinstance(scheme, Pca)
    return scheme


def test_the_coordinates_are_those_of_scikit_learn_up_to_their_sign() -> None:
    other = PCA(8, svd_solver="full").fit(PEOPLE.vectors.astype(np.float64))
    expected = other.transform(LEAKED.astype(np.float64))
    found = fitted().protect(LEAKED, 0)
    assert found.shape == (40, 8)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=2e-6)
    assert (np.abs(expected) > 0.1).any(axis=0).all()


def test_each_direction_has_one_sign_whatever_the_order_of_the_people() -> None:
    scheme = fitted()
    turned = dataclasses.replace(PEOPLE, vectors=PEOPLE.vectors[::-1].copy())
    other = make_scheme("pca", {"keep": 8}, DIM, "l2").fit(turned)
    np.testing.assert_allclose(scheme.protect(LEAKED, 0), other.protect(LEAKED, 0), atol=1e-5)
    top = np.abs(scheme.directions).argmax(axis=1)
    assert (scheme.directions[np.arange(8), top] > 0).all()


def test_all_coordinates_keep_every_distance_and_fewer_only_shorten_them() -> None:
    plain = similarity_matrix(LEAKED, LEAKED, "l2")
    whole = fitted(DIM).protect(LEAKED, 0)
    np.testing.assert_allclose(similarity_matrix(whole, whole, "l2"), plain, atol=1e-5)
    some = fitted(4).protect(LEAKED, 0)
    assert (similarity_matrix(some, some, "l2") >= plain - 1e-5).all()


@pytest.mark.parametrize(
    ("keep", "kept"), [(1, 1), (8, 8), (DIM, DIM), (500, DIM), (0.5, 12), (1.0, DIM), (0.001, 1)]
)
def test_what_is_kept_is_a_number_or_a_share_of_the_numbers(keep: float, kept: int) -> None:
    scheme = fitted(keep)
    assert scheme.protect(LEAKED, 0).shape[1] == kept
    assert scheme.stored_bits == 32 * kept
    assert scheme.comparator == "l2"


@pytest.mark.parametrize("keep", [0, -3, 0.0, 1.5, "many"])
def test_other_amounts_are_refused(keep: object) -> None:
    with pytest.raises(ConfigError, match="protection 'pca', setting 'keep"):
        make_scheme("pca", {"keep": keep}, DIM, "l2")


def test_a_template_gives_the_same_bytes_alone_and_among_others() -> None:
    scheme: ProtectionScheme = fitted()
    alone = np.concatenate([scheme.protect(LEAKED[i : i + 1], i) for i in range(len(LEAKED))])
    assert alone.tobytes() == scheme.protect(LEAKED, 0).tobytes()


def test_too_few_people_for_so_many_directions_are_refused() -> None:
    few = dataclasses.replace(PEOPLE, vectors=PEOPLE.vectors[:8])
    with pytest.raises(InputError, match="8 principal directions need 9 templates or more, got 8"):
        make_scheme("pca", {"keep": 8}, DIM, "l2").fit(few)


def test_people_that_are_not_finite_are_refused() -> None:
    bad = PEOPLE.vectors.copy()
    bad[3, 3] = np.nan
    with pytest.raises(InputError, match="first: row 3"):
        make_scheme("pca", {}, DIM, "l2").fit(dataclasses.replace(PEOPLE, vectors=bad))
