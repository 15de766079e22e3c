from __future__ import annotations

from math import comb
from time import process_time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from biometrics.metrics.intervals import Interval, clopper_pearson, draw_counts
from biometrics.metrics.unlinkability import (
    default_bins,
    global_linkability,
    local_linkability,
    maximal_linkability,
    unlinkability,
)
from tests.biometrics.metrics.common import PROPERTY, Array

shares = st.lists(st.integers(0, 20), min_size=2, max_size=12).filter(any)


def width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


def by_definition(mated: Array, non_mated: Array, bins: int, omega: float = 1.0) -> Any:
    """Both papers' formulas with densities, a loop over the bins."""
    low, high = min(mated.min(), non_mated.min()), max(mated.max(), non_mated.max())
    edges = np.linspace(low, high, bins + 1)
    width = (high - low) / bins
    p, q = (np.histogram(x, edges, density=True)[0] for x in (mated, non_mated))
    local, d_sys, larger = [], 0.0, 0.0
    for a, b in zip(p, q, strict=True):
        if a == 0:
            d = 0.0
        elif b == 0:
            d = 1.0
        else:
            ratio = omega * a / b
            d = max(0.0, 2 * ratio / (1 + ratio) - 1) if ratio > 1 else 0.0
        local.append(d)
        d_sys += d * a * width
        larger += max(a, b) * width
    return local, d_sys, np.log2(larger), edges


# --- the measures ------------------------------------------------------------------------------


