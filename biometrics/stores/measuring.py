"""What one pass over the templates of a collection counts; memory does not grow with its vectors.

Eight bytes a row are kept of the vector, of the subject and of the name, to tell equal ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from biometrics.stores.batch import Collection, StoreBatch

WORDS = 1 << 16
"""64-bit words that are hashed at a time: they stay in the processor's cache."""

UNIT = 1e-3
"""How far from 1 the length of a template may be that is said to have length 1."""


@dataclass
class Extent:
    """Smallest, largest, number, sum and sum of squares of some numbers."""

    low: float = np.inf
    high: float = -np.inf
    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, values: NDArray[np.floating]) -> None:
        """Count in finite numbers [N]."""
        if values.size:
            exact = values.astype(np.float64)
            self.low = min(self.low, float(exact.min()))
            self.high = max(self.high, float(exact.max()))
            self.count += exact.size
            self.total += float(exact.sum())
            self.squares += float(exact @ exact)

    @property
    def mean(self) -> float | None:
        """Of all; None of none."""
        return self.total / self.count if self.count else None

    @property
    def std(self) -> float | None:
        """Of all, divided by their number; None of none."""
        if not self.count:
            return None
        return float(np.sqrt(max(self.squares / self.count - (self.total / self.count) ** 2, 0.0)))


class Reservoir:
    """Rows that stand for all: each got a random number, and those with the smallest are kept.

    The same rows are kept however a collection is cut into batches.

    Args:
        size: how many at most.
        dim: numbers of a row.
        random: where the numbers come from.
    """

    def __init__(self, size: int, dim: int, random: np.random.Generator) -> None:
        self._random, self._offered, self._filled = random, 0, 0
        self._keys = np.full(size, np.inf)
        self._places = np.full(size, -1)
        self._rows = np.empty((size, dim), dtype=np.float32)  # untouched memory costs nothing
        self._subjects: NDArray[np.object_] = np.full(size, None, dtype=object)

    def add(self, vectors: NDArray[np.float32], subjects: pa.Array) -> None:
        """Offer rows [N, D] with their subjects."""
        size, first = len(self._keys), self._offered
        self._offered += len(vectors)
        keys = self._random.random(len(vectors))
        near = np.flatnonzero(keys < self._keys.max(initial=0.0))
        if not near.size:
            return
        both = np.concatenate([self._keys, keys[near]])
        stay = np.zeros(len(both), dtype=np.bool_)
        stay[np.argpartition(both, size - 1)[:size]] = True
        new = near[stay[size:]]
        spots = np.flatnonzero(~stay[:size])[: len(new)]
        self._keys[spots], self._rows[spots] = keys[new], vectors[new]
        self._places[spots] = first + new
        self._subjects[spots] = subjects.take(pa.array(new)).to_pylist()

    def kept(self) -> tuple[NDArray[np.float32], list[str | None]]:
        """The kept rows [n, D] and their subjects, in the order in which they came."""
        order = np.argsort(self._places, kind="stable")
        order = order[self._places[order] >= 0]
        return self._rows[order], list(self._subjects[order])


