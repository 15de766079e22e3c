"""Linking two stores, against plain counting and what is known of normal vectors."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from biometrics.errors import InputError
from biometrics.metrics import intervals, scores
from biometrics.metrics.intervals import Interval, NotMeasured, two_way
from biometrics.metrics.linkage import LinkedAt, link
from biometrics.metrics.scores import Similarity, similarity_matrix
from biometrics.metrics.subject_scores import (
    MOST_TEMPLATES,
    gather,
    score_rows,
    thresholds_across,
    thresholds_within,
)
from tests.biometrics.metrics.common import PROPERTY, Array, one_score, people

KINDS: tuple[Similarity, ...] = ("cosine", "l2")


def two_stores(seed: int, first: int = 9, second: int = 11, shared: int = 6) -> tuple[Array, ...]:
    """Templates of two stores; the last ``shared`` people of the first are in the second too."""
    templates, subjects = people(seed, first + second - shared, most=4)
    pictures = np.random.default_rng(seed).random(len(subjects)) < 0.5
    for person in range(first + second - shared):  # one template in each store at least
        pictures[np.flatnonzero(subjects == person)[0]] = True
    extra = templates + 0.2
    a = (subjects < first) & (pictures | (subjects < first - shared))
    b = subjects >= first - shared
    names = np.char.add("p", np.char.zfill(subjects.astype(str), 2))
    return templates[a], names[a], extra[b], names[b]


def by_loops(a: Array, a_names: Array, b: Array, b_names: Array, kind: str) -> Array:
    """Mean score of every two subjects."""
    return np.array(
        [
            [
                np.mean([one_score(x, y, kind) for x in a[a_names == s] for y in b[b_names == t]])
                for t in np.unique(b_names)
            ]
            for s in np.unique(a_names)
        ]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [1, 60, 10**6])
def test_scores_of_subjects_are_means_of_those_of_their_templates(
    kind: Similarity, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = two_stores(3)
    one, two = gather(*stores[:2], kind, 0), gather(*stores[2:], kind, 1)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", limit)
    found = np.concatenate([rows for _, rows in score_rows(one, two, kind)])
    np.testing.assert_allclose(found, by_loops(*stores, kind), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_everything_counted_equals_plain_counting(kind: Similarity, seed: int) -> None:
    stores = two_stores(seed)
    matrix = by_loops(*stores, kind)
    rows, columns = np.unique(stores[1]), np.unique(stores[3])
    mated = rows[:, None] == columns
    cut = float(np.quantile(matrix, 0.8)) + 1e-5
    found = link(*stores, kind, thresholds={0.1: cut})
    assert found.subjects == (9, 11)
    assert found.shared == 6
    ranks = [1 + (r[~m] >= r[m]).sum() for r, m in zip(matrix, mated, strict=True) if m.any()]
    assert isinstance(found.rank1, Interval)
    assert isinstance(found.rank10, Interval)
    assert found.rank1.value == pytest.approx(np.mean(np.array(ranks) <= 1))
    assert found.rank10.value == pytest.approx(np.mean(np.array(ranks) <= 10))
    at = found.given[0.1]
    assert isinstance(at.tmr, Interval)
    assert isinstance(at.fmr, Interval)
    assert at.tmr.value == pytest.approx((matrix[mated] >= cut).mean())
    assert at.fmr.value == pytest.approx((matrix[~mated] >= cut).mean())
    assert (at.tmr.n, at.fmr.n) == (6, 9 * 11 - 6)
    assert at.pairs == (matrix >= cut).sum()
    assert at.people == (matrix >= cut).any(axis=1).sum()
    assert at.right == (matrix[mated] >= cut).sum()
    assert at.expected_false == pytest.approx(0.1 * 99)


@pytest.mark.parametrize("kind", KINDS)
def test_own_thresholds_are_those_within_the_stores(kind: Similarity) -> None:
    stores = two_stores(1, first=20, second=24, shared=5)
    a, a_names, b, b_names = stores
    within = [by_loops(x, n, x, n, kind) for x, n in ((a, a_names), (b, b_names))]
    found = link(*stores, kind, fmrs=[0.2])
    cut = found.own[0.2]
    assert isinstance(cut, LinkedAt)
    shares = [(m[np.triu_indices(len(m), 1)] >= cut.threshold + 1e-6).mean() for m in within]
    assert max(shares) <= 0.2 + 1e-9  # holds in both
    lower = [(m[np.triu_indices(len(m), 1)] >= cut.threshold - 1e-6).mean() for m in within]
    assert max(lower) == pytest.approx(0.2, abs=0.01)  # and is as low as it may be in one


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.2, 0.7]), st.integers(1, 400))
def test_a_threshold_lets_no_more_pass_and_the_next_lower_score_would(
    seed: int, rate: float, block: int
) -> None:
    rng = np.random.default_rng(seed)
    side = gather(np.round(rng.normal(size=(60, 1)), 1), np.arange(60).astype(str), "l2", 0)
    matrix = np.concatenate([rows for _, rows in score_rows(side, side, "l2")])
    pairs = matrix[np.triu_indices(60, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "BLOCK_ELEMENTS", 60 * block)
        cut = thresholds_within(side, "l2", [rate])[rate]
    assert isinstance(cut, float)
    assert (pairs >= np.float32(cut)).mean() <= rate
    below = pairs[pairs < np.float32(cut)].max()
    assert (pairs >= below).mean() > rate
    assert np.nextafter(below, np.float32(np.inf)) == np.float32(cut)


def test_normal_vectors_are_linked_as_often_as_the_closed_form_says() -> None:
    """One value a subject, moved by noise of deviation s between the stores: two different people
    lie N(0, 2 + s^2) apart, one person N(0, s^2)."""
    rng = np.random.default_rng(0)
    s, people_, cut = 0.02, 2_000, 0.05
    true = rng.normal(size=(people_, 1))
    names = np.arange(people_).astype(str)
    moved = true + s * rng.normal(size=true.shape)
    found = link(true, names, moved, names, "l2", thresholds={0.01: -cut})
    at = found.given[0.01]
    assert isinstance(at.tmr, Interval)
    assert isinstance(at.fmr, Interval)
    assert at.tmr.value == pytest.approx(2 * norm.cdf(cut / s) - 1, abs=0.005)
    assert at.fmr.value == pytest.approx(2 * norm.cdf(cut / np.sqrt(2 + s * s)) - 1, rel=0.05)
    assert at.fmr.low is not None
    assert at.fmr.low < at.fmr.value < at.fmr.high  # type: ignore[operator]
    assert at.pairs == at.right + round(at.fmr.value * at.fmr.n)  # type: ignore[operator]


def test_strangers_are_not_linked_more_often_than_the_nominal_rate() -> None:
    """Nobody in common: the count over the stores' own threshold is what was expected to be
    false."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 600, 32))
    names = np.arange(600).astype(str)
    found = link(a, names, b, np.char.add("b", names), "cosine", fmrs=[1e-2, 1e-3])
    assert found.shared == 0
    for rate in (1e-2, 1e-3):
        at = found.own[rate]
        assert isinstance(at, LinkedAt)
        assert at.pairs == pytest.approx(at.expected_false, rel=0.2)
        assert (at.right, at.tmr, at.fmr) == (None, found.rank1, found.rank1)
    assert isinstance(found.rank1, NotMeasured)
    assert "no subject has a label in both" in found.rank1.reason