@pytest.mark.parametrize("omega", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("bins", [7, 40])
def test_the_measures_are_those_of_the_papers(bins: int, omega: float) -> None:
    rng = np.random.default_rng(0)
    mated, non_mated = rng.normal(1, 1, 300), rng.normal(0, 1.5, 900)
    got = unlinkability(mated, non_mated, bins=bins, omega=omega)
    local, d_sys, maximal, edges = by_definition(mated, non_mated, bins, omega)
    np.testing.assert_allclose(got.local, local, atol=1e-12)
    np.testing.assert_allclose(got.edges, edges, atol=1e-12)
    assert got.d_sys.value == pytest.approx(d_sys)
    assert got.maximal.value == pytest.approx(maximal)
    assert (got.bins, got.mated, got.non_mated, got.omega) == (bins, 300, 900, omega)
    np.testing.assert_allclose(got.mated_share, np.histogram(mated, edges)[0] / 300)
    np.testing.assert_allclose(got.non_mated_share, np.histogram(non_mated, edges)[0] / 900)


def test_two_normal_distributions_give_the_integrals() -> None:
    rng = np.random.default_rng(1)
    p, q = norm(1.5, 1), norm(0, 1)

    def linked(s: float) -> float:
        a, b = p.pdf(s), q.pdf(s)
        return float(a * (a - b) / (a + b)) if a > b else 0.0

    got = unlinkability(p.rvs(60_000, random_state=rng), q.rvs(60_000, random_state=rng), bins=60)
    assert got.d_sys.value == pytest.approx(quad(linked, -8, 10, points=[0.75])[0], abs=0.006)
    larger = quad(lambda s: max(p.pdf(s), q.pdf(s)), -8, 10, points=[0.75])[0]
    assert larger == pytest.approx(2 * norm.cdf(0.75))  # closed form: 1 + total variation
    assert got.maximal.value == pytest.approx(np.log2(larger), abs=0.006)


def test_templates_that_are_always_linked_are_linked_wholly() -> None:
    rng = np.random.default_rng(2)
    got = unlinkability(rng.uniform(0.8, 1.0, 100), rng.uniform(0.0, 0.4, 400))
    low = clopper_pearson(100, 100).low
    assert got.d_sys == pytest.approx((1.0, low, 1.0, 100))
    assert got.maximal == pytest.approx((1.0, np.log2(1 + low), 1.0, 100))
    assert got.d_sys_chance.high < 0.5
    assert got.d_sys_chance.p == got.maximal_chance.p == 1 / 201


def test_low_scores_link_as_well_as_high_ones() -> None:
    rng = np.random.default_rng(3)
    mated, non_mated = rng.normal(1, 1, 200), rng.normal(0, 1, 500)
    there, back = unlinkability(mated, non_mated), unlinkability(-mated, -non_mated)
    assert there.d_sys.value == pytest.approx(back.d_sys.value, abs=1e-9)


@PROPERTY
@given(shares, shares, st.floats(0.1, 10))
def test_the_measures_stay_in_range(a: list[int], b: list[int], omega: float) -> None:
    size = min(len(a), len(b))
    p, q = (np.array(x[:size], dtype=float) + 1e-9 for x in (a, b))
    p, q = p / p.sum(), q / q.sum()
    local, d_sys = local_linkability(p, q, omega), global_linkability(p, q, omega)
    assert ((local >= 0) & (local <= 1)).all()
    assert 0 <= d_sys <= local.max() + 1e-12
    assert -1e-12 <= maximal_linkability(p, q) <= 1
    assert maximal_linkability(p, q) == pytest.approx(maximal_linkability(q, p), abs=1e-12)
    assert global_linkability(p, p) == maximal_linkability(p, p).round(12) == 0
    assert global_linkability(p, q, 2 * omega) >= d_sys - 1e-12
    stacked = np.stack([p, q]), np.stack([q, p])
    np.testing.assert_allclose(global_linkability(*stacked, omega)[0], d_sys)


def test_scores_that_are_all_alike_link_nothing() -> None:
    got = unlinkability(np.full(50, 0.5), np.full(90, 0.5))
    assert got.d_sys[:2] == got.maximal[:2] == (0.0, 0.0)
    assert got.d_sys.high == clopper_pearson(0, 50).high
    assert got.d_sys_chance[:4] == (0.0, 0.0, 0.0, 1.0)


def test_bins_are_a_tenth_of_the_mated_scores_from_ten_to_a_hundred() -> None:
    assert [default_bins(m) for m in (1, 99, 110, 500, 999, 1000, 10**6)] == [
        10, 10, 11, 50, 99, 100, 100,
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    assert unlinkability(rng.random(300), rng.random(900)).bins == 30


# --- chance ------------------------------------------------------------------------------------


def test_chance_alone_gives_a_quarter_with_a_hundred_mated_scores_in_a_hundred_bins() -> None:
    """With ever more non-mated scores a bin's mated count c is binomial and D is (c-1)/(c+1)."""
    expected = sum(
        comb(100, c) * 0.01**c * 0.99 ** (100 - c) * c * (c - 1) / (c + 1) for c in range(2, 40)
    )
    assert expected == pytest.approx(0.262, abs=0.001)
    rng = np.random.default_rng(4)
    got = [unlinkability(rng.random(100), rng.random(100_000), bins=100) for _ in range(10)]
    assert np.mean([g.d_sys.value for g in got]) == pytest.approx(expected, abs=0.02)
    assert np.mean([g.d_sys_chance.mean for g in got]) == pytest.approx(expected, abs=0.01)
    # Few non-mated scores make it far worse; bell-shaped scores use fewer of the bins.
    few = unlinkability(rng.random(100), rng.random(100), bins=100)
    assert few.d_sys_chance.mean > 0.42
    bell = unlinkability(rng.normal(size=100), rng.normal(size=1000), bins=100)
    assert bell.d_sys_chance.mean == pytest.approx(0.25, abs=0.02)


def test_the_null_is_what_moving_labels_gives() -> None:
    rng = np.random.default_rng(5)
    scores, size = np.r_[rng.normal(0.5, 1, 60), rng.normal(0, 1, 140)], 60
    got = unlinkability(scores[:size], scores[size:], bins=12, permutations=4000)
    by_hand = []
    for _ in range(1000):
        mixed = rng.permutation(scores)
        _, d_sys, maximal, _ = by_definition(mixed[:size], mixed[size:], 12)
        by_hand.append((d_sys, maximal))
    for chance, column in zip(
        (got.d_sys_chance, got.maximal_chance), np.transpose(by_hand), strict=True
    ):
        assert chance.mean == pytest.approx(column.mean(), abs=0.004)
        assert chance.low == pytest.approx(np.percentile(column, 2.5), abs=0.012)
        assert chance.high == pytest.approx(np.percentile(column, 97.5), abs=0.012)
        assert chance.n == 4000


def test_independent_scores_lie_within_their_null() -> None:
    rng = np.random.default_rng(6)
    inside, significant = 0, 0
    for trial in range(60):
        got = unlinkability(rng.normal(size=150), rng.normal(size=400), seed=trial)
        inside += got.d_sys_chance.low <= got.d_sys.value <= got.d_sys_chance.high
        significant += got.maximal_chance.p <= 0.05
    assert inside >= 53
    assert significant <= 8


# --- intervals ---------------------------------------------------------------------------------


def test_the_interval_is_what_a_loop_over_the_same_draws_gives() -> None:
    rng = np.random.default_rng(7)
    mated, subjects = rng.normal(1.0, 1, 120), np.repeat(np.arange(40), 3)
    non_mated = rng.normal(size=200_000)
    got = unlinkability(mated, non_mated, subjects=subjects, bins=10)
    values = []
    for counts in draw_counts(40, 0)[:600].astype(int):
        drawn = np.concatenate([np.tile(mated[subjects == s], counts[s]) for s in range(40)])
        p = np.histogram(drawn, got.edges)[0] / len(drawn)
        values.append(global_linkability(p, got.non_mated_share))
    spread = np.subtract(*np.percentile(values, [97.5, 2.5]))
    assert got.d_sys.n == 40
    assert width(got.d_sys) == pytest.approx(spread, rel=0.1)
    middle = np.percentile(values, 2.5) + got.d_sys.value - np.mean(values)
    assert got.d_sys.low == pytest.approx(middle, abs=0.03)


@pytest.mark.parametrize("measure", ["d_sys", "maximal"])
def test_intervals_cover_what_is_measured_on_average(measure: str) -> None:
    rng = np.random.default_rng(8)
    got = []
    for trial in range(100):
        person = rng.normal(1.0, 0.7, 60)
        mated = (person[:, None] + rng.normal(0, 0.7, (60, 3))).ravel()
        found = unlinkability(
            mated, rng.normal(size=3000), subjects=np.repeat(np.arange(60), 3), bins=12, seed=trial
        )
        got.append(getattr(found, measure))
    expected = np.mean([g.value for g in got])
    covered = sum(g.low <= expected <= g.high for g in got)
    assert 86 <= covered <= 100, covered
    assert all(g.low <= g.value <= g.high for g in got)


def test_the_chance_that_drawing_adds_moves_no_interval() -> None:
    """A hundred scores drawn again fill fewer bins: unmoved, all draws would lie above."""
    rng = np.random.default_rng(13)
    got = unlinkability(rng.normal(size=100), rng.normal(size=2000), bins=100)
    for measure in (got.d_sys, got.maximal):
        assert measure.low is not None
        share = (measure.value - measure.low) / width(measure)
        assert 0.3 < share < 0.7


def test_subjects_with_many_scores_widen_the_interval() -> None:
    rng = np.random.default_rng(9)
    mated, subjects = np.repeat(rng.normal(1, 1, 50), 10), np.repeat(np.arange(50), 10)
    non_mated = rng.normal(size=20_000)
    alone = unlinkability(mated, non_mated).d_sys
    together = unlinkability(mated, non_mated, subjects=subjects).d_sys
    assert width(together) > 2 * width(alone)
    assert (alone.n, together.n) == (500, 50)


def test_people_of_non_mated_scores_count_too() -> None:
    """Some people are like everybody: a draw weighs a non-mated score by both of its people."""
    rng = np.random.default_rng(10)
    ease = rng.normal(size=60)
    pairs = np.array([(i, j) for i in range(60) for j in range(i)])
    non_mated = ease[pairs].sum(axis=1) + 0.1 * rng.normal(size=len(pairs))
    mated, subjects = rng.normal(1, 1, 60), np.arange(60)
    plain = unlinkability(mated, non_mated, subjects=subjects, bins=10)
    both = unlinkability(
        mated, non_mated, subjects=subjects, non_mated_subjects=pairs, bins=10
    ).d_sys
    values = []
    for m in draw_counts(60, 0).astype(float):
        p = np.histogram(mated, plain.edges, weights=m)[0]
        q = np.histogram(non_mated, plain.edges, weights=m[pairs].prod(axis=1))[0]
        values.append(global_linkability(p / p.sum(), q / q.sum()))
    spread = np.subtract(*np.percentile(values, [97.5, 2.5]))
    assert plain.d_sys.value == both.value
    assert width(both) == pytest.approx(spread, rel=0.1)
    assert width(both) > 1.1 * width(plain.d_sys)


def test_names_and_order_change_nothing_and_a_seed_repeats() -> None:
    rng = np.random.default_rng(11)
    mated, non_mated, subjects = rng.normal(1, 1, 90), rng.normal(size=300), np.arange(90) % 30
    first = unlinkability(mated, non_mated, subjects=subjects, seed=3)
    names = np.array([f"s{s:02d}" for s in subjects])
    order = rng.permutation(90)
    again = unlinkability(mated[order], non_mated[::-1], subjects=names[order], seed=3)
    assert (again.d_sys, again.maximal) == (first.d_sys, first.maximal)
    assert again.d_sys_chance == first.d_sys_chance
    assert unlinkability(mated, non_mated, subjects=subjects, seed=4).d_sys != first.d_sys


def test_ten_thousand_scores_take_less_than_half_a_second() -> None:
    rng = np.random.default_rng(12)
    mated, non_mated = rng.normal(size=5000), rng.normal(size=5000)
    subjects = np.arange(5000) % 500
    unlinkability(mated, non_mated, subjects=subjects)  # draws are kept
    start = process_time()
    unlinkability(mated, non_mated, subjects=subjects)
    assert process_time() - start < 0.5


def test_what_does_not_fit_is_refused() -> None:
    scores = np.array([0.1, 0.2])
    with pytest.raises(ValueError, match="at least one mated score"):
        unlinkability([], scores)
    with pytest.raises(ValueError, match="1 of 2 non-mated scores are not finite"):
        unlinkability(scores, [0.1, np.nan])
    with pytest.raises(ValueError, match="a subject of each of 2 mated scores"):
        unlinkability(scores, scores, subjects=[0])
    with pytest.raises(ValueError, match="two subjects of each non-mated score"):
        unlinkability(scores, scores, subjects=[0, 1], non_mated_subjects=[0, 1])
    with pytest.raises(ValueError, match="need those of mated ones"):
        unlinkability(scores, scores, non_mated_subjects=[[0, 1], [1, 0]])
    for wrong in ({"bins": 0}, {"omega": 0.0}, {"permutations": 0}):
        with pytest.raises(ValueError, match="positive"):
            unlinkability(scores, scores, **wrong)
