"""Writes made tables into a running database server, with the types that the product declares."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tests.biometrics.stores.made import MadeTable


def fill_postgres(connection: Any, tables: Iterable[MadeTable]) -> None:
    """Create and fill tables through a connection of psycopg; pgvector is added where a type asks
    for it, in the schema that the type names."""
    for table in tables:
        _schema(connection, table.schema)
        for declared in table.columns.values():
            if vector := re.fullmatch(r"(?:(\w+)\.)?(?:vector|halfvec)\(\d+\)", declared):
                schema = vector[1] or "public"
                _schema(connection, schema)
                connection.execute(f"CREATE EXTENSION IF NOT EXISTS vector SCHEMA {schema}")
        name = f"{quoted(table.schema)}.{quoted(table.name)}"
        connection.execute(f"CREATE TABLE {name} ({_columns(table, quoted)})")
        names = ", ".join(quoted(column) for column in table.columns)
        with connection.cursor().copy(f"COPY {name} ({names}) FROM STDIN") as copy:
            for row in table.rows:
                copy.write_row(
                    [_value(v, t) for v, t in zip(row, table.columns.values(), strict=True)]
                )


def _schema(connection: Any, name: str) -> None:
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name)}")


def _value(value: Any, declared: str) -> Any:
    """A list of numbers for a pgvector column is written with brackets, for an array in braces."""
    if isinstance(value, list | tuple) and ("vector" in declared or "halfvec" in declared):
        return "[" + ",".join(repr(float(number)) for number in value) + "]"
    return value


def fill_mysql(connection: Any, tables: Iterable[MadeTable]) -> None:
    """Create and fill tables through a connection of PyMySQL."""
    with connection.cursor() as cursor:
        for table in tables:
            name = ticked(table.name)
            cursor.execute(f"CREATE TABLE {name} ({_columns(table, ticked)})")
            marks = ", ".join(["%s"] * len(table.columns))
            # A percent sign in a name would be taken for a mark.
            insert = f"INSERT INTO {name.replace('%', '%%')} VALUES ({marks})"
            cursor.executemany(insert, table.rows)
    connection.commit()


def _columns(table: MadeTable, quote: Any) -> str:
    return ", ".join(f"{quote(name)} {declared}" for name, declared in table.columns.items())


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def ticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
