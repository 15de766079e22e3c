from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.metrics import scores
from biometrics.metrics.intervals import Interval, NotMeasured, clopper_pearson
from biometrics.metrics.pairs import Pairs, mated_across
from biometrics.metrics.scores import Similarity
from biometrics.metrics.success import (
    Attempts,
    acceptance,
    identification,
    margin,
    ranks,
    similarity,
    told_apart,
)
from biometrics.metrics.verification import tmr
from tests.biometrics.metrics.common import PROPERTY, Array, one_score, people

CASES: tuple[tuple[Similarity, float], ...] = (("cosine", 0.6), ("l2", -1.9))


def attempts(seed: int, kind: Similarity, n_subjects: int = 14) -> Attempts:
    """Noisy reconstructions; some undetected, some without a template."""
    leaked, subjects = people(seed, n_subjects)
    rng = np.random.default_rng(seed + 1)
    made = (leaked + 0.8 * rng.normal(size=leaked.shape)).astype(np.float32)
    made[rng.random(len(made)) < 0.1] = np.nan
    return Attempts(made, leaked, subjects, rng.random(len(made)) < 0.85, kind)


def value(fact: object) -> float:
    assert isinstance(fact, Interval)
    return fact.value


def mean_within_then_over(values: dict[int, list[float]]) -> float:
    return float(np.mean([np.mean(v) for v in values.values()]))


@pytest.mark.parametrize(("kind", "threshold"), CASES)
@pytest.mark.parametrize("limit", [60, 10**6])
def test_every_rate_agrees_with_loops(
    kind: Similarity, threshold: float, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = attempts(3, kind)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", limit)
    type1: dict[int, list[float]] = {}
    ignoring: dict[int, list[float]] = {}
    type2: dict[int, list[float]] = {}
    reference: dict[int, list[float]] = {}
    foreign: dict[tuple[int, int], list[float]] = {}
    for i, s in enumerate(a.subjects.tolist()):
        has = bool(np.isfinite(a.reconstructed[i]).all())
        ok = has and bool(a.detected[i])
        over_j, over_j_reference = [], []
        for j, t in enumerate(a.subjects.tolist()):
            score = one_score(a.reconstructed[i], a.leaked[j], kind) if has else -np.inf
            hit = score >= threshold
            if i == j:
                type1.setdefault(s, []).append(hit and ok)
                ignoring.setdefault(s, []).append(hit)
            elif s == t:
                over_j.append(hit and ok)
                over_j_reference.append(one_score(a.leaked[i], a.leaked[j], kind) >= threshold)
            else:
                foreign.setdefault((s, t), []).append(hit and ok)
        if over_j:
            type2.setdefault(s, []).append(float(np.mean(over_j)))
            reference.setdefault(s, []).append(float(np.mean(over_j_reference)))
    got = acceptance(a, threshold)
    expected = [mean_within_then_over(x) for x in (type1, ignoring, type2, reference)]
    facts = [got.type1, got.sar_ignoring_detection, got.type2, got.type2_reference]
    assert [value(x) for x in facts] == pytest.approx(expected)
    assert all(0 < x < 1 for x in expected)
    assert len(set(expected)) == 4
    assert value(got.reconstruction_fmr) == pytest.approx(
        np.mean([np.mean(x) for x in foreign.values()])
    )
    assert [x.n for x in facts if isinstance(x, Interval)] == [14, 14, len(type2), len(type2)]
    assert isinstance(got.reconstruction_fmr, Interval)
    assert got.reconstruction_fmr.n == 14 * 13 // 2
    by_subject = {s: np.mean(v) for s, v in sorted(type1.items())}
    np.testing.assert_allclose(got.by_subject.type1, list(by_subject.values()))


@pytest.mark.parametrize(("kind", "threshold"), CASES)
def test_the_reference_is_the_judges_tmr(kind: Similarity, threshold: float) -> None:
    a = attempts(4, kind)
    expected = tmr(a.leaked, a.subjects, kind, threshold)
    assert acceptance(a, threshold).type2_reference == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "threshold"), CASES)
def test_perfect_reconstructions_reach_the_reference(kind: Similarity, threshold: float) -> None:
    a = attempts(5, kind)
    a = replace(a, reconstructed=a.leaked, detected=np.ones(len(a.leaked), dtype=bool))
    got = acceptance(a, threshold)
    assert got.type1 == pytest.approx((1.0, *clopper_pearson(14, 14), 14))
    assert got.type2 == got.type2_reference


def ranks_by_loops(a: Attempts) -> list[int]:
    names = np.unique(a.subjects)
    found = []
    for i, own in enumerate(a.subjects):
        if (a.subjects == own).sum() < 2:
            continue
        if not (a.detected[i] and np.isfinite(a.reconstructed[i]).all()):
            found.append(len(names) + 1)
            continue
        best = {}
        for s in names:
            rows = [j for j in np.flatnonzero(a.subjects == s) if j != i]
            best[s] = max(
                np.float32(one_score(a.reconstructed[i], a.leaked[j], a.kind)) for j in rows
            )
        found.append(1 + sum(bool(best[s] >= best[own]) for s in names if s != own))
    return found


