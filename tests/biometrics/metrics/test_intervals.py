from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from biometrics.metrics import intervals, scores
from biometrics.metrics.intervals import (
    clopper_pearson,
    draw_counts,
    mean_over_subjects,
    paired_difference,
    subject_means,
    two_way,
)
from tests.biometrics.metrics.common import PROPERTY

# --- Clopper-Pearson ---------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (3, 10), (1, 997), (500, 1000), (1, 1)])
@pytest.mark.parametrize("level", [0.95, 0.975])
def test_clopper_pearson_agrees_with_scipys_binomial_test(k: int, n: int, level: float) -> None:
    expected = binomtest(k, n).proportion_ci(level, method="exact")
    assert clopper_pearson(k, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_clopper_pearson_of_no_success_is_the_closed_form() -> None:
    # (1 - p)^n = 0.025; the "rule of three" with 3.69 for two sides
    assert clopper_pearson(0, 100).high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert clopper_pearson(0, 100).low == 0.0


@PROPERTY
@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 1))
def test_clopper_pearson_contains_the_rate_and_rises_with_it(n: int, p: float, q: float) -> None:
    low, high = sorted((p, q))
    a, b = clopper_pearson(low * n, n), clopper_pearson(high * n, n)
    assert a.low - 1e-9 <= low <= a.high + 1e-9
    assert a.low <= b.low + 1e-9
    assert a.high <= b.high + 1e-9


# --- one value a subject -----------------------------------------------------------------------


@pytest.mark.parametrize("differing", [0, 1, 4])
def test_fewer_than_five_differing_subjects_get_clopper_pearson(differing: int) -> None:
    values = np.ones(60)
    values[:differing] = 0.0
    got = mean_over_subjects(values, rates=True)
    expected = binomtest(60 - differing, 60).proportion_ci(0.95, method="exact")
    assert got == pytest.approx((1 - differing / 60, expected.low, expected.high, 60))


def test_five_differing_subjects_get_the_bootstrap() -> None:
    values = np.ones(60)
    values[:5] = 0.0
    got = mean_over_subjects(values, rates=True)
    exact = clopper_pearson(55, 60)
    assert got.low is not None
    assert got.low != pytest.approx(exact.low, abs=1e-6)
    assert got.low * 60 == pytest.approx(round(got.low * 60))  # a draw's mean is a count over 60


def test_the_commonest_outcome_may_be_a_fraction() -> None:
    values = np.full(40, 1 / 3)
    values[0] = 1.0
    got = mean_over_subjects(values, rates=True)
    assert (got.low, got.high) == clopper_pearson(values.sum(), 40)


def test_sums_in_another_order_do_not_count_as_differing() -> None:
    values = np.where(np.arange(30) % 2 == 0, 0.1 + 0.2, 0.3)
    got = mean_over_subjects(values, rates=True)
    assert got.high is not None
    assert got.high - 0.3 > 0.1  # Clopper-Pearson; a bootstrap of equal values has no width


def test_values_that_are_no_rates_get_the_bootstrap_even_where_few_differ() -> None:
    assert mean_over_subjects(np.full(10, 0.5), rates=False) == (0.5, 0.5, 0.5, 10)


def test_one_subject_has_no_interval_unless_it_is_a_rate() -> None:
    assert mean_over_subjects([17.5], rates=False) == (17.5, None, None, 1)
    assert mean_over_subjects([1.0], rates=True) == pytest.approx((1.0, 0.025, 1.0, 1))


def test_the_bootstrap_agrees_with_drawing_values_by_hand() -> None:
    values = np.random.default_rng(0).gamma(2.0, size=200)
    got = mean_over_subjects(values, rates=False)
    means = np.random.default_rng(1).choice(values, size=(20_000, 200)).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    assert got.low == pytest.approx(low, abs=0.05 * (high - low))
    assert got.high == pytest.approx(high, abs=0.05 * (high - low))


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(200):
        got = mean_over_subjects(rng.normal(3.0, 1.0, size=80), rates=False)
        assert got.low is not None
        assert got.high is not None
        hits += got.low <= 3.0 <= got.high
    assert 180 <= hits <= 198  # 95 % of 200, three standard deviations and the small-sample bias


