"""Tensors [N, D] in a safetensors file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.arrays import ArrayForm, read_exactly, read_texts, row_blocks
from biometrics.stores.base import Claim, register_store
from biometrics.stores.batch import Collection, StoreBatch, make_batch
from biometrics.stores.keyed import KeyedArrays
from biometrics.stores.limits import Limits
from biometrics.stores.loose import FileStore, FormReader, numbered
from biometrics.stores.source import FileSource

TYPES = {
    "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
    "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4",
    "I64": "<i8", "U64": "<u8",
}  # fmt: skip
WEIGHTS = (".weight", ".bias", "running_mean", "running_var", "num_batches_tracked")
"""How tensors of a network end, which are no templates."""


class SafetensorsStore(FileStore):
    """Its tensors of templates, in the order in which they lie in the file."""

    form = "safetensors"

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        with source.open() as file:
            self._size = int.from_bytes(read_exactly(file, 8), "little")
            if self._size > limits.cell:
                raise StoreError(f"{self.name}: its header claims {self._size >> 20:,} MiB")
            entries = json.loads(read_exactly(file, self._size))
        self._start: dict[str, int] = {}
        self._short: dict[str, bool] = {}
        forms: dict[str, ArrayForm] = {}
        for key, entry in sorted(_tensors(entries), key=lambda found: found[1]["data_offsets"]):
            start, end = map(int, entry["data_offsets"])
            form = _form(entry)
            if form is None or key.endswith(WEIGHTS):
                continue
            if start < 0 or end - start != form.bytes:
                raise StoreError(f"{self.name}: a tensor's claims do not fit each other")
            self._start[key], forms[key] = start, form
            self._short[key] = entry["dtype"] == "BF16"
        self._forms = forms
        floats = {k: _as_floats(f) if self._short[k] else f for k, f in forms.items()}
        self._keyed = KeyedArrays.of(floats, limits)
        if not self._keyed.templates:
            raise StoreError(f"{self.name}: none of its tensors is of templates [N, D]")
        for key in self._keyed.templates:
            self.rows[self._keyed.collection(key)] = forms[key].shape[0]

    def _read(self) -> Iterator[StoreBatch]:
        for number, key in enumerate(self._keyed.templates):
            yield from self._tensor(key, number)

    def _tensor(self, key: str, number: int) -> Iterator[StoreBatch]:
        form, keyed = self._forms[key], self._keyed
        assert form.table is not None
        claimed, dim = form.table
        words = "bfloat16" if self._short[key] else form.words
        collection = Collection(keyed.collection(key), dim, words)
        subjects, ids = self._texts(keyed.subjects.get(key)), self._texts(keyed.ids.get(key))
        if keyed.people and claimed <= self.limits.people:
            subjects = [key] * claimed
        prefix = f"{number}:" if len(keyed.templates) > 1 else ""
        done = 0
        with self.source.open() as file:
            self._go_to(file, key)
            for block in row_blocks(file, form, self.limits):
                end = done + len(block)
                own = ids[done:end] if ids else numbered(done, len(block))
                yield make_batch(
                    collection,
                    _widened(block) if self._short[key] else block,
                    [prefix + text for text in own],
                    subjects[done:end] if subjects else None,
                    subjects[done:end] if subjects and keyed.people else None,
                )
                done = end
        if done < claimed:
            where = f"tensor {number}, row {done}"
            self.tally.skip(where, "the file ends before it", claimed - done)

    def _texts(self, key: str | None) -> list[str] | None:
        if key is None:
            return None
        with self.source.open() as file:
            self._go_to(file, key)
            return read_texts(file, self._forms[key], self.limits)

    def _go_to(self, file: IO[bytes], key: str) -> None:
        offset = 8 + self._size + self._start[key]
        if not self.source.gzip:
            file.seek(offset)
            return
        while offset > 0 and (part := file.read(min(offset, 1 << 20))):
            offset -= len(part)


def _tensors(entries: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(entries, dict):
        raise StoreError("a safetensors file whose header is no table")
    return [
        (key, entry)
        for key, entry in entries.items()
        if key != "__metadata__" and len(entry["data_offsets"]) == 2
    ]


def _form(entry: dict[str, Any]) -> ArrayForm | None:
    axes = entry["shape"]
    known = entry["dtype"] in TYPES and all(type(a) is int and 0 <= a < 2**63 for a in axes)
    return ArrayForm(np.dtype(TYPES[entry["dtype"]]), tuple(axes)) if known else None


def _as_floats(form: ArrayForm) -> ArrayForm:
    return ArrayForm(np.dtype("<f2"), form.shape)


def _widened(block: NDArray[Any]) -> NDArray[np.float32]:
    """Bfloat16 is the upper half of a float32."""
    return (block.astype(np.uint32) << 16).view(np.float32)


@register_store
class SafetensorsReader(FormReader):
    """Told by the length and the brace that begin the file."""

    name = "safetensors"
    forms = ("safetensors",)
    store = SafetensorsStore
    evidence = "the header of safetensors"