@pytest.mark.parametrize(("kind", "threshold"), CASES)
@pytest.mark.parametrize("limit", [70, 10**6])
def test_ranks_agree_with_loops(
    kind: Similarity, threshold: float, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = attempts(6, kind)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", limit)
    probes, rank = ranks(a)
    assert rank.tolist() == ranks_by_loops(a)
    assert len(set(rank.tolist())) > 3
    got = identification(a)
    for limit_rank, fact in ((1, got.rank1), (10, got.rank10)):
        hits: dict[int, list[float]] = {}
        for s, r in zip(a.subjects[probes].tolist(), rank.tolist(), strict=True):
            hits.setdefault(s, []).append(r <= limit_rank)
        assert value(fact) == pytest.approx(mean_within_then_over(hits))
        assert isinstance(fact, Interval)
        assert fact.n == len(hits) < 14


def test_equal_scores_count_against_the_attack() -> None:
    leaked = np.ones((24, 3))
    subjects = np.repeat(np.arange(12), 2)
    got = Attempts(leaked, leaked, subjects, np.ones(24, dtype=bool), "cosine")
    assert (ranks(got)[1] == 12).all()
    assert value(identification(got).rank1) == 0.0


def test_the_picture_itself_is_not_in_the_gallery() -> None:
    # Each reconstruction equals its own picture; the other one is farther than subject 1.
    leaked = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    got = Attempts(leaked, leaked, np.array([0, 0, 1]), np.ones(3, dtype=bool), "l2")
    probes, rank = ranks(got)
    assert probes.tolist() == [0, 1]
    assert rank.tolist() == [2, 2]


def test_undetected_attempts_fail_everywhere_but_where_detection_is_ignored() -> None:
    a = attempts(7, "cosine")
    a = replace(a, reconstructed=a.leaked, detected=np.zeros(len(a.leaked), dtype=bool))
    got, found = acceptance(a, 0.0), identification(a)
    rates = (got.type1, got.type2, got.reconstruction_fmr, found.rank1, found.rank10)
    assert [value(x) for x in rates] == [0.0] * 5
    assert value(got.sar_ignoring_detection) == 1.0
    assert similarity(a).value == pytest.approx(1.0)


def test_attempts_without_a_template_stay_in_the_count() -> None:
    leaked = np.array([[3.0, 4.0], [0.0, 2.0]])
    made = np.array([[np.nan, np.nan], [0.0, 2.0]])
    a = Attempts(made, leaked, np.array(["a", "b"]), np.array([True, True]), "cosine")
    assert acceptance(a, -1.0).type1.value == 0.5
    assert acceptance(a, -1.0).sar_ignoring_detection.value == 0.5
    assert similarity(a)[::3] == pytest.approx((0.5, 2))  # cosine 0 and 1
    assert similarity(replace(a, kind="l2")).value == pytest.approx(-2.5)  # minus 5 and 0


def test_what_needs_more_people_or_pictures_is_not_measured() -> None:
    single = Attempts(np.eye(3), np.eye(3), np.arange(3), np.ones(3, dtype=bool), "l2")
    got, found = acceptance(single, -0.5), identification(single)
    no_other = NotMeasured("no leaked subject has a second picture")
    assert got.type2 == got.type2_reference == found.rank1 == found.rank10 == no_other
    assert margin(got, got, "type2") == no_other
    alone = replace(single, subjects=np.zeros(3, dtype=int))
    assert acceptance(alone, -0.5).reconstruction_fmr == NotMeasured(
        "there is only one leaked subject"
    )
    small = replace(attempts(8, "cosine", 10))
    assert isinstance(identification(small).rank1, Interval)
    assert identification(small).rank10 == NotMeasured(
        "rank 10 says nothing among 10 leaked subjects"
    )


@pytest.mark.parametrize("measure", ["type1", "type2"])
def test_margins_are_paired_differences_of_the_rates(measure: str) -> None:
    a = attempts(9, "cosine", 40)
    better = acceptance(replace(a, reconstructed=a.leaked), 0.6)
    worse = acceptance(a, 0.6)
    got = margin(better, worse, measure)  # type: ignore[arg-type]
    assert isinstance(got, Interval)
    difference = value(getattr(better, measure)) - value(getattr(worse, measure))
    assert got.value == pytest.approx(difference)
    assert got.value > 0.05
    assert got.low is not None
    assert got.low > 0
    back = margin(worse, better, measure)  # type: ignore[arg-type]
    assert isinstance(back, Interval)
    assert back.value == -got.value


def shuffled(a: Attempts, order: Array) -> Attempts:
    return Attempts(
        a.reconstructed[order], a.leaked[order], a.subjects[order], a.detected[order], a.kind
    )


@PROPERTY
@given(st.integers(0, 10**6))
def test_the_order_of_attempts_does_not_matter(seed: int) -> None:
    a = attempts(seed, "cosine", 12)
    b = shuffled(a, np.random.default_rng(seed).permutation(len(a.leaked)))
    first, second = acceptance(a, 0.5), acceptance(b, 0.5)
    for name in ("type1", "type2", "type2_reference", "reconstruction_fmr"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), abs=1e-9)
    assert identification(a).rank1 == pytest.approx(identification(b).rank1)
    assert similarity(a) == pytest.approx(similarity(b))


