from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.optimize import least_squares

from attacks.score_search import Prior, fit_prior, recover
from biometrics.errors import InputError
from biometrics.metrics.scores import Similarity, similarity_matrix

DIM = 16
KINDS: tuple[Similarity, ...] = ("cosine", "l2")
NEEDED = {"cosine": DIM, "l2": DIM + 1}
Array = NDArray[np.float64]


def templates(n: int, seed: int, dim: int = DIM) -> Array:
    """People in a space of unequal variances around a mean, as templates are."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(dim, dim)) * np.geomspace(1, 0.05, dim)
    return rng.normal(size=(n, dim)) @ mixing.T + np.linspace(0.5, -0.3, dim)


def ask(x: Array, known: Array, kind: Similarity, decimals: int | None = None) -> Array:
    """What the black box says, in double precision."""
    if kind == "cosine":
        unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, known)]
        scores = unit[0] @ unit[1].T
    else:
        scores = -np.linalg.norm(x[:, None] - known[None], axis=2)
    return scores if decimals is None else np.round(scores, decimals)


def error(found: NDArray[Any], x: Array, kind: Similarity) -> Array:
    """Distance to the truth; of the directions where only they can be known."""
    a, b = np.asarray(found, dtype=np.float64), x
    if kind == "cosine":
        a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    return np.linalg.norm(a - b, axis=1)


@pytest.fixture(scope="module")
def priors() -> dict[Similarity, Prior]:
    return {kind: fit_prior(templates(4000, 7), kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_prior", [False, True])
def test_enough_scores_give_the_template_and_one_less_does_not(
    kind: Similarity, with_prior: bool, priors: dict[Similarity, Prior]
) -> None:
    x, known = templates(30, 1), templates(NEEDED[kind], 2)
    prior = priors[kind] if with_prior else None
    exact = recover(ask(x, known, kind), known, kind, prior=prior)
    assert exact.dtype == np.float32
    assert error(exact, x, kind).max() < 1e-5
    fewer = recover(ask(x, known[:-1], kind), known[:-1], kind, prior=prior)
    assert np.median(error(fewer, x, kind)) > 1e-3
    more = templates(3 * DIM, 2)
    assert error(recover(ask(x, more, kind), more, kind, prior=prior), x, kind).max() < 1e-5


def test_the_length_is_not_in_the_cosine(priors: dict[Similarity, Prior]) -> None:
    x, known = templates(5, 1), templates(DIM, 2)
    scores = ask(x, known, "cosine")
    np.testing.assert_allclose(np.linalg.norm(recover(scores, known, "cosine"), axis=1), 1, 1e-6)
    lengths = np.linalg.norm(recover(scores, known, "cosine", prior=priors["cosine"]), axis=1)
    expected = np.linalg.norm(templates(4000, 7), axis=1).mean()
    np.testing.assert_allclose(lengths, expected, 1e-6)


@pytest.mark.parametrize("count", [3, 9, DIM, DIM + 1, 40])
def test_cosines_without_prior_are_numpys_smallest_least_squares(count: int) -> None:
    x, known = templates(6, 3), templates(count, 4)
    scores = ask(x, known, "cosine")
    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    expected = np.linalg.lstsq(unit, scores.T, rcond=None)[0].T
    assert error(recover(scores, known, "cosine"), expected, "cosine").max() < 1e-5


@pytest.mark.parametrize("count", [2, 3, 9, DIM + 1, 40])
def test_distances_without_prior_are_the_nearest_solution_to_the_mean_of_the_known(
    count: int,
) -> None:
    """The difference of two squared distances is linear in the template."""
    x, known = templates(6, 3), templates(count, 4)
    squares = ask(x, known, "l2") ** 2 - (known**2).sum(axis=1)
    left = -2 * (known[1:] - known[0])
    right = squares[:, 1:] - squares[:, :1]
    centre = known.mean(axis=0)
    step = np.linalg.lstsq(left, right.T - (left @ centre)[:, None], rcond=None)[0].T
    np.testing.assert_allclose(recover(ask(x, known, "l2"), known, "l2"), centre + step, atol=2e-5)


def test_distances_are_what_a_search_by_gradients_finds_too() -> None:
    x, known = templates(1, 3), templates(DIM + 4, 4)
    scores = ask(x, known, "l2")
    start = known.mean(axis=0)
    found = least_squares(lambda y: ask(y[None], known, "l2")[0] - scores[0], start, xtol=1e-14)
    np.testing.assert_allclose(recover(scores, known, "l2")[0], found.x, atol=1e-4)


@pytest.mark.parametrize(("decimals", "count"), [(2, 5), (2, 40), (1, 12), (3, 30)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_gives_the_conditional_mean(kind: Similarity, decimals: int, count: int) -> None:
    """The textbook formula for a joint normal distribution, by inverses."""
    faces, x, known = templates(2000, 5), templates(4, 6), templates(count, 8)
    scores = ask(x, known, kind, decimals)
    variance = np.full(count, 10.0 ** (-2 * decimals) / 12)
    if kind == "cosine":
        sample, matrix = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (faces, known))
        right = scores
    else:
        sample = np.column_stack([faces, (faces**2).sum(axis=1)])
        matrix = np.column_stack([-2 * known, np.ones(count)])
        right = scores**2 - (known**2).sum(axis=1)
        spread = ((known - faces.mean(axis=0)) ** 2).sum(axis=1) + np.trace(np.cov(faces.T))
        variance *= 4 * spread
    mean, covariance = sample.mean(axis=0), np.cov(sample.T)
    joint = matrix @ covariance @ matrix.T + np.diag(variance)
    expected = mean + (right - matrix @ mean) @ np.linalg.inv(joint) @ matrix @ covariance
    prior = Prior(kind, mean, np.real(sqrtm(covariance)), 1.0)
    got = recover(scores, known, kind, decimals=decimals, prior=prior)
    assert error(got, expected[:, :DIM], kind).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_that_is_known_is_weighed_as_rounding_is(
    kind: Similarity, priors: dict[Similarity, Prior]
) -> None:
    x, known = templates(5, 1), templates(30, 2)
    scores = ask(x, known, kind, 2)
    for prior in (priors[kind], None):
        rounded = recover(scores, known, kind, decimals=2, prior=prior)
        spread = 0.01 / 12**0.5
        for same in (spread, np.full(30, spread)):
            np.testing.assert_array_equal(
                recover(scores, known, kind, error=same, prior=prior), rounded
            )
    none = recover(scores, known, kind, error=0.0, prior=priors[kind])
    np.testing.assert_array_equal(none, recover(scores, known, kind, prior=priors[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_that_are_far_off_are_trusted_less(
    kind: Similarity, priors: dict[Similarity, Prior]
) -> None:
    x, known = templates(200, 1), templates(60, 2)
    off = np.where(np.arange(60) < 30, 1e-3, 0.3)
    scores = ask(x, known, kind) + off * np.random.default_rng(0).normal(size=(200, 60))
    means = {
        name: error(recover(scores, known, kind, error=e, prior=priors[kind]), x, kind).mean()
        for name, e in {"each": off, "none": 1e-3, "all": 0.3}.items()
    }
    assert means["each"] < 0.8 * min(means["none"], means["all"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_prior_has_the_moments_of_the_faces(kind: Similarity) -> None:
    faces = templates(200_000, 5)
    prior = fit_prior(faces, kind)
    if kind == "cosine":
        unknowns = faces / np.linalg.norm(faces, axis=1, keepdims=True)
    else:
        unknowns = np.column_stack([faces, (faces**2).sum(axis=1)])
    np.testing.assert_allclose(prior.mean, unknowns.mean(axis=0))
    scale = unknowns.std(axis=0)
    difference = (prior.root @ prior.root - np.cov(unknowns.T)) / np.outer(scale, scale)
    assert abs(difference).max() < 1e-3
    assert prior.length == pytest.approx(np.linalg.norm(faces, axis=1).mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decimals", [None, 2])
def test_more_scores_come_nearer(
    kind: Similarity, decimals: int | None, priors: dict[Similarity, Prior]
) -> None:
    x, known = templates(300, 1), templates(200, 2)
    errors = []
    for count in (2, 5, 8, 12, 17, 40, 200):
        scores = ask(x, known[:count], kind, decimals)
        got = recover(scores, known[:count], kind, decimals=decimals, prior=priors[kind])
        errors.append(error(got, x, kind).mean())
    falls = np.diff(errors)
    assert (falls[:4] < 0).all()
    assert (falls < 1e-5).all()  # exact ones stay exact


@pytest.mark.parametrize("kind", KINDS)
def test_finer_rounding_comes_nearer_and_saying_how_it_was_rounded_helps(
    kind: Similarity, priors: dict[Similarity, Prior]
) -> None:
    x, known = templates(300, 1), templates(NEEDED[kind], 2)
    told, untold, alone = [], [], []
    for decimals in (1, 2, 3, 5):
        scores = ask(x, known, kind, decimals)
        told.append(recover(scores, known, kind, decimals=decimals, prior=priors[kind]))
        untold.append(recover(scores, known, kind, prior=priors[kind]))
        alone.append(recover(scores, known, kind, decimals=decimals))
    means = [[error(f, x, kind).mean() for f in found] for found in (told, untold, alone)]
    assert (np.diff(means, axis=1) < 0).all()
    assert means[0][0] < 0.7 * means[1][0]  # square systems blow rounding up
    assert (np.array(means[0]) < 1.001 * np.array(means[2])).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [3, 10])
def test_a_prior_comes_nearer_than_none(
    kind: Similarity, count: int, priors: dict[Similarity, Prior]
) -> None:
    x, known = templates(300, 1), templates(count, 2)
    scores = ask(x, known, kind)
    means = [
        error(recover(scores, known, kind, prior=p), x, kind).mean() for p in (priors[kind], None)
    ]
    assert means[0] < 0.9 * means[1]


@pytest.mark.parametrize("kind", KINDS)
def test_unhelpful_scores_leave_what_is_believed(
    kind: Similarity, priors: dict[Similarity, Prior]
) -> None:
    """Equal known faces are one equation, however often they are asked."""
    x, known = templates(4, 1), templates(1, 2)
    many = np.repeat(known, 50, axis=0)
    once = recover(ask(x, known, kind), known, kind, prior=priors[kind])
    often = recover(ask(x, many, kind), many, kind, prior=priors[kind])
    np.testing.assert_allclose(once, often, atol=1e-5)
    if kind == "l2":
        np.testing.assert_allclose(
            recover(ask(x, many, kind), many, kind), many[:4], atol=1e-6, rtol=1e-6
        )


@pytest.mark.parametrize("kind", KINDS)
def test_templates_of_fewer_dimensions_than_numbers_do_not_blow_up(kind: Similarity) -> None:
    """Single precision leaves traces in directions that no template uses."""
    flat = np.random.default_rng(0).normal(size=(10, 24)) / 5
    x = (templates(50, 1, 10) @ flat).astype(np.float32)
    known = (templates(60, 2, 10) @ flat).astype(np.float32)
    prior = fit_prior((templates(4000, 3, 10) @ flat).astype(np.float32), kind)
    for count in (11, 24, 25, 60):
        scores = similarity_matrix(x, known[:count], kind)
        for given_prior in (None, prior):
            got = recover(scores, known[:count], kind, prior=given_prior)
            assert error(got, x.astype(np.float64), kind).mean() < 5e-3


@pytest.mark.parametrize("kind", KINDS)
def test_few_faces_of_the_attacker_forbid_no_direction(kind: Similarity) -> None:
    x, known = templates(20, 1), templates(NEEDED[kind], 2)
    prior = fit_prior(templates(5, 3), kind)
    assert error(recover(ask(x, known, kind), known, kind, prior=prior), x, kind).max() < 1e-4


def test_templates_of_length_one_have_a_squared_length_that_is_known() -> None:
    x, known, faces = (templates(n, s) for n, s in ((20, 1), (DIM + 1, 2), (500, 3)))
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, known, faces)]
    found = recover(ask(unit[0], unit[1], "l2"), unit[1], "l2", prior=fit_prior(unit[2], "l2"))
    assert error(found, unit[0], "l2").max() < 1e-5
    corners = np.concatenate([np.eye(DIM), -np.eye(DIM)])  # of exactly equal lengths
    assert np.isfinite(fit_prior(corners, "l2").root).all()


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    seed=st.integers(0, 2**16),
    kind=st.sampled_from(KINDS),
    count=st.integers(2, 30),
    with_prior=st.booleans(),
    decimals=st.sampled_from([None, 2]),
)
def test_turning_all_templates_turns_the_answer(
    seed: int, kind: Similarity, count: int, with_prior: bool, decimals: int | None
) -> None:
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    x, known, faces = (rng.normal(size=(n, 8)) + 0.3 for n in (3, count, 40))
    scores = ask(x, known, kind, decimals)

    def answer(matrix: Array) -> NDArray[np.float32]:
        prior = fit_prior(faces @ matrix, kind) if with_prior else None
        return recover(scores, known @ matrix, kind, decimals=decimals, prior=prior)

    np.testing.assert_allclose(answer(np.eye(8)) @ turn, answer(turn), atol=2e-4)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(seed=st.integers(0, 2**16), kind=st.sampled_from(KINDS), with_prior=st.booleans())
def test_the_order_of_faces_and_the_company_of_others_change_nothing(
    seed: int, kind: Similarity, with_prior: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, known, faces = (rng.normal(size=(n, 6)) for n in (4, 12, 30))
    prior = fit_prior(faces, kind) if with_prior else None
    scores, order = ask(x, known, kind, 2), rng.permutation(12)
    together = recover(scores, known, kind, decimals=2, prior=prior)
    shuffled = recover(scores[:, order], known[order], kind, decimals=2, prior=prior)
    np.testing.assert_allclose(together, shuffled, atol=1e-5)
    alone = [recover(scores[i : i + 1], known, kind, decimals=2, prior=prior) for i in range(4)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)


def test_nothing_that_was_given_is_changed(priors: dict[Similarity, Prior]) -> None:
    x, known = templates(3, 1), templates(9, 2)
    for kind in KINDS:
        scores = ask(x, known, kind)
        before = scores.copy(), known.copy()
        recover(scores, known, kind, prior=priors[kind])
        np.testing.assert_array_equal(scores, before[0])
        np.testing.assert_array_equal(known, before[1])


def test_what_does_not_fit_is_refused_in_words(priors: dict[Similarity, Prior]) -> None:
    known = templates(4, 1)
    scores = ask(templates(2, 2), known, "l2")
    with pytest.raises(InputError, match="3 scores a target, but 4 known templates"):
        recover(scores[:, :3], known, "l2")
    with pytest.raises(InputError, match="scores: 1 numbers are not finite"):
        recover(np.where(scores == scores[0, 0], np.nan, scores), known, "l2")
    with pytest.raises(InputError, match="known templates: expected a table"):
        recover(scores, known[0], "l2")
    with pytest.raises(InputError, match=r"16 unknowns for cosine scores.* need 17 for l2"):
        recover(scores, known, "l2", prior=priors["cosine"])
    for wrong in (-1.0, np.nan, np.ones(3), np.inf):
        with pytest.raises(InputError, match="error of 4 scores is one number from 0, or one of"):
            recover(scores, known, "l2", error=wrong)
    with pytest.raises(InputError, match="either decimals or an error"):
        recover(scores, known, "l2", error=0.1, decimals=2)
    with pytest.raises(InputError, match="two templates or more, got 1"):
        fit_prior(known[:1], "l2")
