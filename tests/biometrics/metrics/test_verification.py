from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.errors import InputError
from biometrics.metrics import scores
from biometrics.metrics.intervals import Interval, NotMeasured
from biometrics.metrics.pairs import group, mated_pairs
from biometrics.metrics.scores import Similarity, similarity_matrix
from biometrics.metrics.verification import (
    Threshold,
    enrolled_blocks,
    nonmated_blocks,
    nonmated_threshold,
    realised_fmr,
    sort_keys,
    tmr,
    tmr_by_subject,
)
from tests.biometrics.metrics.common import PROPERTY, Array, fmr_by_loops, one_score, people

KINDS: tuple[Similarity, ...] = ("cosine", "l2")


def candidates(templates: Array, subjects: Array, kind: Similarity) -> tuple[Array, Array]:
    """Non-mated scores and their weights, by the definition."""
    matrix = similarity_matrix(templates, templates, kind)
    size = np.bincount(subjects)
    i, j = np.nonzero(subjects[:, None] < subjects)
    return matrix[i, j], 1.0 / (size[subjects[i]] * size[subjects[j]])


# --- pairs -------------------------------------------------------------------------------------


@PROPERTY
@given(st.lists(st.sampled_from("abcdé"), min_size=1, max_size=25))
def test_mated_pairs_are_all_pairs_of_one_subject_once(names: list[str]) -> None:
    pairs = mated_pairs(group(names))
    got = sorted(tuple(sorted(p)) for p in zip(*(x.tolist() for x in pairs), strict=True))
    n = range(len(names))
    assert got == [(i, j) for i in n for j in n if i < j and names[i] == names[j]]


def test_subjects_are_numbered_by_their_sorted_names() -> None:
    groups = group(["b", "a", "b", "c"])
    assert groups.index.tolist() == [1, 0, 1, 2]
    assert groups.counts.tolist() == [1, 2, 1]
    assert (groups.n_subjects, groups.n_subject_pairs) == (3, 3)
    with pytest.raises(ValueError, match="at least one row"):
        group([])


@pytest.mark.parametrize("limit", [1, 50, 10**6])
def test_blocks_hold_every_non_mated_pair_once(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    templates, subjects = people(1, 9)
    expected, weights = candidates(templates, subjects, "l2")
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", limit)
    blocks = list(nonmated_blocks(templates, group(subjects), "l2"))
    got = np.concatenate([b.scores for b in blocks])
    np.testing.assert_allclose(np.sort(got), np.sort(expected), atol=1e-6)
    total = sum(b.weights.sum() for b in blocks)
    assert total == pytest.approx(1.0)
    assert weights.sum() == pytest.approx(9 * 8 / 2)  # one share a subject pair


@PROPERTY
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=50))
def test_sort_keys_order_floats(values: list[float]) -> None:
    x = np.array(values, dtype=np.float32)
    keys = sort_keys(x)
    np.testing.assert_array_equal(keys[:, None] < keys, x[:, None] < x)
    np.testing.assert_array_equal(keys[:, None] == keys, x[:, None] == x)


