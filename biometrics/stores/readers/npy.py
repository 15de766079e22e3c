"""A NumPy array [N, D], or one template [D]."""

from __future__ import annotations

from collections.abc import Iterator

from biometrics.errors import StoreError
from biometrics.stores.arrays import check_table, npy_header, row_blocks
from biometrics.stores.base import Claim, register_store
from biometrics.stores.batch import Collection, StoreBatch, make_batch
from biometrics.stores.limits import Limits
from biometrics.stores.loose import FileStore, FormReader, numbered
from biometrics.stores.source import FileSource


class NpyStore(FileStore):
    """Its rows, in order; a file that was cut short gives those that are there."""

    form = "NumPy array"

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        with source.open() as file:
            self._header = npy_header(file, self.name)
            offset = 0 if source.gzip else file.tell()
        count, dim = check_table(self._header, self.name, limits)
        if not source.gzip:
            there = (source.path.stat().st_size - offset) // (dim * self._header.dtype.itemsize)
            if there == 0 or (self._header.fortran and there < count):
                raise StoreError(f"{self.name} claims {count:,} templates, of which none is there")
        self.rows["array"] = count

    def _read(self) -> Iterator[StoreBatch]:
        assert self._header.table is not None
        claimed, dim = self._header.table
        collection = Collection("array", dim, self._header.words)
        done = 0
        with self.source.open() as file:
            npy_header(file, self.name)
            for block in row_blocks(file, self._header, self.limits):
                yield make_batch(collection, block, numbered(done, len(block)))
                done += len(block)
        if done < claimed:
            self.tally.skip(f"row {done}", "the file ends before it", claimed - done)


@register_store
class NpyReader(FormReader):
    """Told by NumPy's first bytes."""

    name = "npy"
    forms = ("npy",)
    store = NpyStore
    evidence = "NumPy's header"
