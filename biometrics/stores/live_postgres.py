"""A PostgreSQL server, with or without pgvector."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from biometrics.stores.live_server import (
    BLOCK_BYTES,
    BLOCK_ROWS,
    CONNECT_SECONDS,
    Found,
    Login,
    Server,
)
from biometrics.stores.relational import Rows

if TYPE_CHECKING:
    import psycopg

STOCK = {("postgres", "postgres")}
"""User and password of a fresh CompreFace (database ``frs``), from its public compose file."""

AS_TEXT = (
    *("uuid", "json", "jsonb", "date", "time", "timetz", "timestamp", "timestamptz", "interval"),
    *("inet", "cidr", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange"),
)
"""Types left as the server writes them: readers take text, and a date beyond the year 9999 in one
row would otherwise stop the driver."""

ARRAYS_AS_TEXT = ("float4", "float8", "numeric")
"""Their arrays stay ``{0.1,0.2}``, as in a dump: a list of Python's numbers takes more time and
memory than reading the text at once."""

SETTINGS = {
    # Nobody's functions, operators or row policies may stand in for the server's own and run with
    # the rights of whoever audits; pg_dump sets the same two.
    "search_path": "pg_catalog",
    "row_security": "off",
    "default_transaction_read_only": "on",
    "extra_float_digits": "3",
    "synchronize_seqscans": "off",  # else the order of rows depends on what others read
    "idle_in_transaction_session_timeout": "0",  # inverting a block may take long
    "jit": "off",
}

CATALOGUE = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), t.typlen < 0,
       c.relkind = 'p', has_schema_privilege(n.oid, 'USAGE'),
       has_column_privilege(c.oid, a.attnum, 'SELECT'), row_security_active(c.oid)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
ORDER BY array_position(CAST(:path AS name[]), n.nspname), n.nspname, c.relname, a.attnum
LIMIT :most
"""

REFUSALS = {
    r"password authentication failed|authentication failed": "the login of user {user} was refused",
    r"no password supplied": "user {user} needs a password",
    r"database .* does not exist": "it has no database {database!r}",
    r"role .* does not exist": "it has no user {user}",
    r"no pg_hba\.conf entry": "it lets no user {user} in from here (pg_hba.conf)",
    r"could not translate host|failed to resolve|Name or service|getaddrinfo": "no such host",
    r"timeout expired|timed out|connection timeout": "no answer in time",
    r"Connection refused|No such file or directory|Is the server running": "nothing answers there",
    r"SSL|certificate|TLS": "no secure connection came about (see sslmode, sslrootcert)",
    r"too many clients|connection slots": "it has no connection left",
}


