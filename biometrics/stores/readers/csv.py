"""Tables as text: one column a number, or a column whose cells hold all numbers of a template."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from biometrics.errors import StoreError
from biometrics.stores.base import FORM, Claim, register_store
from biometrics.stores.batch import StoreBatch, in_single
from biometrics.stores.columns import number_columns
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.loose import (
    LEAST,
    FileStore,
    FormReader,
    Gather,
    Place,
    Roles,
    roles_of,
)
from biometrics.stores.source import FileSource, Source
from biometrics.stores.texts import WORDS, from_base64, numbers, raw_vector, text_vector

MARKS = (",", "\t", ";", "|")
_OPENS = ("[", "(", "{", *WORDS)
SAMPLE_ROWS, SAMPLE_CHARS = 20, 2 * MIB


@dataclass(frozen=True)
class CsvLayout:
    """How a table is written.

    Attributes:
        mark: between its cells.
        header: whether the first row names the columns.
        width: cells a row.
        vector: positions of the numbers, or of the one cell that holds them all.
        roles: positions of the columns that say whose a row is.
        name: of the templates.
        comma: whether numbers have a decimal comma.
    """

    mark: str
    header: bool
    width: int
    vector: tuple[int, ...]
    roles: tuple[int | None, int | None, int | None]
    name: str
    comma: bool = False

    @property
    def one_cell(self) -> bool:
        """Whether a cell holds a whole template."""
        return len(self.vector) == 1


class CsvStore(FileStore):
    """Its rows, as they come; what is no template is counted."""

    form = "table as text"

    def __init__(self, source: FileSource, claim: Claim, limits: Limits) -> None:
        super().__init__(source, claim, limits)
        layout = csv_layout(source, limits)
        if layout is None:
            raise StoreError(f"{source.name} holds no templates: no {LEAST} columns of numbers")
        self._layout = layout

    def _read(self) -> Iterator[StoreBatch]:
        layout = self._layout
        gather = Gather(self.tally, self.limits)
        kind = "text in one cell" if layout.one_cell else "text, one column a number"
        place = Place(layout.name, kind)
        rows = 0
        for row in table_rows(self.source, layout.mark, self.limits):
            if isinstance(row, str):
                self.tally.skip(f"row {rows}", row)
            elif not row or (rows == 0 and layout.header):
                rows += bool(row)
                continue
            else:
                yield from self._row(row, rows - layout.header, place, gather)
            rows += 1
        self.rows[layout.name] = rows - layout.header
        yield from gather.end()

    def _row(
        self, row: Sequence[str], number: int, place: Place, gather: Gather
    ) -> Iterator[StoreBatch]:
        layout, where = self._layout, f"row {number}"
        if len(row) < layout.width:
            self.tally.skip(where, f"has fewer cells than the others ({layout.width})")
            return
        if len(row) > layout.width:
            self.tally.skip(where, f"has more cells than the others ({layout.width})")
            return
        cells = [row[place] for place in layout.vector]
        if layout.one_cell:
            if cells[0].strip().lower() in ("", "null", "none", "\\n"):
                self.tally.empty += 1
                return
            vector = cell_vector(cells[0])
        else:
            if layout.comma:
                cells = [cell.replace(",", ".") for cell in cells]
            vector = numbers(cells)
        if vector is None:
            self.tally.skip(where, "holds something that is no number")
            return
        own = [None if at is None else row[at].strip() or None for at in layout.roles]
        yield from gather.row(place, in_single(vector), own[0] or str(number), own[1], own[2])


def cell_vector(cell: str) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]] | None:
    """A template in one cell: numbers as text, or base64 of floats."""
    found = text_vector(cell)
    if found is None and (data := from_base64(cell)) is not None:
        raw = raw_vector(data)
        return None if raw is None else raw[0]
    return found


def csv_layout(source: FileSource, limits: Limits) -> CsvLayout | None:
    """How the table is written, by its first rows; None where it holds no templates."""
    found: list[CsvLayout] = []
    for mark in MARKS:
        rows: list[list[str]] = []
        seen = 0
        for row in islice(table_rows(source, mark, limits), 2 * SAMPLE_ROWS):
            if isinstance(row, list) and row:
                rows.append(row)
                seen += sum(map(len, row))
            if len(rows) == SAMPLE_ROWS or seen > SAMPLE_CHARS:
                break
        most = max(limits.tables, 2 * limits.dim)
        if max(map(len, rows), default=0) <= most and (layout := _layout(mark, rows)):
            found.append(layout)
    # The numbers in a cell's brackets are columns for another mark.
    return max(found, key=lambda one: (one.one_cell, one.width, len(one.vector)), default=None)


def _layout(mark: str, rows: list[list[str]]) -> CsvLayout | None:
    if not rows:
        return None
    body = rows[1:] or rows
    width = _most_common([len(row) for row in body])
    body = [row for row in body if len(row) == width]
    comma = mark == ";" and any(re.fullmatch(r"-?\d+,\d+", cell) for cell in body[0])
    if comma:
        rows, body = (
            [[cell.replace(",", ".") for cell in row] for row in part] for part in (rows, body)
        )
    numeric = [_mostly([_is_number(row[place]) for row in body]) for place in range(width)]
    first = rows[0] if len(rows[0]) == width else [""] * width
    columns = number_columns([str(place) for place in range(width)], numeric)
    one_cell = [
        place for place in range(width) if _mostly([_is_vector(row[place]) for row in body])
    ]
    if columns is None and not one_cell:
        return None
    watched = one_cell[:1] or list(columns.vector if columns else ())
    header = len(rows[0]) == width and _is_header([first[place] for place in watched], one_cell)
    names = [cell.strip() for cell in first] if header else [""] * width
    if one_cell and columns is None:
        told = [place for place in one_cell if re.search("emb|enc|vec|desc", names[place], re.I)]
        cell = (told or one_cell)[0]
        vector: tuple[int, ...] = (cell,)
        name = names[cell] or "column"
    else:
        chosen = number_columns(names, numeric) if header else columns
        assert columns is not None
        chosen = chosen or columns
        vector, name = chosen.vector, chosen.name
    taken = set(vector)
    others = [place for place in range(width) if place not in taken]
    return CsvLayout(
        mark, header, width, vector, _roles(names, others, body, header), name[:80], comma
    )


def _roles(
    names: list[str], others: list[int], body: list[list[str]], header: bool
) -> tuple[int | None, int | None, int | None]:
    if header:
        roles: Roles = roles_of([names[place] for place in others])
        by_name = {names[place]: place for place in reversed(others)}
        found = (roles.id, roles.subject, roles.name)
        one, two, three = (None if role is None else by_name[role] for role in found)
        return one, two, three
    # Without a header a single column of text beside the numbers says whose they are.
    texts = [place for place in others if not _mostly([_is_number(row[place]) for row in body])]
    if len(texts) == 1:
        return None, texts[0], texts[0]
    return None, None, None


def _most_common(values: list[int]) -> int:
    return max(set(values), key=values.count)


def _mostly(flags: list[bool]) -> bool:
    return sum(flags) > len(flags) / 2


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in ("null", "na")
    return True


def _is_vector(cell: str) -> bool:
    """In brackets, between blanks or base64: between other marks they are columns."""
    if len(cell) < 2 * LEAST or (
        not cell.startswith(_OPENS) and any(mark in cell for mark in MARKS)
    ):
        return False
    found = cell_vector(cell)
    return found is not None and len(found) >= LEAST


def _is_header(cells: list[str], one_cell: list[int]) -> bool:
    """Whether the first row names columns: words, or the numbers 0, 1, 2 … of the columns."""
    if one_cell:
        return not _is_vector(cells[0])
    if cells == [str(place) for place in range(len(cells))]:
        return True
    if cells == [str(place + 1) for place in range(len(cells))]:
        return True
    return not _mostly([_is_number(cell) for cell in cells])


def table_rows(source: FileSource, mark: str, limits: Limits) -> Iterator[list[str] | str]:
    """Rows of a table; text in place of one that could not be read: why."""
    with source.open() as file:
        text = io.TextIOWrapper(file, source.encoding, errors="replace", newline="")
        lines = _Lines(text, limits.cell)
        before = csv.field_size_limit(limits.cell)
        try:
            reader = csv.reader(lines, delimiter=mark, skipinitialspace=True)
            while True:
                csv.field_size_limit(limits.cell)
                lines.since = 0
                try:
                    yield next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    yield "is damaged: a quote that does not end, or a cell that is too long"
        finally:
            csv.field_size_limit(before)


class _Lines:
    """Lines of a text, none longer than a limit, nor a row that goes over many of them."""

    def __init__(self, text: io.TextIOWrapper, most: int) -> None:
        self._text, self._most, self.since = text, most, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._most)
        if not line:
            raise StopIteration
        self.since += len(line)
        if self.since > 4 * self._most:
            raise csv.Error("a row without end")
        return line


@register_store
class CsvReader(FormReader):
    """A text in which columns of numbers, or cells of many numbers, are found."""

    name = "csv"
    forms = ("csv", "text")
    store = CsvStore
    evidence = "columns of numbers as text"

    def claim(self, source: Source) -> Claim | None:
        """By its first rows."""
        if super().claim(source) is None or not isinstance(source, FileSource):
            return None
        layout = csv_layout(source, source.limits)
        if layout is None:
            return None
        what = "cells of numbers" if layout.one_cell else f"{len(layout.vector)} columns of numbers"
        return Claim(FORM, (f"a table as text with {what}",))
