from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from biometrics.metrics.curves import (
    Distribution,
    WeightedScores,
    comparisons,
    det_curve,
    eer,
    roc_auc,
    score_histograms,
)
from biometrics.metrics.scores import Similarity
from biometrics.metrics.verification import Threshold, nonmated_threshold, realised_fmr, tmr
from tests.biometrics.metrics.common import PROPERTY, Array, people

KINDS: tuple[Similarity, ...] = ("cosine", "l2")


def sample(seed: int, ties: bool, weighted: bool) -> tuple[WeightedScores, WeightedScores]:
    rng = np.random.default_rng(seed)
    mated, nonmated = rng.normal(1, 1, rng.integers(2, 40)), rng.normal(0, 1, rng.integers(2, 80))
    if ties:
        mated, nonmated = mated.round(), nonmated.round()
    if not weighted:
        return WeightedScores(mated), WeightedScores(nonmated)
    return (
        WeightedScores(mated, rng.random(len(mated)) + 0.1),
        WeightedScores(nonmated, rng.random(len(nonmated)) + 0.1),
    )


def joined(mated: WeightedScores, nonmated: WeightedScores) -> tuple[Array, Array, Array | None]:
    labels = np.repeat([1, 0], [len(mated.scores), len(nonmated.scores)])
    values = np.concatenate([mated.scores, nonmated.scores])
    if mated.weights is None or nonmated.weights is None:
        return labels, values, None
    return labels, values, np.concatenate([mated.weights, nonmated.weights])


@PROPERTY
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_area_and_equal_error_rate_agree_with_sklearn(
    seed: int, ties: bool, weighted: bool
) -> None:
    mated, nonmated = sample(seed, ties, weighted)
    labels, values, weights = joined(mated, nonmated)
    expected = roc_auc_score(labels, values, sample_weight=weights)
    assert roc_auc(mated, nonmated) == pytest.approx(expected)
    fpr, hit, _ = roc_curve(labels, values, sample_weight=weights, drop_intermediate=False)
    # fpr - fnr rises along the curve; where its polyline is zero, both are the EER
    place = brentq(lambda s: np.interp(s, np.arange(len(fpr)), fpr + hit - 1), 0, len(fpr) - 1)
    assert eer(mated, nonmated) == pytest.approx(np.interp(place, np.arange(len(fpr)), fpr))


@pytest.mark.parametrize(
    ("mated", "nonmated", "expected"),
    [
        ([3.0, 4.0], [1.0, 2.0], 0.0),
        ([1.0, 2.0], [3.0, 4.0], 1.0),
        ([1.0], [1.0], 0.5),
        ([1.0, 3.0], [0.0, 2.0], 0.5),
        ([1.0, 3.0, 4.0, 5.0], [-2.0, -1.0, 0.0, 2.0], 0.25),
    ],
)
def test_equal_error_rates_that_one_can_see(
    mated: list[float], nonmated: list[float], expected: float
) -> None:
    pair = WeightedScores(np.array(mated)), WeightedScores(np.array(nonmated))
    assert eer(*pair) == pytest.approx(expected)


@PROPERTY
@given(st.integers(0, 10**6), st.booleans())
def test_monotone_maps_change_nothing(seed: int, ties: bool) -> None:
    pair = sample(seed, ties, weighted=True)
    mapped = tuple(WeightedScores(np.exp(s.scores / 2) * 40 - 900, s.weights) for s in pair)
    assert eer(*mapped) == pytest.approx(eer(*pair))
    assert roc_auc(*mapped) == pytest.approx(roc_auc(*pair))
    np.testing.assert_allclose(det_curve(*mapped)[1:], det_curve(*pair)[1:])


@PROPERTY
@given(st.integers(0, 10**6), st.booleans())
def test_order_and_the_scale_of_weights_change_nothing(seed: int, ties: bool) -> None:
    pair = sample(seed, ties, weighted=True)
    other = []
    for s in pair:
        assert s.weights is not None
        order = np.random.default_rng(seed).permutation(len(s.scores))
        other.append(WeightedScores(s.scores[order], s.weights[order] * 17))
    assert eer(*other) == pytest.approx(eer(*pair))
    assert roc_auc(*other) == pytest.approx(roc_auc(*pair))


