"""Damaged templates: closed forms for what was added, and for what a repair can know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.perturbation.damage import (
    CLEAR,
    Damage,
    half_precision,
    in_bits,
    noisy,
    rounded,
    shuffled,
    some_dimensions,
)
from biometrics.errors import InputError
from biometrics.template_form import TemplateForm
from biometrics.template_map import fit_template_map

ALL = [
    some_dimensions(0.3, 1),
    some_dimensions(0.3, 1, hidden=True),
    rounded(2),
    half_precision(),
    in_bits(8),
    in_bits(1),
    shuffled(1),
    noisy(10.0),
]


def correlated(n: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal templates [n, dim], their mean and their covariance."""
    mixing = np.random.default_rng(99).standard_normal((dim, dim)) / math.sqrt(dim)
    mean = np.linspace(-1, 1, dim)
    x = np.random.default_rng(seed).standard_normal((n, dim)) @ mixing.T + mean
    return x.astype(np.float32), mean, mixing @ mixing.T


def seeds(n: int, first: int = 0) -> np.ndarray:
    return np.arange(first, first + n, dtype=np.uint64)


@pytest.mark.parametrize(
    "damage",
    [
        some_dimensions(1.0, 1),
        some_dimensions(1.0, 1, hidden=True),
        noisy(math.inf),
        Damage("none", TemplateForm("")),
    ],
)
def test_no_damage_changes_nothing_to_the_last_bit(damage: Damage) -> None:
    x, _, _ = correlated(50, 8)
    assert damage.fit(x).apply(x, seeds(50)).tobytes() == x.tobytes()


@pytest.mark.parametrize("damage", ALL, ids=lambda d: d.slug)
def test_each_damage_changes_something_and_leaves_its_input_alone(damage: Damage) -> None:
    x, _, _ = correlated(50, 10)
    before = x.copy()
    found = damage.fit(x).apply(x, seeds(50))
    assert found.shape != x.shape or not np.array_equal(found, x)
    assert np.array_equal(x, before)
    assert found.dtype == np.float32


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_templates_are_damaged_one_by_one_as_all_at_once(data: st.DataObject) -> None:
    damage = data.draw(st.sampled_from(ALL))
    n, dim = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 12))
    x, _, _ = correlated(n, dim)
    own = seeds(n, data.draw(st.integers(0, 2**63)))
    fitted = damage.fit(x)
    found = fitted.apply(x, own)
    assert found.shape == (n, damage.form.dim(dim))
    order = np.array(data.draw(st.permutations(range(n))))
    assert np.array_equal(fitted.apply(x[order], own[order]), found[order])
    alone = [fitted.apply(x[i : i + 1], own[i : i + 1]) for i in range(n)]
    assert np.array_equal(np.concatenate(alone), found)


@pytest.mark.parametrize("snr", [20.0, 10.0, 3.0, 0.0, -5.0])
def test_the_signal_to_noise_ratio_is_the_one_asked_for(snr: float) -> None:
    x, _, covariance = correlated(4000, 16)
    noise = noisy(snr).fit(x).apply(x, seeds(4000)) - x
    measured = 10 * math.log10(np.trace(covariance) / noise.var(axis=0).sum())
    assert measured == pytest.approx(snr, abs=0.15)
    assert np.abs(np.corrcoef(noise.T) - np.eye(16)).max() < 0.08
    np.testing.assert_allclose(noise.std(axis=0), noise.std(), rtol=0.06)


def test_noise_at_another_strength_is_the_same_draw() -> None:
    x, _, _ = correlated(5, 6)
    loud, quiet = (noisy(db).fit(x).apply(x, seeds(5)) - x for db in (0.0, 20.0))
    np.testing.assert_allclose(quiet * 10, loud, atol=1e-5)


def test_another_seed_is_another_noise() -> None:
    x, _, _ = correlated(2, 6)
    same = noisy(0.0).fit(x).apply(x[[0, 0]], seeds(2))
    assert not np.array_equal(same[0], same[1])


def test_the_repair_of_missing_dimensions_is_their_conditional_expectation() -> None:
    """Of normal templates: mean_u + C_uk C_kk^-1 (x_k - mean_k)."""
    x, mean, covariance = correlated(20_000, 12)
    fresh, _, _ = correlated(200, 12, seed=1)
    fitted = some_dimensions(0.5, 3).fit(x)
    kept = fitted.form.positions
    repair = fit_template_map(fitted.apply(x, seeds(len(x))), x)
    found = repair.apply(fitted.apply(fresh, seeds(200)))
    solved = np.linalg.solve(covariance[np.ix_(kept, kept)], (fresh[:, kept] - mean[kept]).T)
    expected = mean + (covariance[:, kept] @ solved).T
    np.testing.assert_allclose(found, expected, atol=0.06)
    np.testing.assert_allclose(found[:, kept], fresh[:, kept], atol=2e-3)


def test_the_repair_of_noise_is_the_wiener_filter() -> None:
    """mean + C (C + s² I)^-1 (x - mean)."""
    x, mean, covariance = correlated(20_000, 12)
    fresh, _, _ = correlated(200, 12, seed=1)
    fitted = noisy(3.0).fit(x)
    heard = fitted.apply(fresh, seeds(200, 10**6))
    found = fit_template_map(fitted.apply(x, seeds(len(x))), x).apply(heard)
    power = np.trace(covariance) / 12 * 10**-0.3
    solved = np.linalg.solve(covariance + power * np.eye(12), (heard - mean).T)
    np.testing.assert_allclose(found, mean + (covariance @ solved).T, atol=0.09)
    whole = float(((heard - fresh) ** 2).mean())
    assert float(((found - fresh) ** 2).mean()) < 0.75 * whole


def test_names_say_what_leaked() -> None:
    assert [d.slug for d in ALL] == [
        "dimensions-0.3",
        "dimensions-unknown-0.3",
        "rounded-2",
        "float16",
        "bits-8",
        "bits-1",
        "shuffled",
        "noise-10",
    ]
    assert some_dimensions(0.3, 1).label == "30 % of the dimensions"
    assert [d.hidden for d in ALL] == [False, True, False, False, False, False, True, False]
    assert [d.snr == CLEAR for d in ALL] == [True] * 7 + [False]


def test_what_cannot_be_asked_for() -> None:
    x, _, _ = correlated(5, 6)
    with pytest.raises(InputError, match="number of dB"):
        noisy(math.nan)
    with pytest.raises(InputError, match="above 0 and up to 1"):
        some_dimensions(0.0, 1)
    with pytest.raises(InputError, match="a seed for each of 5"):
        noisy(3.0).fit(x).apply(x, seeds(4))
    with pytest.raises(InputError, match="expected templates of 6"):
        noisy(3.0).fit(x).apply(x[:, :5], seeds(5))
