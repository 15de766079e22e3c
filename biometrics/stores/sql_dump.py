"""Dumps of PostgreSQL, MySQL, MariaDB and SQLite as tables. They are read as text, never executed.

The first pass goes over the whole dump once and keeps, for each table, its columns, how many rows
it has and where they lie. Rows are then read from there. Both keep one window of the text.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from biometrics.errors import StoreError
from biometrics.stores.dump_lexer import dialect_of
from biometrics.stores.dump_rows import PIECE, DumpRows, Raw
from biometrics.stores.dump_schema import Key, Settings, TooMuchError, first_settings
from biometrics.stores.dump_statements import NewTable, Walk
from biometrics.stores.dump_stream import Window, window
from biometrics.stores.dump_values import UnreadableValue
from biometrics.stores.limits import Limits
from biometrics.stores.relational import Damaged, Database, Rows, Table
from biometrics.stores.source import FileSource

RANGES = 1000
"""Places that are kept of one table; where rows of tables alternate, the last one gets longer."""

COLUMNS = 20
"""Columns of all tables together, as a multiple of the limit for one."""


@dataclass
class _Range:
    """Where statements with rows of a table lie; others may lie between."""

    start: int
    end: int
    settings: Settings


@dataclass
class _Entry:
    """What the index knows of a table."""

    columns: dict[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    ranges: list[_Range] = field(default_factory=list)
    rows: int = 0

    def add(self, start: int, end: int, settings: Settings, joined: bool) -> None:
        """Rows were found from there to there; ``joined``: just behind the table's last ones."""
        if self.ranges and (joined or len(self.ranges) >= RANGES):
            last = self.ranges[-1]
            if last.settings == settings or not joined:
                last.end = end
                return
        self.ranges.append(_Range(start, end, settings))


class SqlDump(Database):
    """An SQL dump as text, plain or gzip.

    Values come as they are written: numbers of COPY as text, those of INSERT as numbers, binary
    ones as bytes. Text that is not of the dump's encoding has replacement characters.

    Args:
        source: the file.
        limits: caps. A row of more than ``limits.cell`` bytes is damaged.
    """

    def __init__(self, source: FileSource, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._dialect = dialect_of(source)
        self._cut = ""
        self._nulls: dict[str, Counter[str]] = {}
        self.name, self.engine = source.name, self._dialect.engine
        packed = ", gzip" if source.gzip else ""
        wide = "" if source.encoding.startswith("utf-8") else f", {source.encoding.upper()}"
        self.form = f"{self._dialect.tool}{packed}{wide}"

    @property
    def tables(self) -> Mapping[str, Table]:
        """By name, with the number of rows; where several databases or schemas have a table of one
        name, the first in ``public`` keeps it, the others are ``schema.name`` or, in another
        database, ``database.name`` or ``database.schema.name``.

        Raises:
            InputError: the file unpacks to far too much.
            StoreError: more tables or columns than the limit.
        """
        return self._tables

    @property
    def cut(self) -> str:
        """Why the dump is not whole, as far as that can be seen; empty where it is."""
        return self._cut if self._index is not None else ""

    @cached_property
    def _tables(self) -> Mapping[str, Table]:
        return MappingProxyType(
            {
                name: Table(key.name, MappingProxyType(entry.columns), entry.rows, key.schema)
                for name, key in self._names.items()
                for entry in (self._index[key],)
            }
        )

    @cached_property
    def _names(self) -> dict[str, Key]:
        names: dict[str, Key] = {}
        for public in (True, False):
            for key in self._index:
                if public == (key.schema in ("", "public")):
                    names[_free_name(key, names)] = key
        order = {key: name for name, key in names.items()}
        return {order[key]: key for key in self._index}

    @cached_property
    def _index(self) -> dict[Key, _Entry]:
        index: dict[Key, _Entry] = {}
        columns, before = 0, Key("", "", "")
        with window(self._source) as text:
            walk = self._walk(text, first_settings(self._dialect))
            try:
                for found in walk:
                    entry = index.setdefault(found.table, _Entry())
                    if isinstance(found, NewTable):
                        if not entry.columns:
                            _declare(entry, found)
                            columns += len(entry.columns)
                    else:
                        if not entry.columns:
                            entry.columns = dict.fromkeys(found.columns, "")
                            columns += len(entry.columns)
                        self._count_rows(entry, found, joined=before == found.table)
                        before = found.table
                    if len(index) > self._limits.tables:
                        raise TooMuchError(
                            f"{self.name} has more than {self._limits.tables:,} tables"
                        )
                    if columns > COLUMNS * self._limits.tables:
                        raise TooMuchError(f"{self.name} has more than {columns - 1:,} columns")
            except TooMuchError:
                raise
            except StoreError as error:
                self._cut = str(error)
        return index

    def _count_rows(self, entry: _Entry, found: DumpRows, *, joined: bool) -> None:
        try:
            found.count()
        except StoreError:
            entry.add(found.start, sys.maxsize, found.settings, joined)
            raise
        else:
            entry.add(found.start, found.window.at, found.settings, joined)
        finally:
            entry.rows += found.counted

    def _walk(self, text: Window, settings: Settings) -> Walk:
        recoded = self._source.encoding != "utf-8"
        return Walk(text, self._dialect, settings, self._limits, self.name, recoded=recoded)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Rows]:
        """See :meth:`Database.rows`.

        Raises:
            StoreError: there is no such table or column, or the dump is cut off or damaged in its
                rows; those before were given.
        """
        key = self._key(table)
        entry = self._index[key]
        if missing := [name for name in columns if name not in entry.columns]:
            raise StoreError(f"{self.name}: table {table[:63]!r} has no column {missing[0][:63]!r}")
        return self._rows(key, entry, list(columns))

    def _rows(self, key: Key, entry: _Entry, columns: list[str]) -> Iterator[Rows]:
        block: Rows = []
        size = 0
        for found, raw in self._pieces(key, entry):
            if found is None or size > PIECE:
                if block:
                    yield block
                block, size = [], 0
            if found is not None:
                block += _read(found, raw, entry, columns, self._limits.cell)
                size += sum(len(row) for row in raw if isinstance(row, bytes))
        if block:
            yield block
        if self._cut and (not entry.ranges or entry.ranges[-1].end == sys.maxsize):
            raise StoreError(self._cut)

    def _pieces(self, key: Key, entry: _Entry) -> Iterator[tuple[DumpRows | None, Raw]]:
        """Raw rows with the statement that they are of; None at the end of a range, and where the
        dump is cut off."""
        for place in entry.ranges:
            with window(self._source, place.start) as text:
                try:
                    for found in self._walk(text, place.settings):
                        if isinstance(found, DumpRows):
                            if found.start >= place.end:
                                break
                            if found.table == key:
                                for raw in found.pieces():
                                    yield found, raw
                        if text.at >= place.end:
                            break
                except StoreError:
                    yield None, []
                    raise

    def count(self, table: str, column: str | None = None) -> int:
        """Rows, from the index; or those where a column is not null, from one pass over the table
        for all its columns. Damaged rows count as rows, and not as null.

        Raises:
            StoreError: there is no such table or column.
        """
        entry = self._index[self._key(table)]
        if column is None:
            return entry.rows
        if column not in entry.columns:
            raise StoreError(f"{self.name}: table {table[:63]!r} has no column {column[:63]!r}")
        if table not in self._nulls:
            self._nulls[table] = self._count_nulls(table, entry)
        return entry.rows - self._nulls[table][column]

    def _count_nulls(self, table: str, entry: _Entry) -> Counter[str]:
        nulls: Counter[str] = Counter()
        try:
            for found, raw in self._pieces(self._key(table), entry):
                if found is None:
                    continue
                names = _names_of(found, raw, entry)
                present = Counter(names)
                absent = [name for name in entry.columns if name not in present]
                for name in absent:
                    nulls[name] += len(raw)
                for row in raw:
                    if isinstance(row, Damaged) or not found.may_have_null(row):
                        continue
                    fields = found.fields(row)
                    if len(fields) == len(names):
                        nulls.update(
                            name
                            for name, value in zip(names, fields, strict=True)
                            if found.is_null(value)
                        )
        except StoreError:
            pass  # what is behind a cut has no rows that count
        return nulls

    def _key(self, table: str) -> Key:
        if (key := self._names.get(table)) is None:
            raise StoreError(f"{self.name} has no table {table[:63]!r}")
        return key

    def close(self) -> None:
        """Nothing stays open between the passes."""


