"""Templates in JSON: lists, tables by name, exports of vector databases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from biometrics.errors import StoreError
from biometrics.stores.base import Claim, Store, register_store
from biometrics.stores.batch import StoreBatch, in_single
from biometrics.stores.limits import Limits
from biometrics.stores.loose import FileStore, FormReader, Gather, Place, reading
from biometrics.stores.pickle_machine import load_plain
from biometrics.stores.shapes import FoundRow, Shape, as_vector
from biometrics.stores.source import FileSource, Source
from biometrics.stores.texts import PICKLES, from_base64


class JsonRows(FileStore):
    """What JSON and JSON lines share: rows of a :class:`Shape` become batches."""

    def rows_of(self, found: Iterator[FoundRow], gather: Gather) -> Iterator[StoreBatch]:
        """Batches of rows; ids that nobody says are numbers by collection."""
        for row in found:
            number = self.rows.get(row.where, 0)
            self.rows[row.where] = number + 1
            if _is_nothing(row.value):
                self.tally.empty += 1
                continue
            inside = self._unpickled(row.value)
            vector = as_vector(inside)
            if vector is None:
                self.tally.skip(f"{row.where} {number}"[:80], "holds something that is no number")
                continue
            place = Place(row.where[:80], vector[1], row.model)
            numbers = np.asarray(vector[0], dtype=np.float64)
            yield from gather.row(
                place, in_single(numbers), row.id or str(number), row.subject, row.name
            )

    def _unpickled(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith(PICKLES):
            return value
        data = from_base64(value)
        if data is None or data[:1] != b"\x80":
            return value
        if not self.executable:
            self.executable = True
            self.notes.append("templates are pickles in base64: its product runs them as code")
        try:
            found = load_plain(data)  # small: a cell of text has a limit
        except StoreError:
            return None
        rows = list(Shape().rows(found))
        return rows[0].value if len(rows) == 1 else found


class JsonStore(JsonRows):
    """A JSON file, parsed as a whole."""

    form = "JSON"

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        self._doubled = 0
        text = source.read_whole().decode(source.encoding, "replace")
        self._value = json.loads(text, object_pairs_hook=self._object)
        shape = Shape()
        found = False
        for row in shape.rows(self._value):
            found = found or as_vector(row.value) is not None or _is_pickle(row.value)
            self.rows[row.where] = self.rows.get(row.where, 0) + 1
            if row.model:
                self.models.add(row.model)
        self.pictures.update(shape.pictures)
        if not found:
            raise StoreError(f"{self.name}: no lists of numbers in it are templates")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self._doubled += len(pairs) - len(found)
        return found

    def _read(self) -> Iterator[StoreBatch]:
        gather = Gather(self.tally, self.limits)
        self.rows = {}
        if self._doubled:
            self.tally.skip("keys", "stands twice under one key: the last was read", self._doubled)
        yield from self.rows_of(Shape().rows(self._value), gather)
        yield from gather.end()


class JsonLinesStore(JsonRows):
    """A value a line; a damaged line is counted and the rest is read."""

    form = "JSON lines"

    def _read(self) -> Iterator[StoreBatch]:
        gather, shape = Gather(self.tally, self.limits), Shape()
        self.rows, self.pictures = {}, type(self.pictures)()
        yield from self.rows_of(self._found(shape), gather)
        self.pictures.update(shape.pictures)
        yield from gather.end()

    def _found(self, shape: Shape) -> Iterator[FoundRow]:
        for number, line in self._lines():
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode(self._encoding, "replace"))
            except (ValueError, RecursionError):
                self.tally.skip(f"line {number}", "is no JSON")
                continue
            any_row = False
            for row in shape.rows(_unwrapped(value)):
                any_row = True
                yield row
            if not any_row:
                self.tally.skip(f"line {number}", "holds no template")

    @property
    def _encoding(self) -> str:
        return "utf-8" if self.source.encoding == "utf-8-sig" else self.source.encoding

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        if self._encoding != "utf-8":
            raise StoreError(f"{self.name}: JSON lines are read in UTF-8 only; convert it first")
        most, number = self.limits.cell, 0
        with self.source.open() as file:
            while line := file.readline(most):
                number += 1
                if len(line) == most and not line.endswith(b"\n"):
                    self.tally.skip(f"line {number}", f"is longer than {most >> 20} MiB")
                    while (rest := file.readline(most)) and not rest.endswith(b"\n"):
                        pass
                    continue
                yield number, line.removeprefix(b"\xef\xbb\xbf")


def _unwrapped(value: Any) -> Any:
    """A line that is one record is a list of one."""
    return [value] if isinstance(value, Mapping) else value


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, str | list) and len(value) == 0)


def _is_pickle(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PICKLES)


@register_store
class JsonReader(FormReader):
    """Told by the bracket that begins the file."""

    name = "json"
    forms = ("json",)
    store = JsonStore
    evidence = "JSON"

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """As one value, or else as one a line."""
        assert isinstance(source, FileSource)
        with reading(source.name, "JSON"):
            try:
                return JsonStore(source, claim, limits)
            except json.JSONDecodeError as error:
                store = JsonLinesStore(source, claim, limits)
                lines = error.msg == "Extra data" or source.head.count(b"\n") > 1
                # One line that is whole makes it JSON lines.
                if lines and any(True for _ in store.batches()):
                    return store
                raise


@register_store
class JsonLinesReader(FormReader):
    """Told by a first line that is a value of its own."""

    name = "jsonl"
    forms = ("jsonl",)
    store = JsonLinesStore
    evidence = "JSON, a value a line"
