"""A walk through the statements of a dump. None is carried out: those that hold rows, make tables
or change how text is read are looked at, all others are stepped over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from biometrics.errors import StoreError
from biometrics.stores.dump_lexer import DOLLAR, Dialect, Grammar, grammar
from biometrics.stores.dump_rows import Budget, CopyRows, DumpRows, InsertRows, next_mark
from biometrics.stores.dump_schema import (
    Column,
    Key,
    Settings,
    changed,
    column_list,
    columns_of,
    table_key,
)
from biometrics.stores.dump_stream import Window
from biometrics.stores.limits import MIB, Limits

WORDS = 64
"""Bytes by which a statement is told."""

BODY = re.compile(
    rb"CREATE\s+(?:(?:TEMP\w*\s+)?TRIGGER\b.*\bBEGIN\b"
    rb"|(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b[^$']*\bBEGIN\s+ATOMIC\b)",
    re.DOTALL | re.IGNORECASE,
)
"""Statements with statements inside, up to a lone END."""


@dataclass(frozen=True)
class NewTable:
    """A table is made."""

    table: Key
    columns: list[Column]


class Walk:
    """The statements from where a window stands; every :class:`DumpRows` is used up by whoever
    takes it, or is stepped over.

    Args:
        settings: at that place.
        name: of the dump, for messages.
        recoded: whether the text was brought to UTF-8, whatever its statements say.
    """

    def __init__(
        self,
        window: Window,
        dialect: Dialect,
        settings: Settings,
        limits: Limits,
        name: str,
        *,
        recoded: bool = False,
    ) -> None:
        self.window, self.dialect, self.settings = window, dialect, settings
        self.limits, self.name, self.recoded = limits, name, recoded
        self.budget = Budget()
        self._head = b"", Key("", "", ""), ()  # type: tuple[bytes, Key, tuple[str, ...]]

    @property
    def patterns(self) -> Grammar:
        """How the statements are spelled here."""
        return grammar(self.dialect.engine, self.settings.backslash)

    def __iter__(self) -> Iterator[NewTable | DumpRows]:
        """All that makes tables or holds rows.

        Raises:
            StoreError: it is cut off, damaged beyond going on, or larger than the limits.
        """
        window = self.window
        while self._blank():
            start = window.at
            word = window.data[window.pos : window.pos + 8].upper()
            if word[:1] == b"\\":
                self._psql()
            elif word.startswith((b"INSERT", b"REPLACE", b"COPY")):
                rows = self._rows(word, start)
                if rows is None:
                    self._other()
                    continue
                yield rows
                rows.count()
            elif word.startswith(b"CREATE"):
                made = self._create()
                if made is not None:
                    yield made
            elif word.startswith(b"DELIMITE") and self.dialect.engine == "mysql":
                self._delimiter()
            else:
                self._other()

    def _blank(self) -> bool:
        """Step over white space and comments; whether anything comes."""
        window = self.window
        while True:
            window.have(WORDS)
            blank = self.patterns.blank.match(window.data, window.pos)
            if blank is not None and blank.end() > window.pos:
                window.pos = blank.end()
                continue
            ahead = window.data[window.pos : window.pos + 2]
            line = ahead == b"--" or (ahead[:1] == b"#" and self.dialect.engine == "mysql")
            if line:
                window.skip_past(b"\n")
            elif ahead == b"/*":
                self._comment()
            else:
                return window.held > 0

    def _comment(self) -> None:
        """Step over ``/* … */``; what MySQL carries out of it may change the settings."""
        window = self.window
        if (end := window.find(b"*/", self.limits.cell)) < 0:
            self._lost()
            return
        text = window.data[window.pos : end]
        if found := re.match(rb"/\*M?!\d*", text):
            self._change(text[found.end() :][:WORDS])
        window.pos = end + 2

    def _psql(self) -> None:
        self._change(self.window.data[self.window.pos :][:WORDS].partition(b"\n")[0])
        self.window.skip_past(b"\n")

    def _change(self, statement: bytes) -> None:
        new = changed(self.settings, statement, self.dialect)
        self.settings = replace(new, encoding="utf-8") if self.recoded else new
        self._head = b"", Key("", "", ""), ()

    def _delimiter(self) -> None:
        """Routines and triggers are written with another delimiter and hold no rows."""
        line = self.window.data[self.window.pos :][:WORDS].partition(b"\n")[0].strip()
        self.window.skip_past(b"\n")
        if line[9:].strip() != b";":
            self.window.skip_past(b"\nDELIMITER ;")

    def _rows(self, word: bytes, start: int) -> DumpRows | None:
        window = self.window
        copy = word.startswith(b"COPY")
        kind: type[DumpRows] = CopyRows if copy else InsertRows
        head, table, columns = self._head
        unread = ""
        if not copy and head and window.data.startswith(head, window.pos):
            window.pos += len(head)
        else:
            pattern = self.patterns.copy if copy else self.patterns.insert
            while (found := pattern.match(window.data, window.pos)) is None:
                if window.held > min(MIB, self.limits.cell) or not window.grow():
                    return None
            table = table_key(found[1], self.settings, self.dialect, self.patterns)
            columns = column_list(found[2], self.dialect, self.patterns, self.limits.tables)
            window.pos = found.end()
            if copy and re.search(rb"(?i)\b(csv|binary|delimiters?)\b", found[3]):
                unread = "rows that COPY wrote in another form than text"
            elif not copy and len(found[0]) < MIB:
                self._head = found[0], table, columns
        return kind(
            window,
            table,
            columns,
            self.settings,
            start,
            self.dialect,
            self.limits,
            self.budget,
            self.name,
            unread=unread,
        )

    def _create(self) -> NewTable | None:
        window = self.window
        window.have(2048)
        found = self.patterns.create.match(window.data, window.pos)
        if found is None:
            self._other()
            return None
        head, name = found[0], found[1]
        text = self._other()
        table = table_key(name, self.settings, self.dialect, self.patterns)
        columns = columns_of(text[len(head) :], self.dialect, self.patterns, self.limits.tables)
        return NewTable(table, columns) if columns else None

    def _other(self) -> bytes:
        """Step over a statement; gives its text, or nothing where its end is not found."""
        window = self.window
        end = 0
        while True:
            if (end := self._end(end)) < 0:
                self._lost()
                return b""
            text = window.data[window.pos : window.pos + end]
            last = text.rstrip(b"; \t\r\n").rpartition(b";")[2].strip().upper()
            if self.dialect.engine == "mysql" or last == b"END" or not BODY.match(text):
                break
        window.pos += end
        if len(text) < 4 * 1024:
            self._change(text) if text[:3].upper() in (b"SET", b"USE") else None
            if b"set_config" in text and b"search_path" in text:
                self._change(b"SET search_path = public")
        return text

    def _end(self, offset: int) -> int:
        """Where the statement ends, counted from its start, or -1."""
        window = self.window
        while True:
            found = self.patterns.special.search(window.data, window.pos + offset)
            if found is None or found.end() + WORDS > len(window.data):
                if not window.ended and window.held <= self.limits.cell:
                    if found is None:
                        offset = max(0, window.held - 1)
                    window.grow()
                    continue
                if found is None:
                    return -1
            if found[0] == b";":
                return found.end() - window.pos
            if (end := self._past(found)) >= 0:
                offset = end - window.pos
            elif not window.ended and window.held <= self.limits.cell:
                window.grow()
            else:
                return -1

    def _past(self, found: re.Match[bytes]) -> int:
        """Behind a string, a comment or a dollar sign, as a place in the data; -1: not held."""
        data, at, mark = self.window.data, found.start(), found[0]
        if mark in (b"--", b"#"):
            return data.find(b"\n", at)
        if mark == b"/*":
            end = data.find(b"*/", at + 2)
            return end + 2 if end >= 0 else -1
        if mark == b"$":
            tag = DOLLAR.match(data, at) if self.dialect.engine == "postgresql" else None
            if tag is None:
                return found.end()
            end = data.find(tag[0], tag.end())
            return end + len(tag[0]) if end >= 0 else -1
        string = self.patterns.string.match(data, at)
        if string is None:
            return found.end() if mark == b"`" and self.dialect.engine == "postgresql" else -1
        return string.end()

    def _lost(self) -> None:
        """A statement without an end: go on at what looks like the next."""
        self.budget.spend(self.name)
        if not next_mark(self.window):
            raise StoreError(
                f"{self.name} ends in the middle of a statement: it is cut off or damaged"
            )
