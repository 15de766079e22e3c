from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.protected_scores import ScoreSearch, calibrate, search_scores
from biometrics.errors import InputError
from biometrics.metrics.scores import Similarity, similarity_matrix
from biometrics.protection.base import (
    Centred,
    Enrolled,
    Family,
    ProtectionScheme,
    SchemeSettings,
    Vectors,
    key_stream,
)
from biometrics.protection.identity import Unprotected

DIM = 24
KEYS = range(1000, 1012)


def people(n: int, seed: int) -> Vectors:
    """Templates that share a large common part."""
    rng = np.random.default_rng(seed)
    common = np.linspace(1.0, -0.5, DIM)
    rows = rng.normal(size=(n, DIM)) * np.geomspace(0.5, 0.15, DIM) + common
    return np.asarray(rows, dtype=np.float32)


class Turned(Centred):
    """A square orthonormal matrix for each key."""

    family: ClassVar[Family] = "keyed"
    keyed: ClassVar[bool] = True
    source: ClassVar[str] = "a test"

    @property
    def stored_bits(self) -> int:
        return 32 * self.dim

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        turn = np.linalg.qr(key_stream("turned", key).normal(size=(self.dim, self.dim)))[0]
        return (self.directions(vectors) @ turn).astype(np.float32)


class Bits(Turned):
    """Signs of Gaussian projections: their agreement falls with the angle."""

    bits = 256

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        matrix = key_stream("bits", key).normal(size=(self.dim, self.bits))
        return np.sign(self.directions(vectors) @ matrix).astype(np.float32)


class Noise(Turned):
    """Nothing of the template is left."""

    def _protect(self, vectors: Vectors, key: int) -> Vectors:
        seeds = (vectors * 1000).astype(np.int64).sum(axis=1)
        rows = [np.random.default_rng([key, abs(int(s))]).normal(size=self.dim) for s in seeds]
        return np.array(rows, dtype=np.float32)


def made(
    kind: type[ProtectionScheme], similarity: Similarity = "cosine", same_mean: bool = True
) -> ProtectionScheme:
    rows = people(1500, 7) if same_mean else people(300, 8)
    fitted = kind(SchemeSettings(), DIM, similarity)
    return fitted.fit(Enrolled(rows, np.arange(len(rows)).astype(str)))


def ask(scheme: ProtectionScheme, x: Vectors, known: Vectors) -> NDArray[np.float32]:
    """Scores of victims under four keys, as the matcher gives them."""
    scores = np.empty((len(x), len(known)), dtype=np.float32)
    for key in range(4):
        rows = slice(key, None, 4)
        scores[rows] = similarity_matrix(
            scheme.protect(x[rows], key), scheme.protect(known, key), scheme.comparator
        )
    return scores


def cosine(found: NDArray[Any], x: Vectors) -> float:
    """Of templates less the mean."""
    a, b = (v.astype(float) - people(1500, 7).mean(axis=0) for v in (found, x))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / lengths).mean())


@pytest.fixture(scope="module")
def own() -> Vectors:
    return people(1500, 7)


# --- calibration -------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.05, 0.3, 1.0])
def test_a_noisy_line_is_undone_to_the_similarity_plus_noise(noise: float) -> None:
    """protected = 3 + 2 s + 2 e: then the best equation is s + e, whatever the spread of s."""
    rng = np.random.default_rng(0)
    plain = rng.normal(0.2, 0.4, 200_000)
    protected = 3 + 2 * (plain + noise * rng.normal(size=len(plain)))
    got = calibrate(protected, plain)
    assert got.straight
    assert got.error == pytest.approx(noise, rel=0.02)
    assert got.explained == pytest.approx(0.16 / (0.16 + noise**2), rel=0.02)
    probes = np.array([2.0, 3.4, 5.0, 9.0])
    np.testing.assert_allclose(got.undo(probes), (probes - 3) / 2, atol=0.03)


