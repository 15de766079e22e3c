"""Which of a direction and its mirror image is a face's: against the function written out."""

from __future__ import annotations

import numpy as np
import pytest

from attacks.preimage.base import PREIMAGES, SAMPLE, Population
from attacks.preimage.mirror import RIDGE, Facing
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import Enrolled, make_scheme


def lopsided(count: int, dim: int, seed: int) -> np.ndarray:
    """Templates with a mean of nothing, whose values reach further up than down."""
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(count, dim)) - 1.0


def test_it_is_ridge_regression_on_all_products_of_three_values() -> None:
    rows, asked = lopsided(40, 4, 0), lopsided(200, 4, 1)

    def features(directions: np.ndarray) -> np.ndarray:
        unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        return np.einsum("ni,nj,nk->nijk", unit, unit, unit).reshape(len(unit), -1)

    known = features(rows)
    weights = np.linalg.solve(known.T @ known + RIDGE * np.eye(64), known.sum(axis=0))
    side = np.where(features(asked) @ weights < 0.0, -1.0, 1.0)
    assert 20 < (side < 0.0).sum() < 100
    np.testing.assert_array_equal(Facing(rows).turned(asked), asked * side[:, None])


def test_a_direction_and_its_mirror_image_are_turned_alike() -> None:
    facing, asked = Facing(lopsided(100, 6, 0)), lopsided(50, 6, 1)
    np.testing.assert_array_equal(facing.turned(asked), facing.turned(-asked))
    np.testing.assert_array_equal(facing.turned(np.zeros((2, 6))), np.zeros((2, 6)))


def test_third_powers_tell_where_the_mean_does_not() -> None:
    rows = lopsided(2000, 16, 0)
    rows -= rows.mean(axis=0)
    facing, others = Facing(rows), lopsided(500, 16, 1)
    assert (facing.turned(others) == others).all(axis=1).mean() > 0.9


def test_codes_of_two_products_no_longer_hide_the_sign() -> None:
    rows = lopsided(1500, 24, 0).astype(np.float32)
    leaked = lopsided(40, 24, 1).astype(np.float32)
    scheme = make_scheme("iom-urp", {"hashes": 512}, 24, "cosine")
    scheme = scheme.fit(Enrolled(rows, np.arange(len(rows)).astype(str)))
    attack = PREIMAGES.get("iom-urp:posterior")(scheme, Population.of(rows))
    keys = np.full((40, 1), 5)
    found = attack.recover(scheme.protect(leaked, 5)[:, None], keys)
    told = paired_similarity(found, leaked, "cosine")
    assert np.abs(told).min() > 0.8
    assert (told > 0.0).mean() > 0.75  # a guess has one half


@pytest.mark.parametrize("count", [2, SAMPLE, SAMPLE + 1, 3 * SAMPLE])
def test_a_population_keeps_no_more_templates_than_it_says(count: int) -> None:
    rows = np.random.default_rng(0).normal(size=(count, 3))
    sample = Population.of(rows).sample
    assert min(count, SAMPLE) / 2 < len(sample) <= SAMPLE
    every = -(-count // SAMPLE)
    np.testing.assert_array_equal(sample, rows[::every])
