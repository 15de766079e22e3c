from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from attacks.preimage.base import preimages_of
from attacks.preimage.mlp_hash import GradientMlpHash, _size
from attacks.preimage.search import GradientSearch, Misfit
from biometrics.errors import InputError
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.mlp_hash import MlpHash
from tests.attacks.preimage.population import (
    Leak,
    attacked,
    cosines,
    drawn,
    leak,
    records,
    some_keys,
)


class Noisy(GradientSearch):
    """Half of the numbers of a template, each off by noise: the posterior has a closed form."""

    deviation = 0.3

    def misfit(self, key: int) -> Misfit:
        def unlikely(templates: Tensor, protected: Tensor) -> Tensor:
            off = templates[:, : protected.shape[1]] - protected
            return 0.5 * off.square().sum(dim=1) / self.deviation**2

        return unlikely


def test_what_is_found_is_the_mean_of_the_posterior() -> None:
    world = leak("mlp-hash", dim=8, count=20)
    shown = world.templates[:, None, :4].repeat(2, axis=1)  # told twice: half the variance
    found = Noisy(world.scheme, world.population).recover(shown, np.zeros((20, 2), dtype=np.int64))
    mean, spread = world.population.mean, world.population.covariance
    gain = np.linalg.solve(spread[:4, :4] + np.eye(4) * Noisy.deviation**2 / 2, spread[:4]).T
    expected = mean + (shown[:, 0] - mean[:4]) @ gain.T
    assert isinstance(world.scheme, MlpHash)
    both = world.scheme.directions(found) * world.scheme.directions(expected)
    assert both.sum(axis=1).min() > 0.99
    away = np.linalg.norm(found - world.scheme.mean, axis=1)
    np.testing.assert_allclose(away, world.population.length, rtol=1e-5)


def linear(world: Leak, keys: Keys) -> Vectors:
    """The simple estimator: regression on the hashes of drawn templates, under each key."""
    found = np.empty_like(world.templates)
    for key in np.unique(keys):
        rows = np.flatnonzero(keys[:, 0] == key)
        known = drawn(4000, world.scheme.dim, 5)
        bits, asked = (world.scheme.protect(some, int(key)) for some in (known, world.templates))
        design = np.column_stack([np.ones(len(known)), bits])
        weights = np.linalg.lstsq(design, known, rcond=None)[0]
        found[rows] = np.column_stack([np.ones(len(rows)), asked[rows]]) @ weights
    return found


def test_mlp_hash_is_undone_better_than_by_regression() -> None:
    world = leak("mlp-hash", count=60)
    found = attacked(GradientMlpHash, world)
    simple = cosines(linear(world, some_keys(60, 1)), world)
    assert found.mean() > simple.mean() + 0.03
    assert found.mean() > 0.5


def test_each_hash_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GradientMlpHash, "steps", 60)
    world = leak("mlp-hash", count=12)
    one, three = (attacked(GradientMlpHash, world, number).mean() for number in (1, 3))
    assert one < three - 0.15
    assert three > 0.7


def test_a_template_s_answer_depends_on_the_seed_and_not_on_its_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(GradientMlpHash, "steps", 15)
    world = leak("mlp-hash", count=5)
    keys = some_keys(5, 2, of=2)
    protected, kept = records(world, keys), records(world, keys).copy()
    attack = GradientMlpHash(world.scheme, world.population, seed=1)
    together = attack.recover(protected, keys)
    np.testing.assert_array_equal(together, attack.recover(protected, keys))
    np.testing.assert_array_equal(protected, kept)
    for row in range(5):
        alone = attack.recover(protected[row : row + 1], keys[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5, atol=1e-6)
    monkeypatch.setattr("attacks.preimage.search.KEYS", 1)
    monkeypatch.setattr("attacks.preimage.search.CHUNK", 1)
    np.testing.assert_allclose(attack.recover(protected, keys), together, rtol=1e-5, atol=1e-6)
    other = GradientMlpHash(world.scheme, world.population, seed=2).recover(protected, keys)
    assert not np.allclose(other, together, atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"layers": 1, "length": 200}, {"width": 20}])
def test_the_size_of_the_last_numbers_is_known_beforehand(settings: dict[str, float]) -> None:
    world = leak("mlp-hash", count=300, **settings)
    assert isinstance(world.scheme, MlpHash)
    *hidden, last = world.scheme.weights(0)
    rows = torch.from_numpy(world.scheme.directions(world.templates))
    for weights in hidden:
        rows = torch.relu(rows @ torch.from_numpy(weights).T)
    found = float((rows @ torch.from_numpy(last).T).std())
    assert _size(world.scheme.weights(0)) == pytest.approx(found, rel=0.25)


def test_it_is_found_by_the_scheme_s_name_and_refuses_other_shapes() -> None:
    assert "mlp-hash:gradient" in preimages_of("mlp-hash:long")
    world = leak("mlp-hash", count=4)
    attack = GradientMlpHash(world.scheme, world.population)
    with pytest.raises(InputError, match=r"\[N, R, P\]"):
        attack.recover(world.templates, np.zeros((4, 1), dtype=np.int64))
    with pytest.raises(InputError, match="have 32 numbers, got 31"):
        attack.recover(world.templates[:, None, :31], np.zeros((4, 1), dtype=np.int64))
