"""Templates whose directions are spread evenly, or as faces' are, and attacks on them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.preimage.base import PREIMAGES, Population
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import Vectors, make_scheme


@cache
def templates(count: int, dim: int, seed: int, correlated: bool) -> Vectors:
    """Unit vectors around zero. Correlated: variances fall as 1, 1/2, 1/3, … along random axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(5).standard_normal((dim, dim)))[0]
    spread = np.arange(1, dim + 1) ** (-0.5 if correlated else 0.0)
    rows = rng.standard_normal((count, dim)) * spread @ axes.T
    vectors: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    vectors.flags.writeable = False
    return vectors


def cosines(
    attack: str,
    values: dict[str, Any],
    *,
    count: int = 150,
    records: int = 1,
    correlated: bool = False,
    dim: int = 128,
) -> NDArray[np.float32]:
    """Of recovered templates with the true ones; as many records of each, under different keys of
    20, all known."""
    kind, each = PREIMAGES.get(attack), np.tile(np.arange(20), (count, 1))
    keys = np.random.default_rng(0).permuted(each, axis=1)[:, :records]
    scheme = make_scheme(kind.scheme_name, values, dim, "cosine")
    leaked = templates(count, dim, 2, correlated)
    protected = np.stack([scheme.protect_each(leaked, some) for some in keys.T], axis=1)
    population = Population.of(templates(1500, dim, 1, correlated))
    return paired_similarity(kind(scheme, population).recover(protected, keys), leaked, "cosine")