class Postgres(Server):
    """Through psycopg: named cursors, one snapshot shared by all connections."""

    _path: tuple[str, ...] = ()

    @functools.cached_property
    def engine(self) -> sa.Engine:
        """READ ONLY and REPEATABLE READ."""
        wanted = {"application_name": "faceleak", "client_encoding": "utf8"}
        if "connect_timeout" not in self.address.url.query:
            wanted["connect_timeout"] = str(CONNECT_SECONDS)
        engine = sa.create_engine(
            self.address.url.set(drivername="postgresql+psycopg"),
            connect_args=wanted,
            poolclass=NullPool,
            pool_reset_on_return=None,  # it is closed then
            hide_parameters=True,
            use_native_hstore=False,
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
        )
        sa.event.listen(engine, "connect", _adapt)
        return engine

    def begin(self, connection: sa.Connection, snapshot: str | None) -> None:
        """Also turns off whatever could run others' code or change the order of rows."""
        if snapshot is not None:
            connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        else:
            self._path = tuple(connection.scalar(sa.text("SELECT current_schemas(false)")) or ())
        settings = {**SETTINGS, "statement_timeout": str(int(1000 * self.limits.seconds))}
        calls = (sa.func.pg_catalog.set_config(*item, False) for item in settings.items())
        connection.execute(sa.select(*calls))

    def login(self, connection: sa.Connection) -> Login:
        """Host, database, version, and whether a standard password opened it."""
        driver = _driver(connection)
        info = driver.info
        stock = None
        if driver.pgconn.used_password:
            stock = (info.user, info.password) in STOCK
        version = ".".join(str(n) for n in divmod(info.server_version, 10_000))
        return Login(f"{info.host}:{info.port}", info.dbname, f"PostgreSQL {version} server", stock)

    def snapshot(self, connection: sa.Connection) -> str | None:
        """None on servers that cannot share it, such as some standbys."""
        try:  # not in a savepoint: there it is refused
            found = connection.scalar(sa.text("SELECT pg_export_snapshot()"))
        except sa.exc.DBAPIError:
            connection.rollback()
            self.begin(connection, None)
            return None
        return found if re.fullmatch(r"[0-9A-Fa-f-]+", str(found)) else None

    def catalogue(self, connection: sa.Connection, most: int) -> list[Found]:
        """Tables and partitioned tables; no views, no foreign tables, no parts of others."""
        values = {"path": list(self._path), "most": most}
        found: dict[tuple[str, str], Found] = {}
        for row in connection.execute(sa.text(CATALOGUE), values):
            schema, name, column, declared, long, parts, usable, readable, policies = row
            table = found.setdefault((schema, name), Found(name, schema, whole=not parts))
            if policies:
                table.denied = "row policies hide part of it from this user"
            elif usable and readable:
                table.columns[column] = declared
                if long:
                    table.long.add(column)
        return list(found.values())

    def length(self, column: ColumnElement[Any], declared: str) -> ColumnElement[int]:
        """Of text and bytes without unpacking them; else what is stored, or where that is packed,
        how long it is as text."""
        if declared.startswith(("text", "character varying", "bytea")) and "[" not in declared:
            return sa.func.octet_length(column)
        as_text = sa.func.octet_length(sa.cast(column, sa.Text))
        # Of a large value alone: PostgreSQL packs to 1/255 at best, and unpacking takes time.
        stored = sa.func.pg_column_size(column)
        return sa.case((stored > max(1, self.limits.cell // 255), as_text), else_=stored)

    def blocks(
        self, connection: sa.Connection, table: Found, columns: Sequence[str]
    ) -> Generator[Rows]:
        """As many rows at a time as the longest row of the table allows."""
        query = self.selection(table, columns)
        count = self._rows_a_block(connection, table, columns)
        options = {"stream_results": True, "yield_per": count}
        result = connection.execute(query, execution_options=options)
        try:
            for part in result.partitions():
                yield self.unflagged(part, len(columns))
        finally:
            result.close()

    def _rows_a_block(self, connection: sa.Connection, table: Found, columns: Sequence[str]) -> int:
        """A number in a list takes four times its 8 bytes; what is too long is not sent."""
        source = self.source(table)
        lengths: list[ColumnElement[int]] = [
            sa.func.least(
                sa.func.coalesce(self.length(source.c[name], table.columns[name]), 0),
                self.limits.cell,
            )
            for name in columns
            if name in table.long
        ]
        longest = 0
        if lengths:
            total = functools.reduce(operator.add, lengths)
            longest = connection.scalar(self.select(table, source, sa.func.max(total))) or 0
        return max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * longest + 64 * len(columns) + 64)))

    def select(
        self, table: Found, source: sa.TableClause, *wanted: ColumnElement[Any]
    ) -> Select[tuple[Any, ...]]:
        """ONLY leaves out tables that inherit: they are listed by themselves."""
        query = super().select(table, source, *wanted)
        return query.with_hint(source, "ONLY") if table.whole else query

    def refusal(self, error: BaseException) -> str:
        """By the words of libpq or, in English, of the server."""
        text = str(getattr(error, "orig", error))
        for pattern, why in REFUSALS.items():
            if re.search(pattern, text):
                url = self.address.url
                return why.format(user=url.username or "(yours)", database=url.database)
        return f"no connection came about ({self.failure(error)}); psql may say more"

    def failure(self, error: BaseException) -> str:
        """The name that PostgreSQL's manual gives the error."""
        from psycopg import errors

        original = getattr(error, "orig", error)
        state = str(getattr(original, "sqlstate", None))
        try:
            return f"{errors.lookup(state).__name__} ({state})"
        except KeyError:
            return type(original).__name__


def _driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    found: psycopg.Connection[Any] = connection.connection.dbapi_connection  # type: ignore[assignment]
    return found


def _adapt(driver: psycopg.Connection[Any], _record: object) -> None:
    from psycopg.adapt import Loader
    from psycopg.types.string import TextLoader

    class Lenient(Loader):
        """Text of a database that never checked its encoding."""

        def load(self, data: bytes | bytearray | memoryview) -> str:
            return bytes(data).decode("utf-8", "replace")

    unchecked = driver.info.parameter_status("server_encoding") == "SQL_ASCII"
    loader: type[Loader] = Lenient if unchecked else TextLoader
    for kind in AS_TEXT:
        driver.adapters.register_loader(kind, loader)
    for kind in ARRAYS_AS_TEXT:
        if (info := driver.adapters.types.get(kind)) is not None:
            driver.adapters.register_loader(info.array_oid, TextLoader)
    if unchecked:
        others: tuple[int | str, ...] = (0, "text", "varchar", "bpchar", "name", "char")
        for kind_or_number in others:
            driver.adapters.register_loader(kind_or_number, loader)
