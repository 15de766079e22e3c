from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from attacks.decision_search import SOFTNESS, recover_from_decisions
from attacks.score_search import Prior, fit_prior
from biometrics.errors import InputError
from biometrics.metrics.scores import Similarity, similarity_matrix

DIM = 16
KINDS: tuple[Similarity, ...] = ("cosine", "l2")
Array = NDArray[np.float64]


def people(n: int, seed: int) -> Array:
    """Templates of unequal variances around zero."""
    return np.random.default_rng(seed).normal(size=(n, DIM)) * np.geomspace(1.0, 0.2, DIM)


def directions(x: NDArray[Any]) -> Array:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype=np.float64)


def alike(found: NDArray[Any], x: Array) -> float:
    return float((directions(found) * directions(x)).sum(axis=1).mean())


@pytest.fixture(scope="module")
def priors() -> dict[Similarity, Prior]:
    return {kind: fit_prior(people(4000, 7), kind) for kind in KINDS}


def threshold_at(kind: Similarity, fmr: float) -> float:
    scores = similarity_matrix(people(800, 11), people(800, 12), kind)
    return float(np.quantile(scores, 1.0 - fmr))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [0.0, 0.3])
def test_the_answer_is_the_highest_point_of_the_posterior(
    kind: Similarity, error: float, priors: dict[Similarity, Prior]
) -> None:
    """A general minimiser of minus the logarithm of the posterior, one target at a time."""
    x, known, prior = people(3, 1), people(25, 2), priors[kind]
    cut = threshold_at(kind, 0.2)
    accepted = similarity_matrix(x, known, kind) >= cut
    found = recover_from_decisions(accepted, known, prior, threshold=cut, error=error)
    if kind == "cosine":
        matrix, level, spread = directions(known), np.full(25, cut), np.full(25, error)
    else:  # minus the squared distance against minus the square of the threshold
        matrix = np.column_stack([2 * known, -np.ones(25)])
        level = (known**2).sum(axis=1) - cut**2
        spread = np.full(25, 2 * abs(cut) * error)
    softness = np.hypot(spread, SOFTNESS * np.linalg.norm(matrix @ prior.root, axis=1))
    for yes, got in zip(accepted, found, strict=True):

        def loss(z: Array, yes: Any = yes) -> float:
            reach = (matrix @ (prior.mean + prior.root @ z) - level) / softness
            return float(0.5 * z @ z - norm.logcdf(np.where(yes, reach, -reach)).sum())

        best = minimize(loss, np.zeros(len(prior.mean)), method="BFGS")
        expected = (prior.mean + prior.root @ best.x)[:DIM]
        if kind == "cosine":
            expected = expected * prior.length / max(1.0, float(np.linalg.norm(expected)))
        np.testing.assert_allclose(got, expected, atol=6e-3 * prior.length)


@pytest.mark.parametrize("kind", KINDS)
def test_more_answers_come_nearer(kind: Similarity, priors: dict[Similarity, Prior]) -> None:
    x, known, cut = people(60, 1), people(600, 2), threshold_at(kind, 0.1)
    accepted = similarity_matrix(x, known, kind) >= cut
    near = [
        alike(recover_from_decisions(accepted[:, :m], known[:m], priors[kind], threshold=cut), x)
        for m in (10, 50, 200, 600)
    ]
    assert (np.diff(near) > 0.03).all()
    assert near[-1] > 0.9
    weighted = (accepted - accepted.mean()) @ directions(known)
    assert near[-1] > alike(weighted, x)


def test_rare_acceptance_still_tells_more_than_the_mean(priors: dict[Similarity, Prior]) -> None:
    x, known, cut = people(60, 1), people(600, 2), threshold_at("cosine", 0.01)
    accepted = similarity_matrix(x, known, "cosine") >= cut
    found = recover_from_decisions(accepted, known, priors["cosine"], threshold=cut)
    assert alike(found, x) > 0.6
    assert alike(found[::-1], x) < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_accepted_the_answer_stays_near_the_mean(
    kind: Similarity, priors: dict[Similarity, Prior]
) -> None:
    known, cut = people(50, 2), threshold_at(kind, 1e-3)
    prior = priors[kind]
    found = recover_from_decisions(np.zeros((2, 50), dtype=bool), known, prior, threshold=cut)
    mean = prior.mean[:DIM] * (prior.length if kind == "cosine" else 1.0)
    assert np.linalg.norm(found - mean, axis=1).max() < 0.15 * prior.length
    np.testing.assert_array_equal(found[0], found[1])


def test_a_lone_rejection_points_away(priors: dict[Similarity, Prior]) -> None:
    known = people(1, 2)
    found = {
        answer: recover_from_decisions(
            np.array([[answer]]), known, priors["cosine"], threshold=0.0, error=0.1
        )
        for answer in (False, True)
    }
    assert alike(found[True], known) > 0.5
    assert alike(found[False], known) < -0.5


def test_uncertain_answers_move_less(priors: dict[Similarity, Prior]) -> None:
    x, known, cut = people(20, 1), people(100, 2), threshold_at("cosine", 0.05)
    accepted = similarity_matrix(x, known, "cosine") >= cut
    lengths = [
        np.linalg.norm(
            recover_from_decisions(accepted, known, priors["cosine"], threshold=cut, error=e),
            axis=1,
        ).mean()
        for e in (0.0, 0.5, 5.0, 500.0)
    ]
    assert (np.diff(lengths) < 0).all()
    assert lengths[0] <= priors["cosine"].length
    assert lengths[-1] < 0.05 * priors["cosine"].length


def test_others_in_the_batch_change_little(priors: dict[Similarity, Prior]) -> None:
    x, known, cut = people(6, 1), people(80, 2), threshold_at("l2", 0.1)
    accepted = similarity_matrix(x, known, "l2") >= cut
    together = recover_from_decisions(accepted, known, priors["l2"], threshold=cut)
    alone = [
        recover_from_decisions(accepted[i : i + 1], known, priors["l2"], threshold=cut)
        for i in range(6)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=0.02)


def test_what_does_not_fit_is_refused_in_words(priors: dict[Similarity, Prior]) -> None:
    known, prior = people(4, 1), priors["cosine"]
    yes = np.ones((2, 4), dtype=bool)
    with pytest.raises(InputError, match=r"yes or no \[N, 4\], got bool \[2, 3\]"):
        recover_from_decisions(yes[:, :3], known, prior, threshold=0.5)
    with pytest.raises(InputError, match=r"yes or no \[N, 4\], got float64"):
        recover_from_decisions(yes.astype(float), known, prior, threshold=0.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="templates of 16 values, got 15"):
        recover_from_decisions(yes, known[:, :15], prior, threshold=0.5)
    with pytest.raises(InputError, match="no threshold and error"):
        recover_from_decisions(yes, known, prior, threshold=0.5, error=-1.0)
