"""How templates come out of a store: Arrow batches, one collection each, and a count of what could
not be read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BATCH_BYTES = 16 << 20
"""About what one batch of vectors takes."""

LONGEST_TEXT = 200
"""Letters of an identifier or a name; longer ones are cut and told apart by a hash."""

EXAMPLES = 20
"""Unreadable rows that are named; the others are counted."""


@dataclass(frozen=True)
class Collection:
    """Templates of one store that belong together: one column, one array, one file.

    Attributes:
        name: where they lie, such as ``face_search.embedding``; never a person's name.
        dim: how many numbers each has.
        stored_as: how they are written, such as ``float64`` or ``JSON text``.
        mean: whether every row is known to be a mean of several templates of a person.
        model: what the store itself says made them, such as ``facenet.Calculator``; often empty.
    """

    name: str
    dim: int
    stored_as: str
    mean: bool = False
    model: str = ""


@dataclass(frozen=True)
class StoreBatch:
    """Some rows of one collection.

    Attributes:
        collection: which.
        rows: Arrow columns ``template_id`` (text), ``subject_id`` (text; null where the store says
            nothing), ``name`` (a readable name of the person, text; null where there is none) and
            ``vector`` (fixed list of D float32; NaN and infinite values stay as they are).
    """

    collection: Collection
    rows: pa.RecordBatch

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Float32 [N, D]; read-only."""
        column = self.rows.column("vector")
        flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(self), self.collection.dim)

    def texts(self, column: str) -> list[str | None]:
        """A column of text."""
        found: list[str | None] = self.rows.column(column).to_pylist()
        return found


def in_single(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Numbers as float32; what is too large for it gets infinite, and counts as no number later."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def make_batch(
    collection: Collection,
    vectors: NDArray[np.floating],
    template_ids: Sequence[str],
    subject_ids: Sequence[str | None] | None = None,
    names: Sequence[str | None] | None = None,
) -> StoreBatch:
    """A batch of vectors [N, D] of any float type; what is too large for float32 gets infinite."""
    exact = in_single(vectors)
    if exact.shape != (len(template_ids), collection.dim):
        raise ValueError(f"expected [{len(template_ids)}, {collection.dim}], got {exact.shape}")
    missing = [None] * len(exact)
    columns = {
        "template_id": _texts(template_ids),
        "subject_id": _texts(missing if subject_ids is None else subject_ids),
        "name": _texts(missing if names is None else names),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(exact.reshape(-1)), exact.shape[1]),
    }
    return StoreBatch(collection, pa.RecordBatch.from_pydict(columns))


def _texts(values: Sequence[str | None]) -> pa.Array:
    """None longer than :data:`LONGEST_TEXT`."""
    if any(text is not None and len(text) > LONGEST_TEXT for text in values):
        values = [text and _short(text) for text in values]
    return pa.array(values, pa.string())


def _short(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[: LONGEST_TEXT - len(mark) - 1]}…{mark}"


def batch_rows(dim: int) -> int:
    """How many templates of that length make a batch."""
    return max(1, BATCH_BYTES // (4 * max(1, dim)))


@dataclass
class Tally:
    """What was read of a store, and what could not be.

    Attributes:
        read: rows that gave a template.
        empty: rows where the product keeps none (a face not yet embedded): no loss.
        unreadable: rows that should have given one, by the reason.
        examples: the first of these: where, and why; never a name.
    """

    read: int = 0
    empty: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def skip(self, where: str, why: str, rows: int = 1) -> None:
        """Count rows that cannot be read."""
        self.unreadable[why] += rows
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{where}: {why}")

    @property
    def lost(self) -> int:
        """Unreadable rows."""
        return self.unreadable.total()

    @property
    def coverage(self) -> float:
        """Share of the rows that should give a template and did; 1 where there are none."""
        total = self.read + self.lost
        return 1.0 if total == 0 else self.read / total

    def add(self, other: Tally) -> None:
        """Count in what another tally counted."""
        self.read += other.read
        self.empty += other.empty
        self.unreadable.update(other.unreadable)
        self.examples += other.examples[: EXAMPLES - len(self.examples)]