@PROPERTY
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=60), st.integers(0, 99))
def test_the_interval_contains_the_value(values: list[float], seed: int) -> None:
    got = mean_over_subjects(values, rates=False, seed=seed)
    assert got.low is not None
    assert got.high is not None
    assert got.low - 1e-9 <= got.value <= got.high + 1e-9
    assert got.value == pytest.approx(np.mean(values))
    assert got.n == len(values)


def test_a_seed_gives_the_same_interval_again() -> None:
    values = np.random.default_rng(1).normal(size=50)
    first = mean_over_subjects(values, rates=False, seed=3)
    draw_counts.cache_clear()
    assert mean_over_subjects(values, rates=False, seed=3) == first
    assert mean_over_subjects(values, rates=False, seed=4) != first


def test_draws_take_as_many_subjects_as_there_are() -> None:
    counts = draw_counts(37, 5)
    assert counts.shape == (2000, 37)
    assert (counts.sum(axis=1) == 37).all()
    assert counts.var() == pytest.approx(1 - 1 / 37, rel=0.02)  # multinomial
    with pytest.raises(ValueError, match="read-only"):
        counts[0, 0] = 1


def test_wrong_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one subject"):
        mean_over_subjects([], rates=True)
    with pytest.raises(ValueError, match="1 of 2 values are not finite"):
        mean_over_subjects([1.0, np.nan], rates=True)
    with pytest.raises(ValueError, match=r"rates lie in \[0, 1\], got 0 to 1.5"):
        mean_over_subjects([0.0, 1.5], rates=True)
    with pytest.raises(ValueError, match="cannot pair 2 subjects with 1"):
        paired_difference([0.0, 1.0], [0.0], rates=True)


# --- differences -------------------------------------------------------------------------------


@PROPERTY
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=40), st.booleans()
)
def test_a_difference_is_mirrored_when_its_sides_are_swapped(
    pairs: list[tuple[float, float]], rates: bool
) -> None:
    a, b = np.array(pairs).T
    there, back = paired_difference(a, b, rates=rates), paired_difference(b, a, rates=rates)
    assert there.low is not None
    assert there.high is not None
    assert (-there.value, -there.high, -there.low) == pytest.approx(back[:3], abs=1e-9)
    assert there.low - 1e-9 <= a.mean() - b.mean() <= there.high + 1e-9


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 10, size=300)
    got = paired_difference(hard + rng.normal(1, 0.1, 300), hard, rates=False)
    assert got.low is not None
    assert got.high is not None
    assert 0.95 < got.low < got.high < 1.05  # unpaired it would be about ± 1.6 wide


def test_equal_outcomes_do_not_pretend_to_certainty() -> None:
    outcomes = np.tile([0.0, 1.0], 50)
    got = paired_difference(outcomes, outcomes, rates=True)
    limit = binomtest(0, 100).proportion_ci(0.975, method="exact").high
    assert got == pytest.approx((0.0, -limit, limit, 100))
    assert paired_difference(outcomes, outcomes, rates=False)[:3] == (0.0, 0.0, 0.0)


def test_a_difference_of_one_subject() -> None:
    assert paired_difference([3.0], [1.0], rates=False) == (2.0, None, None, 1)


# --- two-way -----------------------------------------------------------------------------------


