"""What every registered pre-image attack must do."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.preimage.base import PREIMAGES, Population, PreImage, preimages_of
from biometrics.errors import InputError
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import SCHEMES, Keys, Vectors
from tests.biometrics.protection.contract import DIM, crowd, fitted

SHIPPED = {
    "none",
    "random-projection:pseudo-inverse",
    "random-projection:posterior",
    "biohash:sum",
    "biohash:posterior",
    "iom-grp:sum",
    "iom-grp:posterior",
    "iom-urp:posterior",
}
COUNT, RECORDS = 24, 2

every_attack = pytest.mark.parametrize("name", PREIMAGES.names())
population = Population.of(crowd(2).vectors)
leaked = crowd(3, COUNT).vectors[::4]  # one of each person
keys: Keys = np.random.default_rng(4).integers(0, 5, (COUNT, RECORDS))


def build(name: str, seed: int = 0) -> PreImage:
    kind = PREIMAGES.get(name)
    return kind(fitted(kind.scheme_name), population, seed=seed)


@cache
def records(scheme: str) -> Vectors:
    made = np.stack(
        [fitted(scheme).protect_each(leaked, keys[:, r]) for r in range(RECORDS)], axis=1
    )
    made.flags.writeable = False
    return made


@cache
def recovered(name: str) -> Vectors:
    found = build(name).recover(records(PREIMAGES.get(name).scheme_name), keys)
    found.flags.writeable = False
    return found


def cosines(found: Vectors, wanted: Vectors) -> NDArray[np.float32]:
    """Of templates less the mean."""
    mean = population.mean.astype(np.float32)
    return paired_similarity(found - mean, wanted - mean, "cosine")


def test_the_attacks_that_ship_are_registered() -> None:
    assert set(PREIMAGES.names()) >= SHIPPED


@every_attack
def test_it_names_a_scheme_and_says_how(name: str) -> None:
    kind = PREIMAGES.get(name)
    assert kind.scheme_name in SCHEMES.names()
    assert name in preimages_of(kind.scheme_name)
    assert name in preimages_of(f"{kind.scheme_name}:variant")
    assert name.partition(":")[0] == kind.scheme_name.partition(":")[0]
    assert kind.method.strip()


@every_attack
def test_templates_come_back_finite_and_of_the_right_shape(name: str) -> None:
    found = recovered(name)
    assert found.dtype == np.float32
    assert found.shape == (COUNT, DIM)
    assert np.isfinite(found).all()


@every_attack
def test_the_input_is_left_untouched(name: str) -> None:
    given = records(PREIMAGES.get(name).scheme_name)
    protected, under = given.copy(), keys.copy()
    found = build(name).recover(protected, under)
    assert np.array_equal(protected, given)
    assert np.array_equal(under, keys)
    found[:] = 0.5  # its memory is its own
    assert np.array_equal(protected, given)


@every_attack
def test_the_same_seed_finds_the_same(name: str) -> None:
    np.random.random(3)
    scheme = PREIMAGES.get(name).scheme_name
    assert np.array_equal(build(name).recover(records(scheme), keys), recovered(name))


@every_attack
def test_a_batch_equals_its_templates_one_by_one(name: str) -> None:
    attack, given = build(name), records(PREIMAGES.get(name).scheme_name)
    for one in range(3):
        alone = attack.recover(given[one : one + 1], keys[one : one + 1])
        np.testing.assert_allclose(alone, recovered(name)[one : one + 1], atol=2e-3)


@every_attack
def test_it_finds_far_more_of_a_person_than_a_guess(name: str) -> None:
    """A guess at the mean has no direction; anybody else's template is the other guess."""
    found = recovered(name)
    right, wrong = cosines(found, leaked), cosines(found, np.roll(leaked, 1, axis=0))
    error = np.hypot(right.std(ddof=1), wrong.std(ddof=1)) / np.sqrt(COUNT)
    assert right.mean() > wrong.mean() + 6.0 * error
    assert right.mean() > 0.4


@every_attack
def test_one_record_is_enough(name: str) -> None:
    given = records(PREIMAGES.get(name).scheme_name)[:, :1]
    found = build(name).recover(given, keys[:, :1])
    assert found.shape == (COUNT, DIM)
    assert cosines(found, leaked).mean() > 0.3


@every_attack
def test_records_that_do_not_belong_together_are_refused(name: str) -> None:
    attack, given = build(name), records(PREIMAGES.get(name).scheme_name)
    with pytest.raises(InputError, match=r"\[N, R, P\] and keys \[N, R\], got \[24, \d+\]"):
        attack.recover(given[:, 0], keys)
    with pytest.raises(InputError, match=r"and \[23, 2\]$"):
        attack.recover(given, keys[1:])
    broken = given.copy()
    broken[3, 1, 0] = np.nan
    with pytest.raises(InputError, match="1 of 48 templates hold NaN"):
        attack.recover(broken, keys)


def test_a_population_is_its_mean_its_covariance_and_its_usual_length() -> None:
    rows = crowd(5).vectors.astype(np.float64)
    made = Population.of(rows)
    away = rows - rows.mean(axis=0)
    np.testing.assert_allclose(made.mean, rows.mean(axis=0))
    assert made.length == pytest.approx(np.sqrt((away**2).sum(axis=1)).mean())
    assert np.linalg.eigvalsh(made.covariance)[0] > 0
    sample = away.T @ away / len(rows)
    assert np.trace(made.covariance) == pytest.approx(np.trace(sample))  # shrinking keeps it
    with pytest.raises(InputError, match="two templates or more, got 1"):
        Population.of(rows[:1])
