"""How two templates are compared. Every score is a similarity: the cosine, or minus the distance.

Scores are float32 everywhere, and so are thresholds made from them: a float64 threshold that is
"just above" a float32 score could round back onto it and accept what it should reject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Similarity = Literal["cosine", "l2"]
"""The cosine in [-1, 1], or minus the Euclidean distance; accepted when score >= threshold."""

BLOCK_ELEMENTS = 1 << 22
"""Scores worked on at a time; bounds the float64 temporaries to some tens of MB."""

NEAR = 1e-6
"""Share of |a|² + |b|² below which |a - b|² is computed again from the difference: the expansion
|a|² + |b|² - 2ab loses all its digits there."""


def similarity_matrix(
    a: NDArray[np.floating], b: NDArray[np.floating], kind: Similarity
) -> NDArray[np.float32]:
    """Scores of every row of ``a`` [N, D] against every row of ``b`` [M, D], float32 [N, M].

    Sums run in float64, in blocks of rows. A zero vector has cosine 0 with everything, itself
    included. A row that is not finite scores NaN against everything, so it is never accepted.

    Raises:
        ValueError: where the dimensions disagree or ``kind`` is unknown.
    """
    return comparer(b, kind)(a)


def comparer(
    b: NDArray[np.floating], kind: Similarity
) -> Callable[[NDArray[np.floating]], NDArray[np.float32]]:
    """:func:`similarity_matrix` of any rows against ``b`` [M, D], which is prepared once."""
    right = _prepare(b, kind)

    def compare(a: NDArray[np.floating]) -> NDArray[np.float32]:
        left = _prepare(a, kind)
        if left.rows.shape[1] != right.rows.shape[1]:
            raise ValueError(f"templates of {left.rows.shape[1]} and {right.rows.shape[1]} numbers")
        scores = np.empty((len(left.rows), len(right.rows)), dtype=np.float32)
        for block in row_blocks(len(left.rows), len(right.rows)):
            scores[block] = _compare(left.rows[block], right.rows, kind)
        scores[left.bad] = np.nan
        scores[:, right.bad] = np.nan
        return scores

    return compare


def paired_similarity(
    a: NDArray[np.floating], b: NDArray[np.floating], kind: Similarity
) -> NDArray[np.float32]:
    """Scores of row i of ``a`` [N, D] against row i of ``b`` [N, D], float32 [N].

    Zero vectors and rows that are not finite are treated as in :func:`similarity_matrix`.

    Raises:
        ValueError: where the shapes disagree or ``kind`` is unknown.
    """
    left, right = _prepare(a, kind), _prepare(b, kind)
    if left.rows.shape != right.rows.shape:
        raise ValueError(f"cannot pair templates {left.rows.shape} with {right.rows.shape}")
    scores = _compare_rows(left.rows, right.rows, kind).astype(np.float32)
    scores[left.bad | right.bad] = np.nan
    return scores


def pair_scores(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
    kind: Similarity,
) -> NDArray[np.float32]:
    """Scores of ``a[i]`` against ``b[j]`` for the listed pairs ``(i [P], j [P])``, float32 [P]."""
    first, second = pairs
    scores = np.empty(len(first), dtype=np.float32)
    for block in row_blocks(len(first), a.shape[1]):
        scores[block] = paired_similarity(a[first[block]], b[second[block]], kind)
    return scores


def row_blocks(rows: int, width: int) -> Iterator[slice]:
    """Slices that cut ``rows`` rows of ``width`` numbers into blocks of bounded size."""
    step = max(1, BLOCK_ELEMENTS // max(1, width))
    yield from (slice(start, min(start + step, rows)) for start in range(0, rows, step))


class _Rows(NamedTuple):
    """Templates ready to compare: float64 rows (unit length for the cosine), and which are bad."""

    rows: NDArray[np.float64]
    bad: NDArray[np.bool_]


def _prepare(templates: NDArray[Any], kind: Similarity) -> _Rows:
    if kind not in ("cosine", "l2"):
        raise ValueError(f"unknown similarity '{kind}'; known: cosine, l2")
    if templates.ndim != 2:
        raise ValueError(f"templates must be [N, D], got {list(templates.shape)}")
    rows = np.array(templates, dtype=np.float64)
    bad = np.asarray(~np.isfinite(rows).all(axis=1))
    rows[bad] = 0.0
    if kind == "cosine":
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.where(length > 0.0, length, 1.0)
    return _Rows(rows, bad)


def _compare(
    a: NDArray[np.float64], b: NDArray[np.float64], kind: Similarity
) -> NDArray[np.float64]:
    product: NDArray[np.float64] = a @ b.T
    if kind == "cosine":
        return product.clip(-1.0, 1.0)
    size = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)
    scores: NDArray[np.float64] = -np.sqrt(np.maximum(size - 2.0 * product, 0.0))
    i, j = np.nonzero(scores * scores <= NEAR * size)
    for block in row_blocks(len(i), a.shape[1]):
        scores[i[block], j[block]] = _compare_rows(a[i[block]], b[j[block]], kind)
    return scores


def _compare_rows(
    a: NDArray[np.float64], b: NDArray[np.float64], kind: Similarity
) -> NDArray[np.float64]:
    scores: NDArray[np.float64]
    if kind == "cosine":
        scores = np.einsum("nd,nd->n", a, b).clip(-1.0, 1.0)
    else:
        scores = -np.linalg.norm(a - b, axis=1)
    return scores