@pytest.mark.parametrize("bend", [np.exp, np.arctan, lambda s: s**3])
def test_a_bent_scale_is_undone(bend: Callable[[Any], Any]) -> None:
    plain = np.random.default_rng(1).normal(size=50_000)
    got = calibrate(bend(plain), plain)
    probes = np.linspace(-2, 2, 9)
    assert not got.straight
    assert got.error < 0.01
    np.testing.assert_allclose(got.undo(bend(probes)), probes, atol=0.02)
    assert got.undo(np.array([1e6]))[0] == pytest.approx(plain.max(), abs=0.05)


def test_scores_that_say_nothing_are_not_believed() -> None:
    rng = np.random.default_rng(2)
    plain = rng.normal(size=20_000)
    got = calibrate(rng.normal(size=20_000), plain)
    assert got.explained < 0.01
    assert got.error > 5 * plain.std()


def test_scores_of_the_wrong_sign_mean_nothing() -> None:
    plain = np.linspace(0, 1, 1000)
    assert calibrate(-plain, plain).explained <= 1e-6


# --- scores ------------------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", ["cosine", "l2"])
def test_unprotected_scores_give_the_template(similarity: Similarity, own: Vectors) -> None:
    scheme, x, known = made(Unprotected, similarity), people(20, 1), people(3 * DIM, 2)
    search = search_scores(scheme, own, KEYS)
    assert (search.similarity, search.centred) == (similarity, False)
    assert search.calibration is not None
    assert search.calibration.straight
    assert search.calibration.error < 1e-5
    found = search.recover(ask(scheme, x, known), known)
    assert found.dtype == np.float32
    a, b = found.astype(float), x.astype(float)
    if similarity == "cosine":
        a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    assert np.linalg.norm(a - b, axis=1).max() < (1e-5 if similarity == "cosine" else 1e-3)


def test_without_calibration_scores_are_taken_as_they_are(own: Vectors) -> None:
    x, known = people(20, 1).astype(float), people(DIM, 2).astype(float)
    lengths = [np.linalg.norm(v, axis=1, keepdims=True) for v in (x, known)]
    scores = (x / lengths[0]) @ (known / lengths[1]).T
    found = ScoreSearch(own, "cosine").recover(scores, known)
    assert (
        np.abs(found / np.linalg.norm(found, axis=1, keepdims=True) - x / lengths[0]).max() < 1e-5
    )


def test_an_unknown_turn_protects_nothing(own: Vectors) -> None:
    scheme, x, known = made(Turned), people(40, 1), people(3 * DIM, 2)
    search = search_scores(scheme, own, KEYS)
    assert search.centred
    found = search.recover(ask(scheme, x, known), known)
    plain = ScoreSearch(own, "cosine", centred=True)
    same = plain.recover(plain.plain(x, known), known)
    assert cosine(found, x) > 0.99999
    np.testing.assert_allclose(found, same, atol=1e-4)
    lengths = np.linalg.norm(found - own.mean(axis=0), axis=1)
    expected = np.linalg.norm(own - own.mean(axis=0), axis=1).mean()
    np.testing.assert_allclose(lengths, expected, rtol=1e-4)


def test_a_mean_of_other_people_is_near_enough(own: Vectors) -> None:
    scheme, x, known = made(Turned, same_mean=False), people(40, 1), people(10 * DIM, 2)
    found = search_scores(scheme, own, KEYS).recover(ask(scheme, x, known), known)
    assert cosine(found, x) > 0.98


def test_bits_leak_the_more_the_more_there_are_and_the_more_is_asked(own: Vectors) -> None:
    x, known = people(100, 1), people(600, 2)
    scheme = made(Bits)
    search = search_scores(scheme, own, KEYS)
    scores = ask(scheme, x, known)
    by_count = [cosine(search.recover(scores[:, :m], known[:m]), x) for m in (5, 20, 100, 600)]
    assert (np.diff(by_count) > [0.1, 0.05, 0.0]).all()
    assert by_count[-1] > 0.9
    by_bits = []
    for bits in (16, 64, 256, 1024):
        assert isinstance(scheme, Bits)
        scheme.bits = bits
        trained = search_scores(scheme, own, KEYS)
        by_bits.append(cosine(trained.recover(ask(scheme, x, known), known), x))
    assert (np.diff(by_bits) > 0.01).all()


