"""Thresholds and rates of matchers under keys, against loops over every pair."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from biometrics.metrics import keyed_verification
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.keyed_verification import (
    acceptance_under_keys,
    genuine_key_threshold,
    stolen_key_thresholds,
)
from biometrics.metrics.pairs import group
from biometrics.metrics.verification import Threshold, nonmated_threshold

SUBJECTS, DIM, KEYS = 40, 6, 4
FMR = 0.1

Vectors = NDArray[np.float32]


def people() -> tuple[Vectors, NDArray[np.str_]]:
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 4, SUBJECTS)
    names = np.repeat([f"s{i:02d}" for i in range(SUBJECTS)], counts)
    order = rng.permutation(len(names))
    return rng.standard_normal((len(names), DIM)).astype(np.float32), names[order]


def under(vectors: Vectors) -> Callable[[int], Vectors]:
    """Each key weighs the values differently."""

    def protect(key: int) -> Vectors:
        weights = np.random.default_rng(100 + key).uniform(0.1, 3.0, DIM)
        return (vectors * weights).astype(np.float32)

    return protect


def cosine(a: Vectors, b: Vectors) -> np.float32:
    x, y = a.astype(np.float64), b.astype(np.float64)
    return np.float32(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


def test_the_stolen_key_threshold_lets_in_what_was_asked_for() -> None:
    vectors, names = people()
    protect = under(vectors)
    (found,) = stolen_key_thresholds(protect, range(KEYS), group(names), "cosine", [FMR])
    assert isinstance(found, Threshold)
    subjects = sorted(set(names))

    def rate(threshold: float) -> float:
        total = 0.0
        for key in range(KEYS):
            rows = protect(key)
            for one, two in combinations(subjects, 2):
                scores = [cosine(a, b) for a in rows[names == one] for b in rows[names == two]]
                total += float(np.mean([score >= threshold for score in scores]))
        return total / KEYS / len(list(combinations(subjects, 2)))

    assert rate(found.value) == pytest.approx(found.realised, abs=1e-9)
    assert rate(found.value) <= FMR
    assert rate(float(np.nextafter(np.float32(found.value), np.float32(-1)))) > FMR - 1e-9


def test_scores_that_do_not_fit_into_memory_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, names = people()
    made: list[int] = []

    def protect(key: int) -> Vectors:
        made.append(key)
        return under(vectors)(key)

    known = (protect, range(KEYS), group(names), "cosine", [FMR, 0.5])
    kept = stolen_key_thresholds(*known)
    once = len(made)
    monkeypatch.setattr(keyed_verification, "KEPT", 1)
    assert stolen_key_thresholds(*known) == kept
    assert len(made) - once > 2 * once


def test_one_key_is_the_threshold_of_any_matcher() -> None:
    vectors, names = people()
    found = stolen_key_thresholds(lambda _: vectors, [0], group(names), "l2", [FMR, 0.5])
    assert found == [nonmated_threshold(vectors, names, "l2", fmr) for fmr in (FMR, 0.5)]


def test_genuine_keys_compare_only_people_with_different_keys() -> None:
    vectors, names = people()
    groups = group(names)
    subjects = sorted(set(names))
    keys = np.random.default_rng(5).integers(0, KEYS, SUBJECTS)
    protect = under(vectors)
    rows = np.stack([protect(int(keys[groups.index[i]]))[i] for i in range(len(names))])
    found = genuine_key_threshold(rows, groups, keys, "cosine", FMR)
    assert isinstance(found, Threshold)
    shares = []
    for i, j in combinations(range(SUBJECTS), 2):
        if keys[i] != keys[j]:
            mine, theirs = rows[names == subjects[i]], rows[names == subjects[j]]
            shares.append(np.mean([[cosine(a, b) >= found.value for b in theirs] for a in mine]))
    assert found.n_subject_pairs == len(shares)
    assert float(np.mean(shares)) == pytest.approx(found.realised, abs=1e-9)
    assert found.realised <= FMR


def test_without_two_keys_there_is_no_genuine_key_threshold() -> None:
    vectors, names = people()
    same = np.zeros(SUBJECTS, dtype=np.int64)
    found = genuine_key_threshold(vectors, group(names), same, "cosine", FMR)
    assert found == NotMeasured("all people have one key")


def test_acceptance_tries_every_probe_under_the_key_of_the_stored_template() -> None:
    vectors, names = people()
    groups = group(names)
    rng = np.random.default_rng(8)
    keys = rng.integers(0, KEYS, SUBJECTS)[groups.index]
    probes = vectors + rng.standard_normal(vectors.shape).astype(np.float32)
    stored = np.stack([under(vectors)(int(k))[i] for i, k in enumerate(keys)])
    usable = rng.random(len(names)) < 0.8
    cuts = [0.3, 0.7]
    found = acceptance_under_keys(under(probes), stored, keys, groups, "cosine", cuts, usable)
    subjects = sorted(set(names))
    for i, one in enumerate(subjects):
        for j, two in enumerate(subjects):
            scores = [
                cosine(under(probes)(int(keys[b]))[a], stored[b]) if usable[a] else -2.0
                for a in np.flatnonzero(names == one)
                for b in np.flatnonzero(names == two)
            ]
            for place, cut in enumerate(cuts):
                share = np.mean([score >= cut for score in scores])
                assert found[place, i, j] == pytest.approx(share, abs=1e-9)