@PROPERTY
@given(st.integers(3, 15), st.floats(-5, 5), st.integers(0, 99))
def test_a_constant_matrix_has_no_width(n: int, value: float, seed: int) -> None:
    got = two_way(np.full((n, n), value), rates=False, seed=seed)
    assert got[:3] == pytest.approx((value,) * 3, abs=1e-9)
    assert got.n == n * (n - 1) // 2


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_two_way_bootstrap_agrees_with_drawing_subjects_by_hand(symmetric: bool) -> None:
    rng = np.random.default_rng(3)
    n = 12
    cells = rng.gamma(1.0, size=(n, n))
    if symmetric:
        cells = cells + cells.T
    cells[4, 7] = np.nan
    draws = []
    for taken in rng.integers(0, n, size=(6000, n)):
        table = cells[np.ix_(taken, taken)]
        draws.append(np.nanmean(table[taken[:, None] != taken]))
    got = two_way(cells, rates=False)
    off = ~np.eye(n, dtype=bool)
    low, high = np.percentile(draws, [2.5, 97.5])
    assert got.value == pytest.approx(np.nanmean(cells[off]))
    assert got.low == pytest.approx(low, abs=0.06 * (high - low))
    assert got.high == pytest.approx(high, abs=0.06 * (high - low))


def test_the_diagonal_is_ignored_and_input_untouched() -> None:
    cells = np.random.default_rng(4).random((20, 20))
    before = cells.copy()
    first = two_way(cells, rates=True)
    np.testing.assert_array_equal(cells, before)
    np.fill_diagonal(cells, 1.0)
    assert two_way(cells, rates=True) == first


def test_distinct_subject_pairs_are_counted_once_and_missing_ones_not() -> None:
    cells = np.random.default_rng(5).random((6, 6))
    cells[0, 1] = np.nan  # the other order is there
    cells[2, 3] = cells[3, 2] = np.nan
    assert two_way(cells, rates=False).n == 14


def test_no_false_match_gets_clopper_pearson_over_subjects() -> None:
    got = two_way(np.zeros((50, 50)), rates=True)
    assert got == pytest.approx((0.0, 0.0, 1 - 0.025 ** (1 / 50), 1225))
    cells = np.zeros((50, 50))
    cells[0, 1] = cells[1, 0] = cells[2, 3] = cells[3, 2] = 1.0  # four subjects
    assert two_way(cells, rates=True).high == clopper_pearson(4 / 49, 50).high
    cells[4, 5] = cells[5, 4] = 1.0  # six
    assert two_way(cells, rates=True).high != clopper_pearson(6 / 49, 50).high


def test_a_two_way_interval_is_wider_than_one_over_pairs() -> None:
    rng = np.random.default_rng(6)
    ease = rng.normal(size=40)
    cells = ease[:, None] + ease + 0.1 * rng.normal(size=(40, 40))
    got = two_way(cells, rates=False)
    assert got.low is not None
    assert got.high is not None
    over_pairs = 2 * 1.96 * cells.std() / np.sqrt(780)
    assert got.high - got.low > 3 * over_pairs


def test_two_subjects_have_a_value_and_no_interval() -> None:
    cells = np.array([[9.0, 2.0], [4.0, 9.0]])
    assert two_way(cells, rates=False) == (3.0, None, None, 1)


def test_wrong_matrices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"square matrix of subject pairs, got \[2, 3\]"):
        two_way(np.zeros((2, 3)), rates=True)
    with pytest.raises(ValueError, match="at least one subject"):
        two_way(np.zeros((1, 1)), rates=True)


# --- averages within a subject -----------------------------------------------------------------


def test_subject_means_agree_with_pandas_and_skip_absent_numbers() -> None:
    rng = np.random.default_rng(8)
    index = rng.choice([0, 2, 3, 7], size=40)
    values = rng.normal(size=40)
    expected = pd.Series(values).groupby(index).mean()
    np.testing.assert_allclose(subject_means(values, index), expected)
    assert len(subject_means(np.zeros(0), np.zeros(0, dtype=np.intp))) == 0
    with pytest.raises(ValueError, match="3 values of 2 subjects"):
        subject_means(np.zeros(3), np.zeros(2, dtype=np.intp))


def test_draws_in_blocks_give_the_interval_of_those_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=700)
    kept = mean_over_subjects(values, rates=False, seed=3)
    monkeypatch.setattr(intervals, "KEPT", 699)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", 700 * 300)
    blocks = mean_over_subjects(values, rates=False, seed=3)
    assert blocks == pytest.approx(kept, abs=1e-9)