class CollectionPass:
    """Counts one collection.

    Args:
        collection: which.
        keep: at most so many rows are kept as a sample.
        seed: of the sample and of the hashes.
    """

    def __init__(self, collection: Collection, keep: int, seed: int) -> None:
        self.collection = collection
        self.rows = self.nan = self.infinite = self.zero = self.constant = 0
        self.non_negative = self.unit = 0
        self.values, self.norms = Extent(), Extent()
        self.sample = Reservoir(keep, collection.dim, np.random.default_rng(seed))
        self.vector_keys: list[NDArray[np.uint64]] = []
        self.subject_keys: list[NDArray[np.uint64]] = []
        self.name_keys: list[NDArray[np.uint64]] = []
        self.without_subject = 0
        random = np.random.default_rng([seed, 1])
        words = (collection.dim + 1) // 2
        self._weights = random.integers(0, 1 << 64, words, dtype=np.uint64) | np.uint64(1)

    def add(self, batch: StoreBatch) -> None:
        """Count in a batch."""
        vectors = batch.vectors
        self.rows += len(vectors)
        subjects, names = batch.rows.column("subject_id"), batch.rows.column("name")
        self.without_subject += subjects.null_count
        self.subject_keys.append(text_keys(subjects))
        self.name_keys.append(text_keys(names))
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", vectors, vectors)
        good = self._finite(vectors, squares)
        if not good.all():
            vectors, squares = vectors[good], squares[good]
            subjects = subjects.filter(pa.array(good))
        self._add_finite(vectors, squares, subjects)

    def _finite(
        self, vectors: NDArray[np.float32], squares: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Which rows are finite; the others are counted by what is wrong with them."""
        good = np.isfinite(squares)
        if not good.all():
            doubtful = np.flatnonzero(~good)  # also rows whose squares are too large for float32
            nan = np.isnan(vectors[doubtful]).any(axis=1)
            infinite = np.isinf(vectors[doubtful]).any(axis=1)
            self.nan += int(nan.sum())
            self.infinite += int((infinite & ~nan).sum())
            good[doubtful] = ~(nan | infinite)
        return good

    def _add_finite(
        self, vectors: NDArray[np.float32], squares: NDArray[np.float32], subjects: pa.Array
    ) -> None:
        if not len(vectors):
            return
        low, high = vectors.min(axis=1), vectors.max(axis=1)
        same = low == high
        zero = same & (low == 0)
        self.zero += int(zero.sum())
        self.constant += int(same.sum() - zero.sum())
        self.values.add(low)
        self.values.add(high)
        if zero.any():
            there = ~zero
            vectors, squares, low = vectors[there], squares[there], low[there]
            subjects = subjects.filter(pa.array(there))
        self.non_negative += int((low >= 0).sum())
        lengths = row_lengths(vectors, squares)
        self.norms.add(lengths)
        self.unit += int((np.abs(lengths - 1) < UNIT).sum())
        self.vector_keys.append(row_keys(vectors, self._weights))
        self.sample.add(vectors, subjects)

    @property
    def duplicates(self) -> int:
        """Finite rows other than zero that equal an earlier one in every bit."""
        keys = _joined(self.vector_keys)
        return len(keys) - len(np.unique(keys))


def row_lengths(vectors: NDArray[np.float32], squares: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean lengths [N] of finite rows from their squares, or again where these leave what
    float32 holds well."""
    lengths = np.sqrt(squares.astype(np.float64))
    odd = np.flatnonzero(~np.isfinite(squares) | (squares < 1e-30))
    if odd.size:
        lengths[odd] = np.linalg.norm(vectors[odd].astype(np.float64), axis=1)
    return lengths


def row_keys(vectors: NDArray[np.float32], weights: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of 64 bits a row: equal for equal bits.

    Pairs of numbers as words of 64 bits, mixed (their low bits are often all zero), then weighed by
    odd random numbers and summed modulo 2^64 (multilinear hashing, Carter and Wegman 1979).

    Args:
        vectors: float32 [N, D].
        weights: [(D + 1) // 2].
    """
    if vectors.shape[1] % 2:
        vectors = np.pad(vectors, ((0, 0), (0, 1)))
    words = np.ascontiguousarray(vectors).view(np.uint64)
    keys = np.empty(len(words), dtype=np.uint64)
    block = max(1, WORDS // max(1, words.shape[1]))
    for start in range(0, len(words), block):
        mixed = words[start : start + block] * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
        keys[start : start + block] = mixed @ weights
    return keys


def text_keys(column: pa.Array) -> NDArray[np.uint64]:
    """A hash of 64 bits for each text that is there; nothing for those that are null."""
    if column.null_count == len(column):
        return np.empty(0, dtype=np.uint64)
    texts = column.drop_null().to_numpy(zero_copy_only=False)
    return np.asarray(pd.util.hash_array(texts, categorize=False), dtype=np.uint64)


def group_sizes(parts: list[NDArray[np.uint64]]) -> NDArray[np.intp]:
    """How many rows each distinct key has."""
    return np.asarray(np.unique(_joined(parts), return_counts=True)[1], dtype=np.intp)


def _joined(parts: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    return np.concatenate([np.empty(0, dtype=np.uint64), *parts])
