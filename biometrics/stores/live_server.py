"""What PostgreSQL and MySQL do each in its own way, for :mod:`biometrics.stores.live_database`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from biometrics.stores.address import Address
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.relational import Damaged, Rows

CONNECT_SECONDS = 10
BLOCK_BYTES = 16 * MIB
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Login:
    """What a connection says of itself.

    Attributes:
        place: host and port, or the socket.
        database: its name.
        form: the server's kind and version, in words.
        stock_password: see :class:`biometrics.stores.relational.Database`.
    """

    place: str
    database: str
    form: str
    stock_password: bool | None


@dataclass
class Found:
    """A table of the catalogue.

    Attributes:
        name: as written.
        schema: of PostgreSQL.
        columns: declared type by column; those that may be read.
        long: the columns whose values may be of any length.
        denied: why it may not be read; empty where it may.
        whole: whether it has no child tables of its own to be read with it.
    """

    name: str
    schema: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    long: set[str] = field(default_factory=set)
    denied: str = ""
    whole: bool = True


class Server(ABC):
    """One kind of server."""

    def __init__(self, address: Address, limits: Limits) -> None:
        self.address, self.limits = address, limits

    @cached_property
    @abstractmethod
    def engine(self) -> sa.Engine:
        """SQLAlchemy's side of it, with the driver's settings; connects to nothing yet."""

    @abstractmethod
    def begin(self, connection: sa.Connection, snapshot: str | None) -> None:
        """Begin a transaction that cannot write and sees one state of the data: its own, or that
        of another connection."""

    def connect(self, snapshot: str | None = None) -> sa.Connection:
        """A connection inside such a transaction."""
        connection = self.engine.connect()
        try:
            self.begin(connection, snapshot)
        except BaseException:
            self.drop(connection)
            raise
        return connection

    @abstractmethod
    def login(self, connection: sa.Connection) -> Login:
        """What it says of itself."""

    def snapshot(self, connection: sa.Connection) -> str | None:
        """Under what name other connections see the same state; None where that is unknown here."""
        return None

    @abstractmethod
    def catalogue(self, connection: sa.Connection, most: int) -> list[Found]:
        """All tables, those in the search path first; at most that many columns are read."""

    @abstractmethod
    def length(self, column: ColumnElement[Any], declared: str) -> ColumnElement[int]:
        """About how many bytes a value takes when it is sent."""

    @abstractmethod
    def blocks(
        self, connection: sa.Connection, table: Found, columns: Sequence[str]
    ) -> Generator[Rows]:
        """The rows of a table from a cursor on the server; memory stays flat."""

    def drop(self, connection: sa.Connection) -> None:
        """Close a connection, also one that is in the middle of a table."""
        if not connection.closed and not connection.invalidated:
            connection.invalidate()
        connection.close()

    @abstractmethod
    def refusal(self, error: BaseException) -> str:
        """Why no connection came about, in our words: the driver's may hold the password."""

    @abstractmethod
    def failure(self, error: BaseException) -> str:
        """Why a statement failed, in our words: the driver's may hold what is in the table."""

    def selection(self, table: Found, columns: Sequence[str]) -> Select[tuple[Any, ...]]:
        """The columns, and last whether one was too long; those come as NULL, so that nothing
        longer than the limit is ever sent."""
        wanted: list[ColumnElement[Any]] = []
        long: list[ColumnElement[bool]] = []
        source = self.source(table)
        for name in columns:
            column = source.c[name]
            if name in table.long:
                is_long = self.length(column, table.columns[name]) > self.limits.cell
                long.append(is_long)
                wanted.append(sa.case((is_long, sa.null()), else_=column).label(None))
            else:
                wanted.append(column)
        flag: ColumnElement[Any] = sa.or_(*long) if long else sa.false()
        return self.select(table, source, *wanted, flag.label(None))

    def select(
        self, table: Found, source: sa.TableClause, *wanted: ColumnElement[Any]
    ) -> Select[tuple[Any, ...]]:
        """A query over a table and not over those that inherit from it."""
        return sa.select(*wanted).select_from(source)

    @staticmethod
    def source(table: Found) -> sa.TableClause:
        """The table in a query; SQLAlchemy quotes the names."""

        def quoted(name: str) -> sa.quoted_name:
            return sa.quoted_name(name, quote=True)

        columns: list[sa.ColumnClause[Any]] = [sa.column(quoted(name)) for name in table.columns]
        schema = quoted(table.schema) if table.schema else None
        return sa.table(quoted(table.name), *columns, schema=schema)

    def unflagged(self, rows: Sequence[Sequence[object]], width: int) -> Rows:
        """Rows of :meth:`selection` without the flag."""
        lost = (Damaged(f"a value longer than {self.limits.cell:,} bytes"),) * width
        return [lost if row[-1] else tuple(row[:-1]) for row in rows]
