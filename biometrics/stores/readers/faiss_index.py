"""FAISS index files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from biometrics.stores import faiss_file
from biometrics.stores.base import Claim, register_store
from biometrics.stores.batch import Collection, StoreBatch, batch_rows, make_batch
from biometrics.stores.faiss_file import FlatFile, flat_file, flat_rows
from biometrics.stores.limited import run_limited
from biometrics.stores.limits import Limits
from biometrics.stores.loose import FileStore, FormReader
from biometrics.stores.source import FileSource


class FaissStore(FileStore):
    """A FAISS index: exact vectors of flat ones, what can be made of the others."""

    form = "FAISS index"

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        self._found: dict[str, Any] | None = None

    def _read(self) -> Iterator[StoreBatch]:
        with self.source.open() as file:
            flat = flat_file(file, self.limits)
        yield from self._rebuilt() if flat is None else self._flat(flat)

    def _flat(self, flat: FlatFile) -> Iterator[StoreBatch]:
        self.rows = {"vectors": flat.rows}
        collection = Collection("vectors", flat.dim, "float32")
        read = 0
        for part in flat_rows(self.source, flat):
            read += len(part.vectors)
            yield make_batch(collection, part.vectors, list(map(str, part.ids.tolist())))
        if read < flat.rows:
            why = "the file ends before the vectors that it claims"
            self.tally.skip(f"vector {read:,}", why, flat.rows - read)

    def _rebuilt(self) -> Iterator[StoreBatch]:
        if self._found is None:
            limits = self.limits
            data, room = self.source.read_whole(), limits.memory // 4
            self._found = run_limited(
                faiss_file.reconstruct, data, limits.dim, room, limits=limits, what=self.name
            )
        kind, exact = str(self._found["kind"])[:60], self._found["exact"] is True
        vectors, ids = np.asarray(self._found["vectors"]), np.asarray(self._found["ids"])
        if not exact:
            self.notes = [f"stored as codes of a FAISS {kind}: the vectors are approximate"]
        self.rows = {"vectors": len(vectors)}
        stored_as = "float32" if exact else f"{kind} codes"
        collection = Collection("vectors", vectors.shape[1], stored_as)
        step = batch_rows(collection.dim)
        for first in range(0, len(vectors), step):
            part = slice(first, first + step)
            yield make_batch(collection, vectors[part], list(map(str, ids[part].tolist())))


@register_store
class FaissReader(FormReader):
    """Files that begin with the letters of a FAISS index."""

    name = "faiss"
    forms = ("faiss",)
    store = FaissStore
    evidence = "begins as a FAISS index does"
