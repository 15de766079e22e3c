from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.metrics import intervals, scores
from biometrics.metrics.intervals import (
    DRAWS,
    Interval,
    clopper_pearson,
    draw_counts,
    mean_over_subjects,
    paired_difference,
    two_way,
)
from biometrics.metrics.keyed_intervals import (
    KEY_SEED,
    mean_over_subjects_and_keys,
    paired_difference_over_keys,
    two_way_over_keys,
)
from tests.biometrics.metrics.common import PROPERTY, Array


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def contains(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def under_keys(
    seed: int, subjects: int, keys: int, of_key: float, of_subject: float
) -> tuple[Array, Array]:
    """Values around zero with an effect of each key and one of each subject."""
    rng = np.random.default_rng(seed)
    index = np.arange(subjects) % keys
    effect = of_key * rng.normal(size=keys)
    return effect[index] + of_subject * rng.normal(size=subjects), index


# --- one value a subject -----------------------------------------------------------------------


def test_the_bootstrap_is_what_a_loop_over_the_same_draws_gives() -> None:
    values, keys = under_keys(0, 23, 4, 1.0, 1.0)
    subjects, of_keys = draw_counts(23, 6), draw_counts(4, 6 + KEY_SEED)
    estimates = []
    for draw in range(DRAWS):
        above, below = 0.0, 0.0
        for i in range(23):
            weight = float(subjects[draw, i]) * float(of_keys[draw, keys[i]])
            above += weight * values[i]
            below += weight
        estimates.append(above / below)
    got = mean_over_subjects_and_keys(values, keys + 100, rates=False, seed=6)
    assert got.value == pytest.approx(values.mean())
    assert got.n == 23
    assert got[1:3] == pytest.approx(tuple(np.percentile(estimates, [2.5, 97.5])), abs=1e-12)


def test_keys_that_share_their_luck_are_covered_and_subjects_alone_are_not() -> None:
    plain, keyed = 0, 0
    for trial in range(100):
        values, keys = under_keys(trial, 200, 20, 1.0, 1.0)
        plain += contains(mean_over_subjects(values, rates=False), 0.0)
        keyed += contains(mean_over_subjects_and_keys(values, keys, rates=False), 0.0)
    assert plain <= 65, plain
    assert 89 <= keyed <= 99, keyed


@PROPERTY
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.booleans(), st.integers(0, 99))
def test_one_key_is_no_key(values: list[float], rates: bool, seed: int) -> None:
    x = (np.array(values) + 5) / 10 if rates else np.array(values)
    keys = np.full(len(x), 17)
    assert mean_over_subjects_and_keys(x, keys, rates=rates, seed=seed) == mean_over_subjects(
        x, rates=rates, seed=seed
    )
    half = 0.5 * x
    assert paired_difference_over_keys(x, half, keys, rates=rates, seed=seed) == paired_difference(
        x, half, rates=rates, seed=seed
    )


@PROPERTY
@given(st.integers(-50, 50), st.integers(2, 30), st.integers(1, 30), st.integers(0, 99))
def test_equal_values_have_no_width(value: int, n: int, n_keys: int, seed: int) -> None:
    got = mean_over_subjects_and_keys(
        np.full(n, value), np.arange(n) % n_keys, rates=False, seed=seed
    )
    assert got == (value, value, value, n)


def test_subjects_and_keys_are_not_drawn_alike() -> None:
    """As many keys as subjects: the same draws would weigh with squares."""
    values = np.random.default_rng(2).normal(size=400)
    own = mean_over_subjects_and_keys(values, np.arange(400), rates=False)
    ratio = width(own) / width(mean_over_subjects(values, rates=False))
    assert ratio == pytest.approx(3**0.5, rel=0.1)  # Var(m w) = 3 of Poisson weights; m² has 14


def test_where_keys_play_no_part_the_interval_is_wide_but_no_wider_than_it_says() -> None:
    values, keys = under_keys(1, 500, 20, 0.0, 1.0)
    ratio = width(mean_over_subjects_and_keys(values, keys, rates=False)) / width(
        mean_over_subjects(values, rates=False)
    )
    assert 1.2 < ratio < 1.9


@pytest.mark.parametrize("differing", [0, 4])
def test_fewer_than_five_differing_subjects_get_clopper_pearson(differing: int) -> None:
    values, keys = np.ones(60), np.arange(60) % 20
    values[:differing] = 0.0
    got = mean_over_subjects_and_keys(values, keys, rates=True)
    assert got[1:3] == clopper_pearson(60 - differing, 60)
    assert paired_difference_over_keys(values, np.ones(60), keys, rates=True) == paired_difference(
        values, np.ones(60), rates=True
    )