def test_knowing_how_far_scores_are_off_helps(own: Vectors) -> None:
    scheme, x, known = made(Bits), people(100, 1), people(DIM, 2)
    search = search_scores(scheme, own, KEYS)
    scores = ask(scheme, x, known)
    naive = ScoreSearch(own, "cosine", centred=True).recover(scores, known)
    assert cosine(search.recover(scores, known), x) > cosine(naive, x) + 0.05


def test_scores_of_noise_give_nothing(own: Vectors) -> None:
    scheme, x, known = made(Noise), people(100, 1), people(200, 2)
    search = search_scores(scheme, own, KEYS)
    assert search.calibration is not None
    assert search.calibration.explained < 0.01
    assert abs(cosine(search.recover(ask(scheme, x, known), known), x)) < 0.15


# --- decisions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Turned, Bits])
@pytest.mark.parametrize(("fmr", "least"), [(0.1, 0.8), (0.01, 0.55)])
def test_decisions_give_far_more_than_the_mean(
    kind: type[ProtectionScheme], fmr: float, least: float, own: Vectors
) -> None:
    scheme, x, known = made(kind), people(100, 1), people(600, 2)
    search = search_scores(scheme, own, KEYS)
    cut = float(np.quantile(ask(scheme, people(200, 3), people(200, 4)), 1 - fmr))
    accepted = ask(scheme, x, known) >= cut
    found = search.recover_from_decisions(accepted, known, threshold=cut)
    assert found.shape == x.shape
    assert cosine(found, x) > least
    assert abs(cosine(found[::-1], x)) < 0.2
    none = search.recover_from_decisions(np.zeros_like(accepted), known, threshold=cut)
    nearness = np.linalg.norm(none - own.mean(axis=0), axis=1) / search.prior.length
    assert nearness.max() < 0.4


def test_a_threshold_is_read_on_the_scale_of_the_protected_scores(own: Vectors) -> None:
    x, known = people(20, 1), people(200, 2)
    plain = ScoreSearch(own, "cosine", centred=True)
    pairs = plain.plain(own[:300], own[300:600])
    bent = ScoreSearch(own, "cosine", centred=True).calibrate(np.exp(3 * pairs), pairs)
    accepted = plain.plain(x, known) >= 0.3
    expected = plain.recover_from_decisions(accepted, known, threshold=0.3)
    found = bent.recover_from_decisions(accepted, known, threshold=float(np.exp(0.9)))
    np.testing.assert_allclose(found, expected, atol=5e-3)


# --- what is refused ---------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_attacker(own: Vectors) -> None:
    scheme = made(Bits)
    first, again = (search_scores(scheme, own, KEYS, sample=30, seed=1) for _ in range(2))
    other = search_scores(scheme, own, KEYS, sample=30, seed=2)
    assert first.calibration is not None
    assert again.calibration is not None
    assert other.calibration is not None
    assert first.calibration.error == again.calibration.error != other.calibration.error


def test_what_does_not_fit_is_refused_in_words(own: Vectors) -> None:
    with pytest.raises(InputError, match="cannot calibrate 2 protected scores on 3 plain ones"):
        calibrate(np.zeros(2), np.zeros(3))
    with pytest.raises(InputError, match="must differ"):
        calibrate(np.zeros(3), np.arange(3.0))
    with pytest.raises(InputError, match="four templates or more, got 3"):
        search_scores(made(Turned), own[:3], KEYS)
    with pytest.raises(InputError, match="needs a key"):
        search_scores(made(Turned), own, [])
    with pytest.raises(InputError, match="2 scores a target, but 3 known"):
        ScoreSearch(own, "cosine").recover(np.zeros((1, 2)), own[:3])
