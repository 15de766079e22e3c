from __future__ import annotations

import numpy as np
import pytest

from attacks.preimage.base import PREIMAGES, Population, preimages_of
from biometrics.errors import InputError
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import Enrolled, ProtectionScheme, Vectors, make_scheme
from tests.biometrics.protection.crowd import DIM, crowd

LEAKED = crowd(50, 2).vectors


def operators() -> Enrolled:
    """People of another mean and spread than the attacker's."""
    people = crowd(400, 1)
    turned = people.vectors[:, ::-1] * np.float32(0.5) + people.vectors
    return Enrolled(turned, people.subjects)


@pytest.fixture(scope="module")
def scheme() -> ProtectionScheme:
    return make_scheme("pca", {"keep": 6}, DIM, "l2").fit(operators())


POPULATION = Population.of(crowd(900, 8).vectors)


def recovered(name: str, scheme: ProtectionScheme, vectors: Vectors = LEAKED) -> Vectors:
    stored = scheme.protect(vectors, 0)[:, None]
    keys = np.zeros(stored.shape[:2], dtype=np.int64)
    return PREIMAGES.get(name)(scheme, POPULATION).recover(stored, keys)


def test_both_give_back_what_was_stored(scheme: ProtectionScheme) -> None:
    for name in preimages_of("pca"):
        found = recovered(name, scheme)
        assert found.dtype == np.float32
        np.testing.assert_allclose(scheme.protect(found, 0), scheme.protect(LEAKED, 0), atol=1e-4)


def test_back_projection_is_the_preimage_nearest_to_the_mean(scheme: ProtectionScheme) -> None:
    """The least-norm solution of as many equations as coordinates were kept."""
    unit = np.eye(DIM, dtype=np.float32)
    mean = operators().vectors.mean(axis=0)
    weights = scheme.protect(unit + mean, 0).T.astype(np.float64)  # a linear map, from outside
    expected = mean + np.linalg.lstsq(weights, scheme.protect(LEAKED, 0).T, rcond=None)[0].T
    np.testing.assert_allclose(recovered("pca:back-projection", scheme), expected, atol=1e-4)


def test_the_posterior_is_the_likeliest_template_under_the_constraints(
    scheme: ProtectionScheme,
) -> None:
    """By Lagrange: stationary in the template, and the stored coordinates met."""
    unit = np.eye(DIM, dtype=np.float32)
    mean = operators().vectors.mean(axis=0)
    weights = scheme.protect(unit + mean, 0).T.astype(np.float64)
    precision = np.linalg.inv(POPULATION.covariance)
    system = np.block([[precision, weights.T], [weights, np.zeros((6, 6))]])
    target = scheme.protect(LEAKED, 0) + mean @ weights.T
    side = np.hstack([np.tile(precision @ POPULATION.mean, (len(LEAKED), 1)), target])
    expected = np.linalg.solve(system, side.T).T[:, :DIM]
    np.testing.assert_allclose(recovered("pca:posterior", scheme), expected, atol=2e-3)


def test_the_posterior_is_nearer_where_the_people_differ(scheme: ProtectionScheme) -> None:
    near = {
        name: paired_similarity(
            recovered(name, scheme) - POPULATION.mean, LEAKED - POPULATION.mean, "cosine"
        ).mean()
        for name in preimages_of("pca")
    }
    assert near["pca:posterior"] > near["pca:back-projection"] + 0.05


def test_nothing_is_lost_where_all_is_kept() -> None:
    whole = make_scheme("pca", {"keep": DIM}, DIM, "l2").fit(operators())
    for name in preimages_of("pca"):
        np.testing.assert_allclose(recovered(name, whole), LEAKED, atol=1e-3)


def test_shapes_that_do_not_belong_together_are_refused(scheme: ProtectionScheme) -> None:
    for kind in preimages_of("pca").values():
        with pytest.raises(InputError, match=r"expected protected templates \[N, R, P\]"):
            kind(scheme, POPULATION).recover(LEAKED, np.zeros(len(LEAKED), dtype=np.int64))
