"""The map that undoes a transform, and how its penalty is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from audit.stress.undo import PENALTIES, separation, undoing

DIM = 12


def test_separation_is_the_gap_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 400))
    scores[np.eye(400, dtype=bool)] += 3.0
    assert separation(scores) == pytest.approx(3.0, abs=0.2)
    assert separation(np.ones((3, 3))) == 0.0


def test_a_linear_transform_is_undone_and_needs_no_penalty() -> None:
    rng = np.random.default_rng(1)
    clean = rng.normal(size=(300, DIM)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    found = undoing((clean @ turn).astype(np.float32), clean, "l2", seed=0)
    assert found.ridge == PENALTIES[0]
    new = rng.normal(size=(50, DIM)).astype(np.float32)
    assert np.abs(found.apply((new @ turn).astype(np.float32)) - new).max() < 0.01


def test_few_noisy_pairs_take_a_penalty() -> None:
    rng = np.random.default_rng(2)
    clean = rng.normal(size=(40, 30)).astype(np.float32)
    noisy = (clean + 2.0 * rng.normal(size=clean.shape)).astype(np.float32)
    assert undoing(noisy, clean, "l2", seed=0).ridge > PENALTIES[1]


def test_the_same_pairs_and_seed_give_the_same_map() -> None:
    rng = np.random.default_rng(3)
    clean = rng.normal(size=(60, DIM)).astype(np.float32)
    moved = np.roll(clean, 1, axis=1)
    first, again = (undoing(moved, clean, "cosine", seed=5) for _ in range(2))
    assert np.array_equal(first.weights, again.weights)
    assert first.unit