# --- thresholds --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.1, 0.3]), st.booleans())
def test_the_threshold_is_the_smallest_that_keeps_the_fmr(
    kind: Similarity, seed: int, fmr: float, ties: bool
) -> None:
    templates, subjects = people(seed, 36)
    if ties:
        templates = np.round(templates)
    found = nonmated_threshold(templates, subjects, kind, fmr)
    assert isinstance(found, Threshold)
    values, weights = candidates(templates, subjects, kind)
    weights = weights / weights.sum()

    def fmr_at(threshold: float) -> float:
        return float(weights[values >= np.float32(threshold)].sum())

    assert fmr_at(found.value) <= fmr * (1 + 1e-9)
    assert fmr_at(found.value) == pytest.approx(found.realised, abs=1e-12)
    below = float(np.nextafter(np.float32(found.value), np.float32(-np.inf)))
    assert fmr_at(below) > fmr
    assert below in values  # the highest rejected score
    assert (found.nominal, found.n_subject_pairs) == (fmr, 36 * 35 // 2)


def test_a_threshold_survives_float32_and_json() -> None:
    templates, subjects = people(3, 40)
    found = nonmated_threshold(templates, subjects, "cosine", 0.1)
    assert isinstance(found, Threshold)
    assert float(np.float32(found.value)) == found.value == float(repr(found.value))


def test_ties_at_the_cut_are_rejected_together() -> None:
    templates = np.eye(25)[np.arange(25) % 24]  # subjects 0 and 24 are equal, the others at 0
    found = nonmated_threshold(templates, np.arange(25), "cosine", 0.5)
    assert isinstance(found, Threshold)
    assert 0.0 < found.value < 1e-40
    assert found.realised == pytest.approx(1 / 300)


def test_all_scores_equal_leaves_nothing_to_accept() -> None:
    found = nonmated_threshold(np.ones((25, 3)), np.arange(25), "l2", 0.5)
    assert isinstance(found, Threshold)
    assert found.value > 0.0
    assert found.realised == 0.0


def test_exactly_thirty_expected_pairs_are_enough() -> None:
    templates = np.random.default_rng(0).normal(size=(25, 4))  # 300 pairs
    enough = nonmated_threshold(templates, np.arange(25), "cosine", 0.1)
    assert isinstance(enough, Threshold)
    assert enough.realised == pytest.approx(0.1)  # 30 of 300, not 29
    few = nonmated_threshold(templates, np.arange(25), "cosine", 0.0999)
    assert few == NotMeasured(
        "too few subjects: FMR 0.0999 times 300 distinct subject pairs is 30, "
        "at least 30 are needed"
    )


def test_rounding_never_costs_a_pair() -> None:
    templates = np.random.default_rng(1).normal(size=(30, 5))  # 435 pairs, sums of 1/435
    for k in range(30, 400, 7):
        found = nonmated_threshold(templates, np.arange(30), "cosine", k / 435)
        assert isinstance(found, Threshold)
        assert found.realised * 435 == pytest.approx(k)


def test_subject_pairs_are_counted_not_picture_pairs() -> None:
    templates = np.random.default_rng(0).normal(size=(80, 4))
    few = nonmated_threshold(templates, np.arange(80) % 8, "cosine", 0.1)  # 2,800 picture pairs
    assert isinstance(few, NotMeasured)
    assert "28 distinct subject pairs" in few.reason


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_do_not_move_the_threshold(
    kind: Similarity, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates, subjects = people(5, 40)
    whole = nonmated_threshold(templates, subjects, kind, 0.07)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", 100)
    assert nonmated_threshold(templates, subjects, kind, 0.07) == pytest.approx(whole, abs=1e-6)


def test_wrong_thresholds_are_refused() -> None:
    templates, subjects = people(6, 40)
    for fmr in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match="a nominal FMR lies between 0 and 1"):
            nonmated_threshold(templates, subjects, "cosine", fmr)
    templates[3, 0] = np.nan
    with pytest.raises(InputError, match="must be finite"):
        nonmated_threshold(templates, subjects, "cosine", 0.1)


# --- rates -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [40, 10**6])
def test_the_realised_fmr_agrees_with_loops(
    kind: Similarity, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates, subjects = people(7, 10)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", limit)
    for threshold in (0.3, 0.6) if kind == "cosine" else (-2.5, -1.5):
        got = realised_fmr(templates, subjects, kind, threshold)
        assert isinstance(got, Interval)
        expected = fmr_by_loops(templates, subjects, kind, threshold)
        assert 0 < expected < 1
        assert got.value == pytest.approx(expected)
        assert got.n == 45


@pytest.mark.parametrize("kind", KINDS)
def test_on_its_own_set_a_threshold_realises_what_it_says(kind: Similarity) -> None:
    templates, subjects = people(8, 60)
    found = nonmated_threshold(templates, subjects, kind, 0.05)
    assert isinstance(found, Threshold)
    got = realised_fmr(templates, subjects, kind, found.value)
    assert isinstance(got, Interval)
    assert got.value == pytest.approx(found.realised, abs=1e-9)
    assert got.value == pytest.approx(0.05, abs=0.002)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tmr_agrees_with_loops(kind: Similarity) -> None:
    templates, subjects = people(9, 12)
    threshold = 0.7 if kind == "cosine" else -2.0
    means = []
    for s in np.unique(subjects):
        rows = np.flatnonzero(subjects == s)
        hits = [
            one_score(templates[i], templates[j], kind) >= threshold
            for i in rows
            for j in rows
            if i < j
        ]
        means += [np.mean(hits)] if hits else []
    got = tmr(templates, subjects, kind, threshold)
    assert isinstance(got, Interval)
    assert 0 < got.value < 1
    assert got.value == pytest.approx(np.mean(means))
    assert got.n == len(means) < 12
    np.testing.assert_allclose(tmr_by_subject(templates, subjects, kind, threshold), means)


@PROPERTY
@given(st.integers(0, 10**6), st.floats(-1, 1), st.floats(-1, 1))
def test_rates_fall_with_the_threshold(seed: int, a: float, b: float) -> None:
    templates, subjects = people(seed, 8)
    low, high = sorted((a, b))
    for rate in (realised_fmr, tmr):
        first, second = (rate(templates, subjects, "cosine", t) for t in (low, high))
        if isinstance(first, Interval) and isinstance(second, Interval):
            assert first.value >= second.value


@PROPERTY
@given(st.integers(0, 10**6))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    templates, subjects = people(seed, 25)
    order = np.random.default_rng(seed).permutation(len(subjects))
    names = np.array([f"subject {s:03}" for s in subjects])
    for kind, t in (("cosine", 0.6), ("l2", -2.0)):
        for rate in (realised_fmr, tmr):
            first = rate(templates, names, kind, t)  # type: ignore[arg-type]
            second = rate(templates[order], names[order], kind, t)  # type: ignore[arg-type]
            assert first == pytest.approx(second, abs=1e-9)


def test_what_cannot_be_measured_is_said() -> None:
    one = np.ones((2, 3))
    assert realised_fmr(one, ["a", "a"], "l2", 0.0) == NotMeasured(
        "no non-mated pairs: there is only one subject"
    )
    assert tmr_by_subject(one, ["a", "b"], "l2", 0.0).shape == (0,)
    assert tmr(one, ["a", "b"], "l2", 0.0) == NotMeasured(
        "no mated pairs: no subject has two pictures"
    )


@pytest.mark.parametrize("limit", [1, 10**9])
def test_enrolled_templates_meet_every_probe_of_somebody_else(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", limit)
    rng = np.random.default_rng(5)
    names = np.array(list("aabccc"))
    enrolled, probes = (rng.standard_normal((6, 3)).astype(np.float32) for _ in range(2))
    found: list[tuple[float, float]] = []
    for block in enrolled_blocks(enrolled, probes, group(names), "l2"):
        found += zip(block.scores.tolist(), block.weights.tolist(), strict=True)
    count = {name: int((names == name).sum()) for name in names}
    expected = [
        (-float(np.linalg.norm(enrolled[i] - probes[j])), 1 / count[one] / count[two] / 6)
        for i, one in enumerate(names)
        for j, two in enumerate(names)
        if one != two
    ]
    np.testing.assert_allclose(sorted(found), sorted(expected), rtol=1e-5)
    assert sum(weight for _, weight in found) == pytest.approx(1.0)
