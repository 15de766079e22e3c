"""Which lengths of vectors belong to a column: most rows have one; a few of another length are
damage, many of them another model's."""

from __future__ import annotations

from collections.abc import Iterator

from biometrics.stores.batch import BATCH_BYTES, StoreBatch, Tally

LEAST_DIM = 16
"""Shorter vectors are no templates."""

MANY, SHARE = 64, 0.1
"""Rows of a length, or their share of those of the commonest, that make it no accident."""


class Lengths:
    """Sorts the batches of a column: those of a length that belongs come out at once, those of an
    odd one when it has shown itself common, or never.

    Args:
        tally: gets what was read, and rows of odd lengths.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._held: dict[tuple[str, int], list[tuple[StoreBatch, str]]] = {}
        self._bytes = 0
        self._read: dict[tuple[str, int], int] = {}

    def sort(self, batches: list[tuple[StoreBatch, str]]) -> Iterator[StoreBatch]:
        """The batches of one block of rows, of whatever models and lengths, each with where its
        first row is."""
        usual: dict[str, StoreBatch] = {}
        for batch, _ in batches:
            if len(batch) > len(usual.get(batch.collection.model, ())):
                usual[batch.collection.model] = batch
        known = {model for model, _ in self._read}
        for batch, where in batches:
            dim, model = batch.collection.dim, batch.collection.model
            if dim < LEAST_DIM:
                self._tally.skip(where, f"{dim} numbers are no template", len(batch))
            elif (model, dim) in self._read or (model not in known and usual[model] is batch):
                yield self._give(batch)
            else:
                yield from self._hold(batch, where)

    def rest(self) -> Iterator[StoreBatch]:
        """What was held, once all rows were seen."""
        for (model, dim), held in list(self._held.items()):
            most = {d: n for (m, d), n in self._read.items() if m == model}
            if sum(len(batch) for batch, _ in held) >= SHARE * max(most.values(), default=0):
                yield from self._release((model, dim))
            else:
                usual = max(most, key=lambda d: most[d])
                for batch, where in held:
                    self._tally.skip(where, f"{dim} numbers where most have {usual}", len(batch))
        self._held.clear()

    def _give(self, batch: StoreBatch) -> StoreBatch:
        key = batch.collection.model, batch.collection.dim
        self._read[key] = self._read.get(key, 0) + len(batch)
        self._tally.read += len(batch)
        return batch

    def _hold(self, batch: StoreBatch, where: str) -> Iterator[StoreBatch]:
        key = batch.collection.model, batch.collection.dim
        if self._bytes + batch.vectors.nbytes > BATCH_BYTES:  # hostile: every row another length
            self._tally.skip(where, "a length of its own", len(batch))
            return
        self._bytes += batch.vectors.nbytes
        held = self._held.setdefault(key, [])
        held.append((batch, where))
        if sum(len(batch) for batch, _ in held) >= MANY:
            yield from self._release(key)

    def _release(self, key: tuple[str, int]) -> Iterator[StoreBatch]:
        for batch, _ in self._held.pop(key):
            self._bytes -= batch.vectors.nbytes
            yield self._give(batch)
