"""NumPy arrays in a zip file: templates, and the arrays that say whose they are."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO

from biometrics.errors import StoreError
from biometrics.stores.arrays import ArrayForm, npy_header, read_texts, row_blocks
from biometrics.stores.base import FORM, Claim, Store, StoreReader, register_store
from biometrics.stores.batch import Collection, StoreBatch, make_batch
from biometrics.stores.keyed import KeyedArrays
from biometrics.stores.limits import Limits
from biometrics.stores.loose import FileStore, numbered, reading
from biometrics.stores.source import FileSource, Source

PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What NumPy writes; the others unpack a few bytes to hundreds of megabytes at once."""


class NpzStore(FileStore):
    """Its arrays of templates, one after the other."""

    form = "NumPy arrays in a zip file"

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        if source.gzip:
            raise StoreError(f"{source.name} is a zip file inside gzip; unpack it first")
        self._forms: dict[str, ArrayForm] = {}
        self._broken: list[tuple[str, str]] = []
        with zipfile.ZipFile(source.path) as packed:
            for number, key in enumerate(_members(packed, limits)):
                try:
                    with _open(packed, key, limits) as file:
                        self._forms[key] = npy_header(file, f"{source.name}, array {number}")
                except StoreError as error:
                    self._broken.append((f"array {number}", str(error)))
        self._keyed = KeyedArrays.of(self._forms, limits)
        if not self._keyed.templates:
            if self._broken:
                raise StoreError(self._broken[0][1])
            raise StoreError(f"{source.name}: none of its arrays is of templates [N, D]")
        self.notes += [f"an array was not read: {why}" for _, why in self._broken]
        for key in self._keyed.templates:
            name = self._keyed.collection(key)
            table = self._forms[key].table
            self.rows[name] = self.rows.get(name, 0) + (table[0] if table else 0)

    def _read(self) -> Iterator[StoreBatch]:
        with zipfile.ZipFile(self.source.path) as packed:
            for number, key in enumerate(self._keyed.templates):
                yield from self._array(packed, key, number)

    def _array(self, packed: zipfile.ZipFile, key: str, number: int) -> Iterator[StoreBatch]:
        form, keyed = self._forms[key], self._keyed
        assert form.table is not None
        claimed, dim = form.table
        ids = self._texts(packed, keyed.ids.get(key))
        subjects = self._texts(packed, keyed.subjects.get(key))
        names = self._texts(packed, keyed.names.get(key))
        if keyed.people:
            subjects = [key] * claimed if claimed <= self.limits.people else None
            names = subjects
        collection = Collection(keyed.collection(key), dim, form.words)
        prefix = f"{number}:" if len(keyed.templates) > 1 else ""
        done = 0
        try:
            with _open(packed, key, self.limits) as file:
                npy_header(file, self.name)
                for block in row_blocks(file, form, self.limits):
                    end = done + len(block)
                    own = ids[done:end] if ids else numbered(done, len(block))
                    yield make_batch(
                        collection,
                        block,
                        [prefix + text for text in own],
                        subjects[done:end] if subjects else None,
                        names[done:end] if names else None,
                    )
                    done = end
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, StoreError, zlib.error):
            self.tally.skip(f"array {number}, row {done}", "is damaged", claimed - done)
            return
        if done < claimed:
            self.tally.skip(
                f"array {number}, row {done}", "the file ends before it", claimed - done
            )

    def _texts(self, packed: zipfile.ZipFile, key: str | None) -> list[str] | None:
        if key is None:
            return None
        with reading(self.name, self.form), _open(packed, key, self.limits) as file:
            npy_header(file, self.name)
            return read_texts(file, self._forms[key], self.limits)


def _members(packed: zipfile.ZipFile, limits: Limits) -> Mapping[str, str]:
    """Member by key."""
    names = [name for name in packed.namelist() if name.endswith(".npy")]
    if len(names) > limits.tables:
        raise StoreError(f"it holds {len(names):,} arrays; at most {limits.tables:,} are read")
    return {name.removesuffix(".npy"): name for name in names}


def _open(packed: zipfile.ZipFile, key: str, limits: Limits) -> IO[bytes]:
    info = packed.getinfo(f"{key}.npy")
    if info.flag_bits & 1:
        raise StoreError("an array is encrypted")
    if info.compress_type not in PLAIN_METHODS:
        raise StoreError("an array is packed in a way that NumPy does not write; unpack it first")
    most = min(limits.unpacked, max(limits.ratio_from, limits.ratio * info.compress_size))
    if info.file_size > most:
        raise StoreError(f"an array unpacks to {info.file_size >> 20:,} MiB; that is no template")
    return packed.open(info)


@register_store
class NpzReader(StoreReader):
    """A zip file with arrays in it."""

    name = "npz"

    def claim(self, source: Source) -> Claim | None:
        """By the names of its members."""
        if not isinstance(source, FileSource) or source.form != "zip" or source.gzip:
            return None
        try:
            with zipfile.ZipFile(source.path) as packed:
                names = packed.namelist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, LookupError):
            # Cut short, so that the list at its end is gone; NumPy writes the names at the start.
            return Claim(FORM, ("an array in a zip file",)) if b".npy" in source.head else None
        if any(name.endswith(".npy") for name in names):
            return Claim(FORM, (f"{len(names)} arrays in a zip file",))
        return None

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """The store of the file."""
        assert isinstance(source, FileSource)
        with reading(source.name, NpzStore.form):
            return NpzStore(source, claim, limits)
