"""Templates of made-up people for tests of protection."""

from __future__ import annotations

import numpy as np

from biometrics.protection.base import Enrolled, Vectors

DIM = 24


def crowd(n: int, seed: int, *, dim: int = DIM, pictures: int = 3) -> Enrolled:
    """Templates [n, dim] around a mean far from zero, of unequal and correlated numbers; so many
    pictures of each person follow each other."""
    mixing = np.random.default_rng(99).normal(size=(dim, dim)) * np.geomspace(1, 0.05, dim)
    random = np.random.default_rng(seed)
    whose = np.arange(n) // pictures
    rows = random.normal(size=(whose[-1] + 1, dim))[whose] + 0.4 * random.normal(size=(n, dim))
    vectors: Vectors = (rows @ mixing.T + np.linspace(2.0, -1.0, dim)).astype(np.float32)
    return Enrolled(vectors, np.array([f"s{place:04d}" for place in whose]))