def test_too_few_pairs_set_no_threshold() -> None:
    found = link(*two_stores(0), "cosine", fmrs=[0.01])
    cut = found.own[0.01]
    assert isinstance(cut, NotMeasured)
    assert "FMR 0.01 times 55 distinct subject pairs is 0.55" in cut.reason


def test_thresholds_across_leave_out_the_pairs_of_one_person() -> None:
    a, a_names, b, b_names = two_stores(2, first=30, second=30, shared=25)
    one, two = gather(a, a_names, "cosine", 0), gather(b, b_names, "cosine", 0)
    cut = thresholds_across(one, two, "cosine", [0.1])[0.1]
    assert isinstance(cut, float)
    matrix = by_loops(a, a_names, b, b_names, "cosine")
    strangers = matrix[np.unique(a_names)[:, None] != np.unique(b_names)]
    assert (strangers >= cut).mean() == pytest.approx(0.1, abs=1 / len(strangers))


def test_the_interval_of_the_false_rate_is_near_the_whole_two_way_bootstrap() -> None:
    a, subjects = people(5, 200, most=1, dim=4)
    order = np.argsort(subjects)
    vectors, names = a[order], np.char.zfill(np.sort(subjects).astype(str), 3)
    moved = vectors + 0.1
    found = link(vectors, names, moved, names, "cosine", thresholds={0.1: 0.6}).given[0.1].fmr
    matrix = (similarity_matrix(vectors, moved, "cosine") >= 0.6).astype(float)
    whole = two_way(matrix, rates=True)
    assert isinstance(found, Interval)
    assert found.value == pytest.approx(whole.value)
    width = whole.high - whole.low  # type: ignore[operator]
    assert found.low == pytest.approx(whole.low, abs=0.15 * width)
    assert found.high == pytest.approx(whole.high, abs=0.15 * width)


def test_swapping_the_stores_keeps_the_pairs() -> None:
    a, a_names, b, b_names = two_stores(4)
    one = link(a, a_names, b, b_names, "l2", thresholds={0.1: -2.0}).given[0.1]
    other = link(b, b_names, a, a_names, "l2", thresholds={0.1: -2.0}).given[0.1]
    assert (one.pairs, one.right, one.tmr) == (other.pairs, other.right, other.tmr)
    assert one.people != other.people


def test_of_a_subject_with_many_templates_some_are_drawn() -> None:
    rng = np.random.default_rng(0)
    names = np.array(["many"] * 500 + ["few"] * 3)
    side = gather(rng.normal(size=(503, 2)), names, "l2", 0)
    assert side.names.tolist() == ["few", "many"]
    assert side.counts.tolist() == [3, MOST_TEMPLATES]
    assert len(side.rows) == 3 + MOST_TEMPLATES


def test_what_cannot_be_compared_is_refused() -> None:
    stores = two_stores(0)
    with pytest.raises(ValueError, match="a nominal FMR lies between 0 and 1"):
        link(*stores, "cosine", fmrs=[0.0])
    with pytest.raises(ValueError, match="3 templates of 2 subjects"):
        gather(np.ones((3, 2)), ["a", "b"], "cosine", 0)
    broken = stores[0].copy()
    broken[1, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        link(broken, *stores[1:], "cosine")


def test_memory_does_not_grow_with_the_pairs() -> None:
    """3,000 x 3,000 subjects are 36 MB of scores, of which some blocks are held."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3_000, 8)).astype(np.float32)
    names = np.arange(3_000).astype(str)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "BLOCK_ELEMENTS", 1 << 18)
        patch.setattr(intervals, "KEPT", 100)
        tracemalloc.start()
        link(rows, names, rows[::-1], names, "cosine", fmrs=[1e-3])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 16 << 20
