"""Dimensions matched by statistics: recovered where these tell, a guess where they do not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks.perturbation.matching import assign, match_dimensions
from biometrics.errors import InputError

DIM = 32


def world(n: int, seed: int, *, mean: float = 0.0, spread: float = 0.0) -> np.ndarray:
    """Correlated normal templates of other people for each seed; their dimensions differ in mean
    and spread only as far as asked for."""
    fixed = np.random.default_rng(7)
    mixing = fixed.standard_normal((DIM, 6))
    noise = 1.0
    scale = 1 / np.sqrt((mixing**2).sum(axis=1) + noise)  # all of spread 1
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6)) @ mixing.T + rng.standard_normal((n, DIM))
    x = x * scale * np.exp(spread * fixed.standard_normal(DIM))
    return (x + mean * fixed.standard_normal(DIM)).astype(np.float32)


def share_found(leaked: np.ndarray, known: np.ndarray, seed: int, *, ordered: bool) -> float:
    """Of some dimensions in an order of their own (all of them), or half of them in their order."""
    order = np.random.default_rng(seed).permutation(DIM)
    kept = np.sort(order[: DIM // 2]) if ordered else order
    found = match_dimensions(leaked[:, kept], known, ordered=ordered)
    assert len(np.unique(found)) == len(found)
    assert not ordered or np.array_equal(found, np.sort(found))
    return float((found == kept).mean())


@pytest.mark.parametrize("ordered", [False, True])
def test_correlations_alone_give_the_order_away(ordered: bool) -> None:
    assert share_found(world(800, 1), world(4000, 2), 3, ordered=ordered) >= 0.9


@pytest.mark.parametrize("ordered", [False, True])
def test_few_templates_do_where_means_differ(ordered: bool) -> None:
    leaked, known = world(25, 1, mean=2.0, spread=0.3), world(4000, 2, mean=2.0, spread=0.3)
    assert share_found(leaked, known, 3, ordered=ordered) >= 0.8


def test_more_leaked_templates_match_more() -> None:
    known = world(4000, 2, mean=0.1)
    few, many = (share_found(world(n, 1, mean=0.1), known, 3, ordered=False) for n in (8, 800))
    assert few < 0.5 < many


def test_on_isotropic_templates_it_is_a_guess() -> None:
    rng = np.random.default_rng(0)
    leaked, known = rng.standard_normal((500, DIM)), rng.standard_normal((4000, DIM))
    shares = [share_found(leaked, known, seed, ordered=False) for seed in range(3)]
    # One of 32 by chance: 3 trials find 3 of 96 on average, hardly ever more than 10.
    assert np.mean(shares) < 10 / 96


def test_a_population_compared_with_itself_is_matched_exactly() -> None:
    x = world(300, 1)
    assert share_found(x, x, 3, ordered=False) == 1.0
    assert share_found(x, x, 4, ordered=True) == 1.0


@pytest.mark.parametrize("ordered", [False, True])
def test_templates_of_length_1_and_centred_ones_are_compared_as_such(ordered: bool) -> None:
    leaked, known = world(800, 1, mean=1.0), world(4000, 2, mean=1.0)
    unit = leaked / np.linalg.norm(leaked, axis=1, keepdims=True)
    assert share_found(leaked - leaked.mean(axis=0), known, 3, ordered=ordered) >= 0.9
    if not ordered:  # a part of a template of length 1 has no length of 1
        assert share_found(unit, known, 3, ordered=False) >= 0.9


def test_dimensions_that_never_change_do_no_harm() -> None:
    leaked, known = (world(n, n, mean=1.0, spread=0.3) for n in (500, 2000))
    leaked[:, 5] = known[:, 5] = 0.25
    assert share_found(leaked, known, 3, ordered=False) >= 0.9


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_assignments_are_the_cheapest_of_all(data: st.DataObject) -> None:
    """Against all that there are."""
    d = data.draw(st.integers(1, 6))
    k = data.draw(st.integers(1, d))
    cost = np.random.default_rng(data.draw(st.integers(0, 999))).random((k, d))
    for ordered, every in (
        (True, itertools.combinations(range(d), k)),
        (False, itertools.permutations(range(d), k)),
    ):
        found = assign(cost, ordered=ordered)
        lowest = min(cost[np.arange(k), list(one)].sum() for one in every)
        assert cost[np.arange(k), found].sum() == pytest.approx(lowest)
        assert len(set(found.tolist())) == k
        assert not ordered or list(found) == sorted(found)


def test_the_same_templates_give_the_same_answer_in_any_order_of_rows() -> None:
    leaked, known = world(200, 1), world(1000, 2)
    first = match_dimensions(leaked, known, ordered=False)
    again = match_dimensions(leaked[::-1], known[::-1], ordered=False)
    assert np.array_equal(first, again)


@pytest.mark.parametrize(
    ("leaked", "known", "message"),
    [
        (np.zeros((1, 3)), np.zeros((9, 3)), "two or more templates"),
        (np.zeros((5, 4)), np.zeros((9, 3)), "at most as many values"),
        (np.full((5, 3), np.nan), np.zeros((9, 3)), "NaN"),
    ],
)
def test_what_cannot_be_matched(leaked: np.ndarray, known: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        match_dimensions(leaked, known, ordered=False)