def _declare(entry: _Entry, found: NewTable) -> None:
    entry.columns = {column.name: column.declared for column in found.columns}
    entry.written = tuple(column.name for column in found.columns if not column.generated)


def _free_name(key: Key, taken: Mapping[str, Key]) -> str:
    holder = taken.get(key.name)
    if holder is None:
        return key.name
    parts = key[1:] if key.database == holder.database else key
    longer = ".".join(part for part in parts if part)
    if longer not in taken:
        return longer
    number = 2
    while f"{longer}#{number}" in taken:
        number += 1
    return f"{longer}#{number}"


def _names_of(found: DumpRows, raw: Raw, entry: _Entry) -> tuple[str, ...]:
    """Which columns the values are of; mariadb-dump writes generated ones too, sqlite3 does not."""
    if found.columns or len(entry.written) == len(entry.columns):
        return found.columns or entry.written
    first = next((row for row in raw if isinstance(row, bytes)), b"")
    every = len(found.fields(first)) == len(entry.columns)
    return tuple(entry.columns) if every else entry.written


def _read(found: DumpRows, raw: Raw, entry: _Entry, columns: list[str], cell: int) -> Rows:
    """Values of some columns."""
    names = _names_of(found, raw, entry)
    places = {name: place for place, name in enumerate(names)}
    picks = [(places.get(name, -1), found.converter(entry.columns[name])) for name in columns]
    width, fields = len(names), found.fields
    rows: Rows = []
    for row in raw:
        why = ""
        if isinstance(row, Damaged):
            why = row.why
        elif found.unread:
            why = found.unread
        elif len(row) > cell:
            why = found.long.why
        else:
            values = fields(row)
            if len(values) != width:
                why = f"{len(values)} values for {width} columns"
            else:
                try:
                    rows.append(
                        tuple([read(values[at]) if at >= 0 else None for at, read in picks])
                    )
                except UnreadableValue as error:
                    why = str(error)
        if why:
            rows.append((Damaged(why),) * len(columns))
    return rows
