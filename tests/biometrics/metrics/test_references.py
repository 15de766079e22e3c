"""What is held of people against probes: closed forms, brute force, and theory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import norm

from biometrics.aggregation import averages
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.references import References
from biometrics.metrics.scores import Similarity, similarity_matrix
from biometrics.metrics.verification import realised_fmr, tmr

KINDS: list[Similarity] = ["cosine", "l2"]


def some(kind: Similarity, *, seed: int = 0) -> References:
    """Three people; the first has two references, and one of these holds three templates."""
    rng = np.random.default_rng(seed)
    together = np.array([0, 1, 1, 1, 2, 3])
    templates = rng.normal(size=(6, 4)).astype(np.float32)
    probes = rng.normal(size=(7, 4)).astype(np.float32)
    return References(
        templates,
        together,
        np.array(["b", "b", "a", "c"]),
        probes,
        np.array(["c", "a", "b", "b", "a", "b", "c"]),
        kind,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_shares_are_means_over_references_and_probes(kind: Similarity, seed: int) -> None:
    held = some(kind, seed=seed)
    threshold = float(np.median(held.scores))
    every = similarity_matrix(held.templates, held.probes, kind)
    found = held.accepted(threshold)
    for (i, one), (j, two) in itertools.product(enumerate("abc"), repeat=2):
        hits = []
        for reference, probe in itertools.product(range(4), range(7)):
            if held.subjects[reference] == one and held.probe_subjects[probe] == two:
                best = max(every[t, probe] for t in range(6) if held.together[t] == reference)
                hits.append(best >= threshold)
        assert found[i, j] == pytest.approx(np.mean(hits))
    assert np.array_equal(held.tmr_by_subject(threshold), found.diagonal())


@pytest.mark.parametrize("kind", KINDS)
def test_the_weighted_scores_give_the_same_rates(kind: Similarity) -> None:
    held = some(kind)
    threshold = float(np.median(held.scores))
    rates = held.accepted(threshold)
    mated, nonmated = held.comparisons
    for sample, rate in (
        (mated, rates.diagonal().mean()),
        (nonmated, rates[~np.eye(3, dtype=bool)].mean()),
    ):
        assert sample.weights is not None
        share = sample.weights[sample.scores >= threshold].sum() / sample.weights.sum()
        assert share == pytest.approx(rate)


def test_single_pictures_give_the_rates_of_verification() -> None:
    """Two pictures a person, each once held and once the probe, are all mated pairs."""
    rng = np.random.default_rng(1)
    templates, names = rng.normal(size=(20, 6)), np.repeat(np.arange(10), 2)
    each = np.arange(10)
    held = References(templates[::2], each, each, templates[1::2], each, "cosine")
    threshold = 0.3
    expected = tmr(templates, names, "cosine", threshold)
    assert not isinstance(expected, NotMeasured)
    assert held.tmr_by_subject(threshold).mean() == pytest.approx(expected.value)
    whole = References(templates, np.arange(20), names, templates, names, "cosine")
    strangers = realised_fmr(templates, names, "cosine", threshold)
    assert not isinstance(strangers, NotMeasured)
    off = ~np.eye(10, dtype=bool)
    assert whole.accepted(threshold)[off].mean() == pytest.approx(strangers.value)


def test_what_is_not_finite_is_never_accepted() -> None:
    held = some("l2")
    broken = held.templates.copy()
    broken[[1, 4]] = np.nan
    found = References(broken, held.together, held.subjects, held.probes, held.probe_subjects, "l2")
    assert (found.scores[2] == -np.inf).all(), "the only template of this reference"
    assert np.isfinite(found.scores[1]).all(), "two others of this one are left"
    assert (found.scores <= held.scores).all()


def identities(
    people: int, each: int, *, within: float, dim: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian people of variance 1 whose pictures scatter by ``within`` squared."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(people, 1, dim))
    return centres + within * rng.normal(size=(people, each, dim)), np.arange(people)


def test_the_tmr_of_averages_rises_as_theory_says() -> None:
    """In one dimension an average of n differs from a probe by a normal number of variance
    within² (1 + 1/n), so P(distance <= t) is known."""
    pictures, names = identities(4000, 21, within=0.5, dim=1)
    cut, last = -0.6, 0.0
    for number in (1, 2, 5, 20):
        enrolled = pictures[:, :number].reshape(-1, 1)
        made = averages(enrolled, np.repeat(names, number), "l2")
        rate = 0.0
        for block in np.array_split(names, 20):
            held = References(
                made[block], np.arange(len(block)), block, pictures[block, 20], block, "l2"
            )
            rate += held.tmr_by_subject(cut).sum() / len(names)
        expected = 2 * norm.cdf(-cut / (0.5 * np.sqrt(1 + 1 / number))) - 1
        assert rate == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))
        assert rate > last
        last = rate


def test_the_threshold_lets_at_most_its_share_of_strangers_pass() -> None:
    pictures, names = identities(60, 3, within=0.3)
    held = References(
        pictures[:30, :2].reshape(-1, 3),
        np.arange(60),
        np.repeat(names[:30], 2),
        pictures[30:, 2],
        names[30:],
        "l2",
    )
    for fmr in (0.05, 0.2):
        cut = held.threshold(fmr)
        assert isinstance(cut, float)
        assert held.accepted(cut).mean() <= fmr + 1e-12
        below = held.scores[held.scores < cut].max()
        assert held.accepted(float(below)).mean() > fmr
    few = held.threshold(0.03)  # 900 pairs of people
    assert isinstance(few, NotMeasured)
    assert "0.03 times 900 pairs of different subjects is 27" in few.reason


def test_ones_own_probes_set_no_threshold() -> None:
    """Their scores would be the highest of all."""
    pictures, names = identities(40, 2, within=0.01)
    held = References(pictures[:, 0], names, names, pictures[:, 1], names, "l2")
    cut = held.threshold(0.05)
    assert isinstance(cut, float)
    off = ~np.eye(40, dtype=bool)
    assert 0.04 < held.accepted(cut)[off].mean() <= 0.05
    assert held.tmr_by_subject(cut).mean() == 1.0


def test_what_disagrees_is_refused() -> None:
    held = some("l2")
    known = (held.subjects, held.probes, held.probe_subjects, held.kind)
    with pytest.raises(ValueError, match="references 0 to 3 in order"):
        References(held.templates, held.together[::-1], *known)
    with pytest.raises(ValueError, match="references 0 to 3 in order"):
        References(held.templates, np.array([0, 1, 1, 1, 2, 2]), *known)
    with pytest.raises(ValueError, match="the subject of each probe"):
        References(held.templates[:5], held.together, *known)
    nobody = held.probe_subjects == "c"
    without = References(
        held.templates,
        held.together,
        held.subjects,
        held.probes[~nobody],
        held.probe_subjects[~nobody],
        held.kind,
    )
    with pytest.raises(ValueError, match="probes of the subjects"):
        without.tmr_by_subject(0.0)
