from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.errors import InputError
from biometrics.metrics import scores
from biometrics.metrics.cross_verification import (
    cross_realised_fmr,
    cross_threshold,
    cross_tmr_by_subject,
)
from biometrics.metrics.intervals import Interval, NotMeasured
from biometrics.metrics.scores import Similarity
from biometrics.metrics.verification import Threshold, nonmated_threshold, realised_fmr, tmr
from tests.biometrics.metrics.common import PROPERTY, Array, one_score, people

KINDS: tuple[Similarity, ...] = ("cosine", "l2")
BOTH = pytest.mark.parametrize("kind", KINDS)


def two_kinds(seed: int, n_subjects: int) -> tuple[Array, Array, Array]:
    """Clean templates and moved ones of the same pictures."""
    gallery, subjects = people(seed, n_subjects)
    rng = np.random.default_rng(seed + 1)
    moved = gallery @ rng.normal(size=(6, 6)) * 0.4 + 0.3 * rng.normal(size=gallery.shape) + 1.0
    return moved.astype(np.float32), gallery, subjects


def by_loops(probes: Array, gallery: Array, subjects: Array, kind: str, threshold: float) -> float:
    """Mean over ordered pairs of subjects of the accepted share."""
    means = []
    for s, t in permutations(np.unique(subjects), 2):
        found = [
            np.float32(one_score(probes[i], gallery[j], kind)) >= np.float32(threshold)
            for i in np.flatnonzero(subjects == s)
            for j in np.flatnonzero(subjects == t)
        ]
        means.append(np.mean(found))
    return float(np.mean(means))


@BOTH
@pytest.mark.parametrize("seed", range(3))
def test_the_threshold_is_the_smallest_that_keeps_the_rate(kind: Similarity, seed: int) -> None:
    probes, gallery, subjects = two_kinds(seed, 30)
    found = cross_threshold(probes, gallery, subjects, kind, 0.1)
    assert isinstance(found, Threshold)
    assert found.n_subject_pairs == 30 * 29 // 2
    at = by_loops(probes, gallery, subjects, kind, found.value)
    assert at <= 0.1
    assert at == pytest.approx(found.realised, abs=1e-9)
    below = float(np.nextafter(np.float32(found.value), np.float32(-np.inf)))
    assert by_loops(probes, gallery, subjects, kind, below) > 0.1


@BOTH
def test_blocks_change_nothing(kind: Similarity, monkeypatch: pytest.MonkeyPatch) -> None:
    probes, gallery, subjects = two_kinds(4, 30)
    whole = cross_threshold(probes, gallery, subjects, kind, 0.1)
    monkeypatch.setattr(scores, "BLOCK_ELEMENTS", 70)
    assert cross_threshold(probes, gallery, subjects, kind, 0.1) == whole


@PROPERTY
@given(st.integers(0, 1000), st.sampled_from(KINDS))
def test_of_one_kind_of_pictures_all_is_as_without_a_second(seed: int, kind: Similarity) -> None:
    templates, subjects = people(seed, 30)
    one, two = (
        nonmated_threshold(templates, subjects, kind, 0.1),
        cross_threshold(templates, templates, subjects, kind, 0.1),
    )
    assert isinstance(one, Threshold)
    assert isinstance(two, Threshold)
    assert one[:2] == two[:2]
    assert one.n_subject_pairs == two.n_subject_pairs
    assert one.realised == pytest.approx(two.realised, abs=1e-9)
    known = (subjects, kind, one.value)
    assert cross_realised_fmr(templates, templates, *known) == realised_fmr(templates, *known)
    mated = tmr(templates, *known)
    rates = cross_tmr_by_subject(templates, templates, *known)
    if isinstance(mated, Interval):
        assert (rates.mean(), len(rates)) == (pytest.approx(mated.value), mated.n)
    else:
        assert len(rates) == 0


@BOTH
def test_pairs_of_people_are_counted_once(kind: Similarity) -> None:
    """25 people are 300 pairs, and 600 in order: 30 / 600 would be too rare by the right count."""
    probes, gallery, subjects = two_kinds(5, 25)
    assert isinstance(cross_threshold(probes, gallery, subjects, kind, 0.1), Threshold)
    rare = cross_threshold(probes, gallery, subjects, kind, 0.05)
    assert isinstance(rare, NotMeasured)
    assert "300 distinct subject pairs" in rare.reason
    realised = cross_realised_fmr(probes, gallery, subjects, kind, 0.0)
    assert isinstance(realised, Interval)
    assert realised.n == 300


@BOTH
def test_rates_at_a_threshold_by_counting(kind: Similarity) -> None:
    probes, gallery, subjects = two_kinds(6, 12)
    threshold = float(np.float32(0.2 if kind == "cosine" else -2.5))
    realised = cross_realised_fmr(probes, gallery, subjects, kind, threshold)
    assert isinstance(realised, Interval)
    counted = by_loops(probes, gallery, subjects, kind, threshold)
    assert 0 < counted < 1
    assert realised.value == pytest.approx(counted)
    expected = []
    for s in np.unique(subjects):
        own = np.flatnonzero(subjects == s)
        hits = [
            one_score(probes[i], gallery[j], kind) >= threshold for i, j in permutations(own, 2)
        ]
        if hits:
            expected.append(np.mean(hits))
    rates = cross_tmr_by_subject(probes, gallery, subjects, kind, threshold)
    np.testing.assert_allclose(rates, expected)
    assert 0 < rates.mean() < 1
    swapped = cross_tmr_by_subject(gallery, probes, subjects, kind, threshold)
    np.testing.assert_allclose(swapped, rates)  # both directions are in either


def test_what_does_not_fit_is_refused() -> None:
    probes, gallery, subjects = two_kinds(7, 30)
    with pytest.raises(ValueError, match="probes and gallery of the same"):
        cross_threshold(probes[:-1], gallery, subjects, "l2", 0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        cross_threshold(probes, gallery, subjects, "l2", 1.0)
    broken = probes.copy()
    broken[3, 2] = np.nan
    for pair in ((broken, gallery), (gallery, broken)):
        with pytest.raises(InputError, match="finite"):
            cross_threshold(*pair, subjects, "l2", 0.1)
    alone = cross_realised_fmr(probes[:2], gallery[:2], ["a", "a"], "l2", 0.0)
    assert isinstance(alone, NotMeasured)
