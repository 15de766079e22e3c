"""Small data sets and slow, plain counting that the fast code is held against."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import settings
from numpy.typing import NDArray

PROPERTY = settings(deadline=None, max_examples=30, derandomize=True)

Array = NDArray[Any]


def people(
    seed: int, n_subjects: int, most: int = 4, dim: int = 6, spread: float = 0.7
) -> tuple[Array, Array]:
    """Templates [N, dim] of subjects with one to ``most`` pictures in shuffled order."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), rng.integers(1, most + 1, n_subjects))
    rng.shuffle(subjects)
    centres = rng.normal(size=(n_subjects, dim))
    templates = centres[subjects] + spread * rng.normal(size=(len(subjects), dim))
    return templates.astype(np.float32), subjects


def one_score(a: Array, b: Array, kind: str) -> float:
    """The definition, in float64."""
    x, y = a.astype(float), b.astype(float)
    if kind == "l2":
        return -float(np.sqrt(((x - y) ** 2).sum()))
    size = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / size) if size else 0.0


def fmr_by_loops(templates: Array, subjects: Array, kind: str, threshold: float) -> float:
    """Mean over subject pairs of the accepted share of their picture pairs."""
    means = []
    for s, t in combinations(np.unique(subjects), 2):
        scores = [
            one_score(templates[i], templates[j], kind)
            for i in np.flatnonzero(subjects == s)
            for j in np.flatnonzero(subjects == t)
        ]
        means.append(np.mean([np.float32(x) >= np.float32(threshold) for x in scores]))
    return float(np.mean(means))
