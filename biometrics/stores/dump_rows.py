"""The rows of one statement of a dump: the lines of COPY, or the brackets of INSERT."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from biometrics.errors import StoreError
from biometrics.stores.dump_lexer import MARK, Dialect, Grammar, grammar
from biometrics.stores.dump_schema import Key, Settings
from biometrics.stores.dump_stream import Window
from biometrics.stores.dump_values import Converter, copy_converter, sql_converter
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.relational import Damaged

PIECE = MIB
"""Bytes of rows that are given at once."""

Raw = list[bytes | Damaged]
"""Rows as they are written."""

NULL = re.compile(rb"(?i)\bNULL\b")


class Budget:
    """How often reading goes on behind damage: looking for it costs time each time."""

    def __init__(self, most: int = 100) -> None:
        self.left = most

    def spend(self, name: str) -> None:
        """Once more."""
        self.left -= 1
        if self.left < 0:
            raise StoreError(f"{name} is damaged in too many places")


@dataclass
class DumpRows(ABC):
    """Rows that come next in the stream; either counted or taken, to their end.

    Attributes:
        table: whose.
        columns: as the statement lists them; empty where it lists none.
        settings: under which they are read.
        start: where the statement begins.
        counted: rows so far, also where an error ends it.
        unread: why they cannot be read, if they cannot.
        done: whether they are used up.
    """

    window: Window
    table: Key
    columns: tuple[str, ...]
    settings: Settings
    start: int
    dialect: Dialect
    limits: Limits
    budget: Budget
    name: str
    counted: int = 0
    unread: str = ""
    done: bool = False

    @abstractmethod
    def count(self) -> None:
        """Count what is left.

        Raises:
            StoreError: the dump ends before they do.
        """

    @abstractmethod
    def pieces(self) -> Iterator[Raw]:
        """Some rows at a time.

        Raises:
            StoreError: the dump ends before they do; those before were given.
        """

    @abstractmethod
    def fields(self, row: bytes) -> list[bytes]:
        """The values of a row as they are written."""

    @abstractmethod
    def may_have_null(self, row: bytes) -> bool:
        """Whether to look closer."""

    @abstractmethod
    def is_null(self, field: bytes) -> bool:
        """Whether a value is none."""

    @abstractmethod
    def converter(self, declared: str) -> Converter:
        """What reads the values of a column."""

    @property
    def long(self) -> Damaged:
        """Stands for a row that is too long."""
        return Damaged(f"a row of more than {self.limits.cell >> 20:,} MiB")

    def cut(self) -> StoreError:
        """The stream ends in between."""
        return StoreError(
            f"{self.name} ends in the middle of the rows of {self.table.name[:63]!r}: "
            "it is cut off or damaged"
        )


class CopyRows(DumpRows):
    """Lines up to one that is a backslash and a dot."""

    def count(self) -> None:
        """See :meth:`DumpRows.count`."""
        window = self.window
        while not self._at_end():
            stop = self._lines_end()
            found = window.data.count(b"\n", window.pos, stop)
            self.counted += found
            if found:
                window.pos = stop
            elif window.held <= self.limits.cell:
                if not window.grow():
                    raise self.cut()
            else:
                self._skip_line()

    def pieces(self) -> Iterator[Raw]:
        """See :meth:`DumpRows.pieces`."""
        window = self.window
        while not self._at_end():
            stop = self._lines_end()
            if stop > window.pos:
                yield self._lines(stop)
            elif window.held <= self.limits.cell:
                if not window.grow():
                    raise self.cut()
            else:
                self._skip_line()
                yield [self.long]

    def _lines(self, stop: int) -> Raw:
        window = self.window
        block = window.data[window.pos : stop]
        window.pos = stop
        if b"\r" in block:  # written as \r where it belongs to a value
            block = block.replace(b"\r\n", b"\n")
        lines: Raw = []
        lines += block.split(b"\n")
        lines.pop()
        self.counted += len(lines)
        return lines

    def _skip_line(self) -> None:
        if not self.window.skip_past(b"\n"):
            raise self.cut()
        self.counted += 1

    def _at_end(self) -> bool:
        window = self.window
        window.have(4)
        if not self.done and self._is_end(window.pos):
            window.skip_past(b"\n")
            self.done = True
        return self.done

    def _is_end(self, at: int) -> bool:
        ahead = self.window.data[at : at + 4]
        return ahead.startswith((b"\\.\n", b"\\.\r\n")) or (ahead == b"\\." and self.window.ended)

    def _lines_end(self) -> int:
        """Behind the last line that is held whole and comes before the end mark."""
        window = self.window
        most = min(len(window.data), window.pos + PIECE)
        stop = window.data.rfind(b"\n", window.pos, most) + 1
        if stop == 0:
            stop = window.data.find(b"\n", most) + 1 or window.pos
        if window.data.find(b"\\", window.pos, stop + 4) < 0:  # one byte is found much faster
            return stop
        mark = window.data.find(b"\n\\.", window.pos, stop + 4)
        while 0 <= mark < stop:
            if self._is_end(mark + 1):
                return mark + 1
            mark = window.data.find(b"\n\\.", mark + 1, stop + 4)
        return stop

    def fields(self, row: bytes) -> list[bytes]:
        """See :meth:`DumpRows.fields`."""
        return row.split(b"\t")

    def may_have_null(self, row: bytes) -> bool:
        """See :meth:`DumpRows.may_have_null`."""
        return b"\\N" in row

    def is_null(self, field: bytes) -> bool:
        """See :meth:`DumpRows.is_null`."""
        return field == b"\\N"

    def converter(self, declared: str) -> Converter:
        """See :meth:`DumpRows.converter`."""
        return copy_converter(declared, self.settings.encoding)


class InsertRows(DumpRows):
    """Brackets up to a semicolon."""

    @property
    def patterns(self) -> Grammar:
        """How rows are spelled here."""
        return grammar(self.dialect.engine, self.settings.backslash)

    def count(self) -> None:
        """See :meth:`DumpRows.count`."""
        while not self.done:
            self._take(None)

    def pieces(self) -> Iterator[Raw]:
        """See :meth:`DumpRows.pieces`."""
        while not self.done:
            rows: Raw = []
            try:
                self._take(rows)
            except StoreError:
                if rows:
                    yield rows
                raise
            yield rows

    def _take(self, rows: Raw | None) -> None:
        """Go over the rows that are held, up to a piece, and read on where none is whole."""
        window, match = self.window, self.patterns.row.match
        most = window.pos + PIECE
        start = window.pos
        while (found := match(window.data, window.pos)) is not None:
            window.pos = found.end()
            self.counted += 1
            if rows is not None:
                rows.append(found[1])
            if found[2] == b";":
                self.done = True
                return
            if window.pos > most:
                return
        if window.pos > start:
            return
        if window.held > self.limits.cell or not window.grow():
            self._go_on(rows)

    def _go_on(self, rows: Raw | None) -> None:
        """No row begins here: the statement ends otherwise, or is damaged."""
        window = self.window
        self.done = True
        last = self.patterns.last_row.match(window.data, window.pos)
        if last is not None and re.match(
            rb"(?i)(ON|AS|RETURNING)\b", window.data[last.end() :][:9]
        ):
            self.counted += 1
            window.pos = last.end()
            if rows is not None:
                rows.append(last[1])
            return
        self.budget.spend(self.name)
        too_long = window.held > self.limits.cell
        if not next_mark(window):
            raise self.cut()
        self.counted += 1
        if rows is not None:
            rows.append(self.long if too_long else Damaged("a row that is no list of values"))

    def fields(self, row: bytes) -> list[bytes]:
        """See :meth:`DumpRows.fields`."""
        found: list[bytes] = self.patterns.field.findall(row, 1, len(row) - 1)
        return found

    def may_have_null(self, row: bytes) -> bool:
        """See :meth:`DumpRows.may_have_null`."""
        return NULL.search(row) is not None

    def is_null(self, field: bytes) -> bool:
        """See :meth:`DumpRows.is_null`."""
        return field.strip().upper() == b"NULL"

    def converter(self, declared: str) -> Converter:
        """See :meth:`DumpRows.converter`."""
        return sql_converter(
            declared, self.settings.encoding, self.dialect.engine, self.settings.backslash
        )


def next_mark(window: Window) -> bool:
    """Go to the next line that looks like the start of a statement, however far.

    Returns:
        Whether there is one; else the stream is at its end.
    """
    while (found := MARK.search(window.data, window.pos)) is None:
        window.pos = max(window.pos, len(window.data) - 32)
        if not window.grow():
            window.pos = len(window.data)
            return False
    window.pos = found.end()
    return True
