from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.preimage.base import preimages_of
from attacks.preimage.polyprotect import LinearisedPolyProtect, _Belief, _Equations
from biometrics.errors import InputError
from biometrics.protection.polyprotect import PolyProtect
from tests.attacks.preimage.population import Leak, attacked, cosines, leak, records, some_keys


def first_power_only(world: Leak, number: int) -> NDArray[np.float64]:
    """The simple estimator: of each window the number to the power one, by far the largest term;
    zero where no window says anything."""
    assert isinstance(world.scheme, PolyProtect)
    keys = some_keys(len(world.templates), number)
    protected, places = records(world, keys), world.scheme.places()
    found = np.zeros((len(protected), world.scheme.dim + 5))
    for row, record in np.ndindex(*keys.shape):
        coefficients, exponents = world.scheme.key(int(keys[row, record]))
        term = int(np.flatnonzero(exponents == 1)[0])
        found[row, places[:, term]] = protected[row, record] / coefficients[term]
    return cosines(found[:, : world.scheme.dim] + world.scheme.mean, world)


@pytest.mark.parametrize(("overlap", "reached"), [(0, 0.4), (2, 0.55), (4, 0.9)])
def test_it_beats_the_simple_estimator(overlap: int, reached: float) -> None:
    world = leak("polyprotect", dim=96, overlap=overlap)
    found = attacked(LinearisedPolyProtect, world).mean()
    assert found > first_power_only(world, 1).mean() + 0.05
    assert found > reached


def test_two_records_with_large_overlap_give_the_template() -> None:
    found = attacked(LinearisedPolyProtect, leak("polyprotect", overlap=4), 2)
    assert np.median(found) > 0.998


def test_each_record_helps() -> None:
    world = leak("polyprotect")
    one, two, five = (attacked(LinearisedPolyProtect, world, number) for number in (1, 2, 5))
    assert one.mean() < two.mean() - 0.03
    assert two.mean() < five.mean()
    assert np.median(five) > 0.99


def test_records_beyond_what_decides_everything_change_nothing() -> None:
    world = leak("polyprotect", count=6)
    enough = int(np.ceil(LinearisedPolyProtect.enough * 32 / world.scheme.windows))
    few, many = (attacked(LinearisedPolyProtect, world, number) for number in (enough, enough + 3))
    np.testing.assert_array_equal(few, many)


def test_straight_lines_are_those_of_regression_on_drawn_numbers() -> None:
    """Of a window with two equations on the same numbers: offset, slopes, and what is left."""
    world = leak("polyprotect", dim=5, count=1)
    assert isinstance(world.scheme, PolyProtect)
    keys = np.array([[0, 1]])
    rng = np.random.default_rng(0)
    mean, deviation = rng.normal(0.0, 0.3, 5), rng.uniform(0.1, 0.5, 5)
    belief = _Belief(np.append(mean, 0.0)[None], np.append(deviation, 0.0)[None] ** 2)
    lines = _Equations(world.scheme, keys).straightened(belief)
    v = mean + deviation * rng.standard_normal((400_000, 5))
    sums = np.stack(
        [(c * v**e).sum(axis=1) for c, e in (world.scheme.key(int(key)) for key in keys[0])], axis=1
    )
    weights = np.linalg.lstsq(np.column_stack([np.ones(len(v)), v]), sums, rcond=None)[0]
    rest = np.cov(sums - weights[0] - v @ weights[1:], rowvar=False)
    np.testing.assert_allclose(lines.offset[0], weights[0], atol=0.15)
    np.testing.assert_allclose(lines.slope[0], weights[1:].T, atol=0.6)
    np.testing.assert_allclose(lines.rest[0], rest, rtol=0.05, atol=0.05 * rest.max())


def test_a_template_s_answer_does_not_depend_on_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    world = leak("polyprotect", count=7)
    keys = some_keys(7, 2)
    protected = records(world, keys)
    attack = LinearisedPolyProtect(world.scheme, world.population)
    together = attack.recover(protected, keys)
    for row in range(7):
        alone = attack.recover(protected[row : row + 1], keys[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5, atol=1e-6)
    monkeypatch.setattr("attacks.preimage.polyprotect.CHUNK", 1)
    np.testing.assert_allclose(attack.recover(protected, keys), together, rtol=1e-5, atol=1e-6)


def test_it_is_found_by_the_scheme_s_name_and_refuses_other_shapes() -> None:
    assert "polyprotect:gradient" in preimages_of("polyprotect:safe")
    world = leak("polyprotect", count=4)
    attack = LinearisedPolyProtect(world.scheme, world.population)
    with pytest.raises(InputError, match=r"\[N, R, P\]"):
        attack.recover(world.templates, np.zeros((4, 1), dtype=np.int64))
