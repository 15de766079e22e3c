"""Tables, wherever they lie: a SQLite file, an SQL dump, or a live database. Products describe
themselves by tables and columns once, and are read from all three."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Value = object
"""A value as the database gives it: text, bytes, int, float, None; a live driver may also give a
list of numbers, a UUID or a decimal."""

Rows = list[tuple[Value, ...]]


@dataclass(frozen=True)
class Table:
    """A table, without its rows.

    Attributes:
        name: without schema, as written.
        columns: declared type by column, in order; the type is empty where nobody says it.
        rows: how many there are, or None where counting them costs a pass.
        schema: of PostgreSQL; empty elsewhere.
    """

    name: str
    columns: Mapping[str, str]
    rows: int | None = None
    schema: str = ""


class Database(ABC):
    """The tables of a source, read-only.

    Attributes:
        name: safe to print.
        form: in words, such as ``SQLite database`` or ``PostgreSQL dump, gzip``.
        engine: ``sqlite``, ``postgresql`` or ``mysql`` (MariaDB too): how values are written.
        stock_password: whether the product's standard password opened it; None: not tried.
        notes: what a reader of the report should know, such as tables that may not be read; whole
            once ``tables`` was asked for.
    """

    name: str
    form: str
    engine: str
    stock_password: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def tables(self) -> Mapping[str, Table]:
        """By name. Names are matched as they are written; where two schemas hold the same name, the
        one in the search path (``public``) keeps it and the others are ``schema.name``."""

    @abstractmethod
    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Rows]:
        """Some columns of a table, a block of rows at a time, in an order that does not change.

        Blocks are small enough that memory stays flat (about 16 MiB). A row that is damaged comes
        with a :class:`Damaged` in place of every value.

        Raises:
            StoreError: the rest cannot be read.
        """

    @abstractmethod
    def count(self, table: str, column: str | None = None) -> int:
        """Rows of a table, or those where a column is not null."""

    def sha256(self) -> str:
        """Hash of its name and of the names and row counts of its tables."""
        lines = [self.name, *(f"{name} {self.count(name)}" for name in sorted(self.tables))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or the connection."""


@dataclass(frozen=True)
class Damaged:
    """Stands for a value that could not be read; ``why`` without any content of the row."""

    why: str
