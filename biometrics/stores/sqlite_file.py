"""SQLite files, opened so that nothing in them runs and nothing beside them changes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from biometrics.errors import StoreError
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.relational import Damaged, Database, Rows, Table, Value, printable

BLOCK_BYTES, BLOCK_ROWS = 16 * MIB, 16_384
TICK = 50_000
"""Steps of SQLite's machine between two looks at the clock."""

OPEN = (
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
    "PRAGMA query_only=ON",
)
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA}
HIDDEN, GENERATED = 1, 2
"""Kinds of column that ``table_xinfo`` tells: of virtual tables, and computed when it is read."""

OLDEST = (3, 37)
"""From this version on SQLite tells what is a table by its definition, not by the file's word."""

LEAST_ROW = 4
"""Bytes that a row takes in a file at least."""


class _Table(NamedTuple):
    table: Table
    rowid: str  # the word that means the row number here; empty where there is none


class SqliteDatabase(Database):
    """The ordinary tables of a SQLite file.

    Views, virtual tables and computed columns are left out: reading these would run what the file
    says. The file is opened as one that does not change: a log beside it is not read.

    Raises:
        StoreError: it is damaged at the start, packed, or no SQLite file.
    """

    engine = "sqlite"
    form = "SQLite database"

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits, self.name = path, limits, path.name
        self._deadline = 0.0
        if sqlite3.sqlite_version_info < OLDEST:
            raise StoreError(
                f"{path}: SQLite {sqlite3.sqlite_version} here is too old: 3.37 is needed"
            )
        with path.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                raise StoreError(f"{path} is a packed SQLite file: unpack it first (gunzip)")
        # Bytes, so that a name that is no UTF-8 is found again.
        address = f"file:{quote(os.fsencode(path.resolve()))}?mode=ro&immutable=1"
        try:
            self._base = sqlite3.connect(address, uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be opened as a SQLite file: {error}") from error
        try:
            self._prepare()
            self._schema = self._read_schema()
        except (sqlite3.Error, OverflowError, ValueError, MemoryError) as error:
            self._base.close()
            raise StoreError(f"{path} is a damaged SQLite file: {error}") from error

    def _prepare(self) -> None:
        base, limits = self._base, self.limits
        if hasattr(base, "enable_load_extension"):  # some builds of Python cannot load any
            base.enable_load_extension(False)
        base.text_factory = _text
        base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * limits.cell)
        base.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MIB)
        base.setlimit(sqlite3.SQLITE_LIMIT_VDBE_OP, 250_000)
        base.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100)
        base.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        base.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
        base.set_progress_handler(self._too_late, TICK)
        self._start_clock()
        for line in OPEN:
            base.execute(line)
        base.set_authorizer(_allowed)

    def _read_schema(self) -> dict[str, _Table]:
        try:
            names = self._table_names()
        except sqlite3.DatabaseError:
            # A definition that cannot be parsed must not hide the other tables, nor a cut file its
            # beginning; the file cannot be written to, so that this only steps over what is broken.
            self._base.set_authorizer(None)
            self._base.execute("PRAGMA writable_schema=ON")
            self._base.set_authorizer(_allowed)
            names = self._table_names()
            self.notes = ("it is damaged: it is cut short, or some tables are defined wrongly",)
        if len(names) > self.limits.tables:
            raise ValueError(f"more than {self.limits.tables:,} tables")
        found = {}
        for name, has_rowid in sorted(names.items()):
            if (table := self._table(name, has_rowid)) is not None:
                found[name] = table
        self.notes += tuple(self._beside())
        return found

    def _table_names(self) -> dict[str, bool]:
        """Ordinary tables, and whether their rows have numbers."""
        found = {}
        for schema, name, kind, _, without_rowid, *_ in self._base.execute("PRAGMA table_list"):
            ours = schema == "main" and not name.startswith("sqlite_") and "\x00" not in name
            if ours and kind in ("table", "shadow"):
                found[name] = not without_rowid
        # This pragma passes over an error in the schema without a word; a query does not.
        self._base.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        return found

    def _table(self, name: str, has_rowid: bool) -> _Table | None:
        columns = {}
        try:
            for _, column, kind, _, _, _, hidden in self._base.execute(
                f"PRAGMA table_xinfo({quoted(name)})"
            ):
                if hidden not in (HIDDEN, GENERATED) and "\x00" not in column:
                    columns[column] = kind
        except sqlite3.Error:
            return None
        taken = {column.lower() for column in columns}
        words = [word for word in ("rowid", "_rowid_", "oid") if word not in taken]
        rowid = words[0] if has_rowid and words else ""
        return _Table(Table(name, columns), rowid) if columns else None

    def _beside(self) -> Iterator[str]:
        for ending, what in (("-wal", "changes"), ("-journal", "an unfinished change")):
            beside = self.path.with_name(self.path.name + ending)
            if beside.is_file() and beside.stat().st_size:
                yield f"a file *{ending} beside it holds {what} that are not read"

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """Ordinary ones, by name."""
        return {name: found.table for name, found in self._schema.items()}

    def count(self, table: str, column: str | None = None) -> int:
        """Rows of a table, or those where a column is not null.

        Raises:
            StoreError: pages of it are damaged.
        """
        what = "*" if column is None else f"t.{quoted(self._column(table, column))}"
        try:
            self._start_clock()
            found = self._base.execute(f"SELECT count({what}) FROM {self._from(table)}").fetchone()
        except sqlite3.Error as error:
            raise self._damage(table, "cannot be counted", error) from error
        return int(found[0])

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Rows]:
        """Some columns, in the order of the row numbers; damaged pages are stepped over.

        Raises:
            StoreError: nothing behind a damaged page can be read.
        """
        chosen = [self._column(table, column) for column in columns]
        if not chosen:
            raise ValueError("no column is asked for")
        if self._schema[table].rowid:
            yield from self._by_number(table, chosen)
            return
        listed = ", ".join(f"t.{quoted(column)}" for column in chosen)
        left = self._most_rows
        try:
            for block in self._blocks(f"SELECT {listed} FROM {self._from(table)}", ()):
                left -= len(block)
                if left < 0:
                    raise self._endless(table)
                yield block
        except sqlite3.Error as error:
            raise self._damage(table, "cannot be read to its end", error) from error

    def _by_number(self, table: str, columns: list[str]) -> Iterator[Rows]:
        """Rows in the order of their numbers; where a page is damaged, on behind it."""
        number = f"t.{self._schema[table].rowid}"
        listed = ", ".join([number, *(f"t.{quoted(column)}" for column in columns)])
        query = f"SELECT {listed} FROM {self._from(table)} WHERE {number} >= ? ORDER BY {number}"
        start: int | None = -(1 << 63)
        while start is not None:
            last = start - 1
            try:
                for block in self._blocks(query, (start,)):
                    last = self._in_order(table, block, last)
                    yield [row[1:] for row in block]
                return
            except _BrokenBlockError as error:
                if error.rows:
                    last = self._in_order(table, error.rows, last)
                    yield [row[1:] for row in error.rows]
                broken = error
            # Python's cursor drops the row before the one that fails: it is asked for alone.
            if (alone := self._first(f"{query} LIMIT 1", last + 1)) is not None:
                self._in_order(table, [alone], last)
                yield [alone[1:]]
                start = _number(alone[0]) + 1
                continue
            last = max(last, 0)
            start = self._behind(table, number, last + 1)
            if start is None or start <= last:
                raise self._damage(table, "cannot be read to its end", broken) from broken
            lost = self._believable(start - last - 1)
            damaged: tuple[Value, ...] = (Damaged("a damaged page, or a value of absurd size"),)
            for first in range(0, lost, BLOCK_ROWS):
                yield [damaged * len(columns)] * min(BLOCK_ROWS, lost - first)

    def _in_order(self, table: str, rows: Rows, last: int) -> int:
        """The number of the last of these rows. Pages that point in a circle would give rows for
        ever; but then their numbers do not rise."""
        for row in rows:
            if (number := _number(row[0])) <= last:
                raise self._endless(table)
            last = number
        return last

    def _endless(self, table: str) -> StoreError:
        return StoreError(f"{self.path}: table {printable(table)} is damaged: its rows do not end")

    @cached_property
    def _most_rows(self) -> int:
        """What the file has room for, at least 1."""
        return max(1, self.path.stat().st_size // LEAST_ROW)

    def _believable(self, rows: int) -> int:
        """No more rows than the file has room for."""
        return max(1, min(rows, self._most_rows))

    def _behind(self, table: str, number: str, start: int) -> int | None:
        """The first row number after the damage at ``start`` from which on the table can be read:
        found by steps that double, then by halving."""
        query = f"SELECT {number} FROM {self._from(table)} WHERE {number} >= ? ORDER BY {number}"

        def found(place: int) -> int | None:
            row = self._first(f"{query} LIMIT 1", place)
            return None if row is None else _number(row[0])

        step = 1
        while (hit := found(start + step)) is None:
            step *= 2
            if start + step >= 1 << 62:
                return None
        low, high = step // 2, step  # broken at the first, read at the second
        while high - low > 1:
            middle = (low + high) // 2
            nearer = found(start + middle)
            low, high, hit = (low, middle, nearer) if nearer is not None else (middle, high, hit)
        return hit

    def _first(self, query: str, place: int) -> tuple[Value, ...] | None:
        """The first row of a query; None where it is damaged or there is none."""
        try:
            self._start_clock()
            row: tuple[Value, ...] | None = self._base.execute(query, (place,)).fetchone()
        except (sqlite3.Error, OverflowError, MemoryError):
            return None
        return row

    def _blocks(self, query: str, values: tuple[int, ...]) -> Iterator[Rows]:
        rows: Rows = []
        size = 0
        try:
            self._start_clock()
            for row in self._base.execute(query, values):
                rows.append(row)
                size += sum([len(v) for v in row if isinstance(v, str | bytes)]) + 16 * len(row)
                if size >= BLOCK_BYTES or len(rows) >= BLOCK_ROWS:
                    yield rows
                    rows, size = [], 0
                    self._start_clock()
        except (sqlite3.Error, OverflowError, MemoryError) as error:
            raise _BrokenBlockError(str(error), rows) from error
        if rows:
            yield rows

    def _column(self, table: str, column: str) -> str:
        if table not in self._schema or column not in self._schema[table].table.columns:
            raise KeyError(f"no column {column!r} in table {table!r}")
        return column

    def _from(self, table: str) -> str:
        # No index is trusted: a damaged one would give other rows than the table.
        return f"main.{quoted(table)} AS t NOT INDEXED"

    def _damage(self, table: str, what: str, error: Exception) -> StoreError:
        return StoreError(f"{self.path}: table {printable(table)} {what}: {error}")

    def _start_clock(self) -> None:
        self._deadline = time.monotonic() + self.limits.seconds

    def _too_late(self) -> int:
        return int(time.monotonic() > self._deadline)

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()


class _BrokenBlockError(sqlite3.Error):
    """A read that failed, with the rows that came before it."""

    def __init__(self, why: str, rows: Rows) -> None:
        super().__init__(why)
        self.rows = rows


def quoted(name: str) -> str:
    """A name of a table or column as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _allowed(
    action: int, first: str | None, second: str | None, base: str | None, through: str | None
) -> int:
    """Only tables are read, by nothing but our own queries; no function but a count is called."""
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_OK if second == "count" else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in ALLOWED and through is None else sqlite3.SQLITE_DENY
