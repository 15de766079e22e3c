"""The tables of a running database server, read-only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from typing import TypeVar

import sqlalchemy as sa

from biometrics.errors import FaceleakError, InputError, StoreError
from biometrics.stores.address import parse_address
from biometrics.stores.limits import Limits
from biometrics.stores.live_mysql import MySql
from biometrics.stores.live_postgres import Postgres
from biometrics.stores.live_server import Found, Server
from biometrics.stores.relational import Database, Rows, Table

T = TypeVar("T")

SERVERS: dict[str, type[Server]] = {"postgresql": Postgres, "mysql": MySql}

COLUMNS_A_TABLE = 20
"""How many columns the tables of a catalogue may have on average, up to the limit of tables."""


class LiveDatabase(Database):
    """A PostgreSQL, MySQL or MariaDB server, in transactions that cannot write.

    No password is guessed: ``stock_password`` says whether the one that the user gave is a
    product's standard one, and is None where the server asked for none.

    No error, name or repr here holds a password, and none a value of a table: the words of drivers
    and servers are replaced by our own, and their errors, which keep the password in their state,
    are not chained.

    Args:
        address: see :func:`biometrics.stores.address.parse_address`.
        limits: caps; ``seconds`` is how long one statement may take.

    Raises:
        InputError: the address is wrong, or no connection came about.
    """

    def __init__(self, address: str, limits: Limits) -> None:
        parsed = parse_address(address)
        self._limits = limits
        self._server = SERVERS[parsed.engine](parsed, limits)
        self._idle: list[sa.Connection] = []
        self._snapshot: str | None = None
        self._held: sa.Connection | None = None
        self.engine, self.name = parsed.engine, parsed.url.database or parsed.place
        first = self._open()
        try:
            login = self._asked(lambda: self._server.login(first), "its own description")
            self._snapshot = self._asked(lambda: self._server.snapshot(first), "a snapshot")
        except BaseException:
            self._server.drop(first)
            raise
        self._place, self.name, self.form = login.place, login.database, login.form
        self.stock_password = login.stock_password
        if self._snapshot is None:
            self._idle.append(first)
        else:  # it has to stay open for the others to see the same state
            self._held = first

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """See :class:`Database`; views are left out, and tables that may not be read are noted."""
        tables: dict[str, Table] = {}
        notes: list[str] = []
        found = self._found
        with self._lease() as connection:
            for name, table in found.items():
                if table.denied:
                    notes.append(f"table {shown(name)}: {table.denied}")
                    continue
                try:
                    rows = self._counted(connection, name, None)
                except StoreError as error:
                    if connection.invalidated:
                        raise
                    notes.append(str(error))
                else:
                    tables[name] = Table(table.name, table.columns, rows, table.schema)
        self.notes = tuple(notes)
        return tables

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Rows]:
        """See :class:`Database`; in the order in which the server keeps them."""
        found = self._find(table, *columns)
        with self._lease() as connection:
            what = f"table {shown(table)}"
            with closing(self._server.blocks(connection, found, columns)) as blocks:
                while (block := self._asked(lambda: next(blocks, None), what)) is not None:
                    yield block

    def count(self, table: str, column: str | None = None) -> int:
        """See :class:`Database`."""
        if column is None and (known := self.tables.get(table)) is not None:
            assert known.rows is not None
            return known.rows
        self._find(table, *([] if column is None else [column]))
        with self._lease() as connection:
            return self._counted(connection, table, column)

    def sha256(self) -> str:
        """Over host, database, and the names and row counts of the tables that may be read."""
        counts = [[name, self.tables[name].rows] for name in sorted(self.tables)]
        return hashlib.sha256(json.dumps([self._place, self.name, counts]).encode()).hexdigest()

    def close(self) -> None:
        """Close all connections."""
        held = [] if self._held is None else [self._held]
        for connection in [*self._idle, *held]:
            self._server.drop(connection)
        self._idle, self._held = [], None

    @cached_property
    def _found(self) -> dict[str, Found]:
        most = self._limits.tables * COLUMNS_A_TABLE
        with self._lease() as connection:
            listed = self._asked(
                lambda: self._server.catalogue(connection, most + 1), "its list of tables"
            )
        if len(listed) > self._limits.tables or sum(len(t.columns) for t in listed) > most:
            raise StoreError(f"database {self.name} has more than {self._limits.tables:,} tables")
        found: dict[str, Found] = {}
        for table in listed:
            if not table.columns and not table.denied:
                table.denied = "no permission to read it"
            full = (f"{table.schema}.{table.name}", f'"{table.schema}"."{table.name}"')
            found[next(name for name in (table.name, *full) if name not in found)] = table
        return found

    def _find(self, table: str, *columns: str) -> Found:
        found = self._found.get(table)
        if found is None or found.denied:
            raise StoreError(f"database {self.name} has no table {shown(table)} that may be read")
        for column in columns:
            if column not in found.columns:
                raise StoreError(
                    f"database {self.name}: table {shown(table)} has no column {shown(column)}"
                )
        return found

    def _counted(self, connection: sa.Connection, table: str, column: str | None) -> int:
        found = self._found[table]
        source = self._server.source(found)
        counted = sa.func.count() if column is None else sa.func.count(source.c[column])
        query = self._server.select(found, source, counted)

        def ask() -> int:
            with connection.begin_nested():  # a failure must not end the transaction
                return int(connection.scalar(query) or 0)

        return self._asked(ask, f"table {shown(table)}")

    def _open(self) -> sa.Connection:
        why = ""
        try:
            return self._server.connect(self._snapshot)
        except FaceleakError:
            raise
        except Exception as error:
            why = self._server.refusal(error)
        # Outside of the handler: the driver's error holds the password and must not be chained.
        raise InputError(f"database server {self._server.address.place}: {why}")

    @contextmanager
    def _lease(self) -> Iterator[sa.Connection]:
        """A connection that nobody else reads from; one left in the middle is not used again."""
        connection = self._idle.pop() if self._idle else self._open()
        finished = False
        try:
            yield connection
            finished = True
        finally:
            if finished:
                self._idle.append(connection)
            else:
                self._server.drop(connection)

    def _asked(self, question: Callable[[], T], what: str) -> T:
        why = ""
        try:
            return question()
        except FaceleakError:
            raise
        except Exception as error:
            why = self._server.failure(error)
        # Outside of the handler, see _open().
        raise StoreError(f"database {self.name}: {what} cannot be read: {why}")


def shown(name: str) -> str:
    """The name of a table or column in one short line."""
    return name if name.isprintable() and len(name) <= 80 else ascii(name[:80])
