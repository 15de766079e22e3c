"""A store that lies in memory, for what works on any store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.base import Store, StoreFacts
from biometrics.stores.batch import Collection, StoreBatch, Tally, make_batch
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.source import Source


class MemorySource(Source):
    def __init__(self, name: str = "memory") -> None:
        self.name, self.form = name, "memory"

    def sha256(self) -> str:
        return "0" * 64


class MemoryStore(Store):
    """Gives these batches; ``broken`` is what happens after them, if anything."""

    def __init__(
        self,
        parts: Sequence[StoreBatch],
        facts: StoreFacts | None = None,
        tally: Tally | None = None,
        broken: str = "",
        name: str = "memory",
    ) -> None:
        super().__init__(MemorySource(name), DEFAULT_LIMITS)
        self._parts, self._broken, self._start = parts, broken, tally or Tally()
        self._facts = facts or StoreFacts("file", "in memory")

    @property
    def facts(self) -> StoreFacts:
        return self._facts

    def batches(self) -> Iterator[StoreBatch]:
        self.tally = Tally()
        self.tally.add(self._start)
        for part in self._parts:
            self.tally.read += len(part)
            yield part
        if self._broken:
            raise StoreError(self._broken)


def one_batch(
    vectors: NDArray[np.floating],
    subjects: Sequence[str | None] | None = None,
    names: Sequence[str | None] | None = None,
    *,
    name: str = "faces.embedding",
    mean: bool = False,
    model: str = "",
) -> StoreBatch:
    """All vectors [N, D] as one batch."""
    collection = Collection(name, vectors.shape[1], "float32", mean, model)
    ids = [str(row) for row in range(len(vectors))]
    return make_batch(collection, vectors, ids, subjects, names)