@PROPERTY
@given(st.integers(0, 10**6), st.floats(-1, 1), st.floats(-1, 1))
def test_acceptance_falls_with_the_threshold(seed: int, x: float, y: float) -> None:
    a = attempts(seed, "cosine", 8)
    easy, hard = (acceptance(a, t) for t in sorted((x, y)))
    assert easy.type1.value >= hard.type1.value
    assert value(easy.reconstruction_fmr) >= value(hard.reconstruction_fmr)
    assert easy.type1.value <= easy.sar_ignoring_detection.value


def test_wrong_attempts_are_refused() -> None:
    ok = Attempts(np.eye(2), np.eye(2), np.arange(2), np.ones(2, dtype=bool), "l2")
    with pytest.raises(ValueError, match=r"must both be \[N, D\]"):
        replace(ok, leaked=np.eye(3))
    with pytest.raises(ValueError, match="expected subjects and bool detections of 2 attempts"):
        replace(ok, detected=np.ones(2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="leaked templates must be finite"):
        replace(ok, leaked=np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="cannot pair 2 subjects with 1"):
        margin(acceptance(ok, 0.0), acceptance(replace(ok, subjects=np.zeros(2, dtype=int)), 0.0))


def test_told_apart_counts_reconstructions_nearest_to_their_own_subject() -> None:
    random = np.random.default_rng(4)
    leaked = random.normal(size=(40, 6))
    subjects = np.repeat(np.arange(16), [1, 4] * 8)
    made = leaked + random.normal(scale=0.8, size=leaked.shape)
    detected = random.random(40) < 0.9
    made[3] = np.nan
    distance = ((made[:, None] - leaked[None]) ** 2).sum(axis=-1)
    right = np.array([subjects[row.argmin()] for row in np.nan_to_num(distance)]) == subjects
    right &= detected & np.isfinite(made).all(axis=1)
    expected = np.mean([right[subjects == s].mean() for s in range(16)])
    found = told_apart(Attempts(made, leaked, subjects, detected, "l2"))
    assert isinstance(found, Interval)
    assert 0.2 < expected < 0.95
    assert found.value == pytest.approx(expected)
    alone = told_apart(Attempts(made[:1], leaked[:1], subjects[:1], detected[:1], "l2"))
    assert isinstance(alone, NotMeasured)
    same = np.zeros((2, 6))
    tied = told_apart(Attempts(same, same, np.arange(2), np.ones(2, dtype=bool), "l2"))
    assert isinstance(tied, Interval)
    assert tied.value == 0.0  # equal templates are not told apart


# --- Type-II against pictures that are not attempted


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=20), st.integers(0, 2**16))
@PROPERTY
def test_pairs_across_two_sets_are_those_of_one_name(letters: list[str], seed: int) -> None:
    names = np.array(letters)
    others = np.random.default_rng(seed).permutation(names)[: max(1, len(names) // 2)]
    pairs = mated_across(names, others)
    found = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    expected = {(i, j) for i, a in enumerate(names) for j, b in enumerate(others) if a == b}
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert pairs.first.tolist() == sorted(pairs.first.tolist())


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_naming_the_other_pictures_of_all_attempts_changes_nothing(kind: Similarity) -> None:
    a = attempts(3, kind)
    across = mated_across(a.subjects, a.subjects)
    other = across.first != across.second
    named = replace(a, others=a.leaked, pairs=Pairs(across.first[other], across.second[other]))
    threshold = float(np.nanmedian(a.type2_scores))
    before, after = (acceptance(each, threshold) for each in (a, named))
    for measure in ("type1", "type2", "type2_reference", "reconstruction_fmr"):
        assert getattr(after, measure) == getattr(before, measure)


def test_one_attempt_a_person_is_compared_with_all_others() -> None:
    a = attempts(5, "cosine")
    first = a.groups.order[a.groups.starts]
    across = mated_across(a.subjects[first], a.subjects)
    other = first[across.first] != across.second
    one = Attempts(
        a.reconstructed[first],
        a.leaked[first],
        a.subjects[first],
        a.detected[first],
        a.kind,
        others=a.leaked,
        pairs=Pairs(across.first[other], across.second[other]),
    )
    threshold = float(np.nanmedian(a.type2_scores))
    rates: dict[int, list[float]] = {}
    for i, row in enumerate(first.tolist()):
        for j in np.flatnonzero(
            (a.subjects == a.subjects[row]) & (np.arange(len(a.leaked)) != row)
        ):
            score = one_score(a.reconstructed[row], a.leaked[j], a.kind)
            rates.setdefault(i, []).append(float(score >= threshold and a.detected[row]))
    assert value(acceptance(one, threshold).type2) == pytest.approx(mean_within_then_over(rates))


def test_other_pictures_come_with_their_pairs() -> None:
    a = attempts(1, "cosine")
    with pytest.raises(ValueError, match="both or not at all"):
        replace(a, others=a.leaked)
