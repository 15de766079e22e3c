from __future__ import annotations

import numpy as np
import pytest

from attacks.preimage.base import preimages_of
from attacks.preimage.block_permutation import InverseBlockPermutation
from biometrics.errors import InputError
from biometrics.protection.block_permutation import BlockPermutation
from tests.attacks.preimage.population import attacked, cosines, leak, records, some_keys


def test_without_loss_every_template_comes_back() -> None:
    assert attacked(InverseBlockPermutation, leak("block-permutation", drop=0.0)).min() > 0.99999


@pytest.mark.parametrize("dim", [32, 30])  # the last block is full, or filled up
def test_what_was_left_out_is_expected_as_the_population_has_it(dim: int) -> None:
    """Against the regression on the shown numbers, fitted to drawn directions."""
    world = leak("block-permutation", dim=dim)
    scheme, population = world.scheme, world.population
    assert isinstance(scheme, BlockPermutation)
    keys = np.zeros((len(world.templates), 1), dtype=np.int64)
    attack = InverseBlockPermutation(scheme, population)
    found = attack.recover(records(world, keys), keys)
    shown = scheme.places(0)[scheme.places(0) < dim]
    hidden = np.setdiff1d(np.arange(dim), shown)
    rng = np.random.default_rng(0)
    many = rng.multivariate_normal(population.mean, population.covariance, 80_000)
    many = (many - scheme.mean) / population.length
    design = np.column_stack([np.ones(len(many)), many[:, shown]])
    weights = np.linalg.lstsq(design, many[:, hidden], rcond=None)[0]
    directions = scheme.directions(world.templates)
    known = directions[:, shown]
    expected = directions.copy()
    expected[:, hidden] = np.column_stack([np.ones(len(known)), known]) @ weights
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(scheme.directions(found), expected, atol=0.02)
    # The shown numbers alone stand to each other as they were.
    ratio = scheme.directions(found)[:, shown] / known
    np.testing.assert_allclose(ratio, ratio[:, :1] * np.ones(len(shown)), rtol=1e-3)


def test_it_beats_leaving_the_lost_numbers_at_the_mean() -> None:
    world = leak("block-permutation", drop=0.5)
    keys = some_keys(len(world.templates), 1)
    protected = records(world, keys)
    found = InverseBlockPermutation(world.scheme, world.population).recover(protected, keys)
    simple = np.tile(world.scheme.mean, (len(protected), 1))
    for row, key in enumerate(keys[:, 0]):
        simple[row, world.scheme.places(int(key))] += protected[row, 0]
    assert (cosines(found, world) - cosines(simple, world)).mean() > 0.02


def test_each_record_shows_more_until_all_is_shown() -> None:
    world = leak("block-permutation", drop=0.5)
    reached = [attacked(InverseBlockPermutation, world, number).mean() for number in (1, 2, 9)]
    assert reached[0] < reached[1] - 0.05
    assert reached[2] > 0.99999


def test_it_is_found_by_the_scheme_s_name_and_refuses_other_shapes() -> None:
    assert "block-permutation:inverse" in preimages_of("block-permutation:lossless")
    world = leak("block-permutation", count=4)
    attack = InverseBlockPermutation(world.scheme, world.population)
    with pytest.raises(InputError, match=r"\[N, R, P\]"):
        attack.recover(world.templates, np.zeros((4, 1), dtype=np.int64))
