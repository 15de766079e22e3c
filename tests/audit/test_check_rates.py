"""TMR and separation of some templates, and their bootstrap draws, by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.check_rates import Comparisons
from biometrics.backbones.base import Similarity
from biometrics.metrics.scores import similarity_matrix

PEOPLE = 30


@pytest.fixture(scope="module")
def comparisons() -> Comparisons:
    """Of people with one to three pictures, in no order."""
    draw = np.random.default_rng(1)
    names = np.repeat([f"p{i:02d}" for i in range(PEOPLE)], np.arange(PEOPLE) % 3 + 1)
    return Comparisons(draw.permutation(names), seed=3)


def vectors_of(comparisons: Comparisons, *, noise: float = 0.5) -> NDArray[np.float32]:
    draw = np.random.default_rng(0)
    means = draw.standard_normal((PEOPLE, 5))[comparisons.groups.index]
    return (means + noise * draw.standard_normal(means.shape)).astype(np.float32)


def apart(scores: NDArray[np.float64], who: NDArray[np.intp], taken: NDArray[np.float32]) -> float:
    """d' from the lists of all scores, each with its weight."""
    i, j = np.triu_indices(len(who), 1)
    count = np.bincount(who)
    own = who[i] == who[j]
    pairs_each = count * (count - 1) / 2
    weight = np.where(
        own,
        taken[who[i]] / np.maximum(pairs_each[who[i]], 1),
        taken[who[i]] * taken[who[j]] / (count[who[i]] * count[who[j]]),
    )
    spread, middle = [], []
    for kind in (own, ~own):
        mean = np.average(scores[i, j][kind], weights=weight[kind])
        middle.append(mean)
        spread.append(np.average((scores[i, j][kind] - mean) ** 2, weights=weight[kind]))
    return float((middle[0] - middle[1]) / np.sqrt(np.mean(spread)))


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_separation_and_its_draws(comparisons: Comparisons, kind: Similarity) -> None:
    vectors = vectors_of(comparisons)
    measured = comparisons.measure(vectors, kind)
    scores = similarity_matrix(vectors, vectors, kind).astype(np.float64)
    who = comparisons.groups.index
    everybody = np.ones(PEOPLE, dtype=np.float32)
    assert measured.separation == pytest.approx(apart(scores, who, everybody), rel=1e-4)
    for draw in (0, 1, 1999):
        expected = apart(scores, who, comparisons.counts[draw])
        assert measured.separation_draws[draw] == pytest.approx(expected, rel=1e-4)


def test_separation_is_that_of_the_distributions() -> None:
    """Scores of +1 and -1 by chance for strangers, always +1 for one person: d' = sqrt(2)."""
    comparisons = Comparisons(np.repeat([f"p{i:03d}" for i in range(400)], 2), seed=0)
    sign = np.random.default_rng(0).choice([-1.0, 1.0], 400).repeat(2)
    vectors = np.stack([sign, np.zeros(800)], axis=1).astype(np.float32)
    measured = comparisons.measure(vectors, "cosine")
    assert measured.separation == pytest.approx(2**0.5, rel=0.02)


def test_separation_does_not_change_with_the_scale_and_is_zero_where_nothing_scatters(
    comparisons: Comparisons,
) -> None:
    vectors = vectors_of(comparisons)
    one, thousand = (comparisons.measure(s * vectors, "l2") for s in (1, 1000))
    assert one.separation == pytest.approx(thousand.separation, rel=1e-3)
    nothing = comparisons.measure(np.ones_like(vectors), "cosine")
    assert nothing.separation == 0
    assert not nothing.separation_draws.any()


def test_less_noise_is_further_apart(comparisons: Comparisons) -> None:
    found = [
        comparisons.measure(vectors_of(comparisons, noise=noise), "cosine").separation
        for noise in (0.2, 0.5, 1.0)
    ]
    assert found == sorted(found, reverse=True)


def test_the_thresholds_of_the_draws_hold_the_rate(comparisons: Comparisons) -> None:
    """In each draw, subjects are repeated as often as they were taken."""
    vectors = vectors_of(comparisons)
    scores = (vectors @ vectors.T).astype(np.float32)
    thresholds = comparisons._thresholds(scores)
    who = comparisons.groups.index
    count = comparisons.groups.counts
    i, j = np.nonzero(who[:, None] < who[None, :])
    for draw in (0, 1, 1999):
        taken = comparisons.counts[draw]
        weight = taken[who[i]] * taken[who[j]] / (count[who[i]] * count[who[j]])

        def rate(threshold: float, weight: NDArray[np.float64] = weight) -> float:
            return float(weight[scores[i, j] >= threshold].sum() / weight.sum())

        assert rate(thresholds[draw]) <= comparisons.fmr + 1e-6
        assert rate(np.nextafter(thresholds[draw], np.float32(-np.inf))) > comparisons.fmr - 1e-6