@PROPERTY
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_points_of_the_curve_lie_on_sklearns(seed: int, ties: bool, weighted: bool) -> None:
    mated, nonmated = sample(seed, ties, weighted)
    labels, values, weights = joined(mated, nonmated)
    curve = det_curve(mated, nonmated)
    for t, fmr, hit in zip(curve.thresholds, curve.fmr, curve.tmr, strict=True):
        w = np.ones(len(values)) if weights is None else weights
        for label, rate in ((0, fmr), (1, hit)):
            chosen = labels == label
            accepted = w[chosen & (values >= t)].sum() / w[chosen].sum()
            assert rate == pytest.approx(accepted, abs=1e-9)
    assert (np.diff(curve.fmr) > 0).all()
    assert (np.diff(curve.fnmr) <= 0).all()
    assert curve.fmr[-1] == 1.0
    assert curve.fmr[0] > 0


def test_the_curve_is_sampled_evenly_in_the_logarithm() -> None:
    rng = np.random.default_rng(0)
    curve = det_curve(WeightedScores(rng.normal(3, 1, 99)), WeightedScores(rng.random(100_000)))
    assert len(curve.thresholds) <= 200
    assert curve.fmr[0] == pytest.approx(1e-5)
    large = np.log10(curve.fmr[curve.fmr > 1e-2])
    np.testing.assert_allclose(np.diff(large), 5 / 199, atol=2e-3)


def test_empty_and_nan_scores_are_refused() -> None:
    for bad in (np.zeros(0), np.array([1.0, np.nan])):
        with pytest.raises(ValueError, match="at least one score and no NaN"):
            Distribution.of(WeightedScores(bad))


# --- from templates ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@PROPERTY
@given(st.integers(0, 10**6))
def test_weights_make_the_rates_of_the_verification_module(kind: Similarity, seed: int) -> None:
    templates, subjects = people(seed, 30)
    both = comparisons(templates, subjects, kind)
    found = nonmated_threshold(templates, subjects, kind, 0.1)
    assert isinstance(found, Threshold)
    impostor, genuine = Distribution.of(both.nonmated), Distribution.of(both.mated)
    assert impostor.thresholds_at(np.array([0.1]))[0] == found.value
    cut = np.float32(found.value)
    fmr, hits = (f(templates, subjects, kind, found.value) for f in (realised_fmr, tmr))
    assert impostor.at_least(cut) == pytest.approx(fmr[0])  # type: ignore[index]
    assert genuine.at_least(cut) == pytest.approx(hits[0])  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_rounded_scores_of_large_sets_hardly_move_the_figures(kind: Similarity) -> None:
    templates, subjects = people(4, 60)
    exact = comparisons(templates, subjects, kind)
    rounded = comparisons(templates, subjects, kind, exact_pairs=0)
    reach = 2.0 if kind == "cosine" else 2 * np.linalg.norm(templates, axis=1).max()
    np.testing.assert_allclose(
        Distribution.of(rounded.nonmated).thresholds_at(np.geomspace(1e-2, 1, 50)),
        Distribution.of(exact.nonmated).thresholds_at(np.geomspace(1e-2, 1, 50)),
        atol=reach / 2**20,
    )
    assert roc_auc(*rounded) == pytest.approx(roc_auc(*exact), abs=1e-4)


def test_comparisons_need_both_sorts() -> None:
    for subjects in (["a", "a"], ["a", "b"]):
        with pytest.raises(ValueError, match="comparisons need two subjects"):
            comparisons(np.ones((2, 2)), subjects, "l2")


# --- histograms --------------------------------------------------------------------------------


def test_histograms_share_edges_and_show_what_is_missing() -> None:
    sets = {
        "mated": WeightedScores(np.array([-1.0, 0.999, 1.0]), np.array([1.0, 2.0, 1.0])),
        "type1": WeightedScores(np.array([0.0, np.nan], dtype=np.float32)),
        "nothing": WeightedScores(np.array([np.nan])),
    }
    got = score_histograms(sets, "cosine", bins=4)
    assert got.edges.tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert {k: v.tolist() for k, v in got.shares.items()} == {
        "mated": [0.25, 0.0, 0.0, 0.75],
        "type1": [0.0, 0.0, 0.5, 0.0],
        "nothing": [0.0, 0.0, 0.0, 0.0],
    }


def test_distances_of_unit_templates_span_minus_two_to_zero_and_others_more() -> None:
    unit = score_histograms({"a": WeightedScores(np.array([-1.4, 0.0]))}, "l2", bins=8)
    assert (unit.edges[0], unit.edges[-1], unit.shares["a"].sum()) == (-2.0, 0.0, 1.0)
    longer = score_histograms({"a": WeightedScores(np.array([-30.5, -1.0]))}, "l2")
    assert (longer.edges[0], longer.shares["a"].sum()) == (-31.0, 1.0)