def test_names_and_order_of_keys_do_not_matter_but_who_shares_one_does() -> None:
    values, keys = under_keys(3, 60, 5, 1.0, 0.3)
    names = np.array(["a", "b", "c", "d", "e"])[keys]
    first = mean_over_subjects_and_keys(values, keys, rates=False)
    assert mean_over_subjects_and_keys(values, names, rates=False) == first
    assert mean_over_subjects_and_keys(values, keys[::-1], rates=False) != first


def test_draws_in_blocks_give_the_interval_of_those_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values, keys = under_keys(3, 700, 20, 1.0, 1.0)
    kept = mean_over_subjects_and_keys(values, keys, rates=False, seed=3)
    monkeypatch.setattr(intervals, "KEPT", 699)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", 700 * 300)
    blocks = mean_over_subjects_and_keys(values, keys, rates=False, seed=3)
    assert blocks == pytest.approx(kept, abs=1e-9)


# --- differences -------------------------------------------------------------------------------


def test_what_keys_do_to_both_sides_cancels() -> None:
    values, keys = under_keys(4, 200, 20, 3.0, 0.1)
    other = values + np.random.default_rng(5).normal(1.0, 0.1, 200)
    got = paired_difference_over_keys(other, values, keys, rates=False)
    assert got.value == pytest.approx(1.0, abs=0.03)
    assert width(got) < 0.1
    assert width(mean_over_subjects_and_keys(values, keys, rates=False)) > 1.0


def test_a_difference_is_the_mean_of_the_differences() -> None:
    a, keys = under_keys(6, 50, 7, 1.0, 1.0)
    b, _ = under_keys(7, 50, 7, 1.0, 1.0)
    got = paired_difference_over_keys(a, b, keys, rates=False, seed=2)
    assert got == mean_over_subjects_and_keys(a - b, keys, rates=False, seed=2)


# --- two-way -----------------------------------------------------------------------------------


def test_the_two_way_bootstrap_is_what_a_loop_over_the_same_draws_gives() -> None:
    rng = np.random.default_rng(8)
    n, keys = 9, np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    cells = rng.gamma(1.0, size=(n, n))
    cells[2, 5] = np.nan
    subjects, of_keys = draw_counts(n, 1), draw_counts(3, 1 + KEY_SEED)
    estimates = []
    for m, w in zip(subjects.astype(float), of_keys.astype(float), strict=True):
        weight = np.outer(m, m * w[keys]) * ~np.eye(n, dtype=bool) * ~np.isnan(cells)
        if weight.sum() > 0:
            estimates.append((weight * np.nan_to_num(cells)).sum() / weight.sum())
    got = two_way_over_keys(cells, keys, rates=False, seed=1)
    assert got[1:3] == pytest.approx(tuple(np.percentile(estimates, [2.5, 97.5])), abs=1e-12)
    assert got.value == two_way(cells, rates=False).value
    assert got.n == 36


def test_the_key_is_that_of_the_column() -> None:
    keys = np.arange(60) % 6
    effect = np.random.default_rng(9).normal(size=6)[keys]
    by_column, by_row = np.tile(effect, (60, 1)), np.tile(effect[:, None], (1, 60))
    assert width(two_way_over_keys(by_column, keys, rates=False)) > 1.5 * width(
        two_way_over_keys(by_row, keys, rates=False)
    )


def test_two_way_with_one_key_is_two_way() -> None:
    cells = np.random.default_rng(4).random((12, 12))
    for rates in (False, True):
        got = two_way_over_keys(cells, np.zeros(12), rates=rates, seed=5)
        assert got == two_way(cells, rates=rates, seed=5)
    none = two_way_over_keys(np.zeros((50, 50)), np.arange(50) % 20, rates=True)
    assert none == two_way(np.zeros((50, 50)), rates=True)


def test_keys_that_do_not_belong_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[2\] keys of \[3\] subjects"):
        mean_over_subjects_and_keys([1.0, 1.0, 1.0], [0, 1], rates=True)
    with pytest.raises(ValueError, match=r"\[1\] keys of \[2\] subjects"):
        two_way_over_keys(np.zeros((2, 2)), [0], rates=True)
    with pytest.raises(ValueError, match="cannot pair 2 subjects with 1"):
        paired_difference_over_keys([0.0, 1.0], [0.0], [0, 1], rates=True)
