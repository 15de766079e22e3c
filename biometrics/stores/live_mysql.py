"""A MySQL or MariaDB server."""

from __future__ import annotations

import socket
from collections.abc import Generator, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.elements import ColumnElement

from biometrics.errors import InputError
from biometrics.stores.live_server import (
    BLOCK_BYTES,
    BLOCK_ROWS,
    CONNECT_SECONDS,
    Found,
    Login,
    Server,
)
from biometrics.stores.relational import Rows

SESSION = (
    "SET SESSION net_write_timeout = 86400",  # inverting a block may take long
    "SET SESSION sql_select_limit = 18446744073709551615",  # else rows may go missing unsaid
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION TRANSACTION READ ONLY",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)

CATALOGUE = """
SELECT c.TABLE_NAME, c.COLUMN_NAME, c.COLUMN_TYPE, c.CHARACTER_OCTET_LENGTH IS NOT NULL
       OR c.DATA_TYPE IN ('json', 'vector', 'geometry'), LOCATE('select', c.PRIVILEGES) > 0
FROM information_schema.COLUMNS c
JOIN information_schema.TABLES t
  ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
LIMIT :most
"""

REFUSALS = {
    1044: "user {user} may not open database {database!r}",
    1045: "the login of user {user} was refused",
    1049: "it has no database {database!r}",
    1698: "the login of user {user} was refused",
    1040: "it has no connection left",
    1130: "it lets nobody in from here",
    2026: "no secure connection came about (see ssl_ca)",
}

FAILURES = {
    1142: "no permission",
    1143: "no permission",
    1205: "another program holds a lock",
    1969: "it took too long",
    2006: "the connection was lost",
    2013: "the connection was lost",
    3024: "it took too long",
}


class MySql(Server):
    """Through PyMySQL: cursors that are not buffered. A connection reads one table at a time; a
    second one at the same time sees the data as they are when it begins."""

    @cached_property
    def engine(self) -> sa.Engine:
        """Without anything that a hostile server could ask this machine for."""
        from pymysql.constants import FIELD_TYPE
        from pymysql.converters import conversions

        dates = (FIELD_TYPE.DATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.TIME)
        wanted: dict[str, Any] = {
            "charset": "utf8mb4",
            "conv": {kind: load for kind, load in conversions.items() if kind not in dates},
            "local_infile": False,  # else a hostile server may ask for files of this machine
            "program_name": "faceleak",
            "sql_mode": "",
        }
        patience = str(self.address.url.query.get("connect_timeout", CONNECT_SECONDS))
        if not patience.isdecimal() or not 0 < int(patience) < 86400:
            raise InputError("connect_timeout in the address of a database is not in seconds")
        # The driver's own one ends when the line stands, before the server has said anything.
        wanted["connect_timeout"] = wanted["read_timeout"] = int(patience)
        engine = sa.create_engine(
            self.address.url.set(drivername="mysql+pymysql"),
            connect_args=wanted,
            poolclass=NullPool,
            pool_reset_on_return=None,  # it is closed then
            hide_parameters=True,
        )
        sa.event.listen(engine, "connect", self._connected)
        return engine

    def _connected(self, driver: Any, _record: object) -> None:
        """From here on a read may take as long as a statement, which the server ends first."""
        driver._read_timeout = 2 * self.limits.seconds

    def begin(self, connection: sa.Connection, snapshot: str | None) -> None:
        """READ ONLY and REPEATABLE READ; another connection's state cannot be asked for."""
        self._patience(connection, self.limits.seconds)
        for statement in SESSION:
            connection.exec_driver_sql(statement)

    @staticmethod
    def _patience(connection: sa.Connection, seconds: float) -> None:
        """How long a statement may take; 0 for ever."""
        if getattr(connection.dialect, "is_mariadb", False):
            connection.exec_driver_sql(f"SET SESSION max_statement_time = {seconds:.3f}")
        else:
            connection.exec_driver_sql(f"SET SESSION max_execution_time = {int(1000 * seconds)}")

    def login(self, connection: sa.Connection) -> Login:
        """Of these products no standard password is known, so none is compared."""
        known = connection.dialect.server_version_info or ()
        kind = "MariaDB" if getattr(connection.dialect, "is_mariadb", False) else "MySQL"
        version = ".".join(str(part) for part in known[:3] if isinstance(part, int))
        url = self.address.url
        place = url.query.get("unix_socket") or f"{url.host or 'localhost'}:{url.port or 3306}"
        return Login(str(place), str(url.database), f"{kind} {version} server", None)

    def catalogue(self, connection: sa.Connection, most: int) -> list[Found]:
        """Tables of the database that the address names; no views."""
        found: dict[str, Found] = {}
        for row in connection.execute(sa.text(CATALOGUE), {"most": most}):
            name, column, declared, long, readable = row
            table = found.setdefault(name, Found(name))
            if readable:
                table.columns[column] = declared
                if long:
                    table.long.add(column)
        return list(found.values())

    def length(self, column: ColumnElement[Any], declared: str) -> ColumnElement[int]:
        """Bytes."""
        return sa.func.octet_length(column)

    def blocks(
        self, connection: sa.Connection, table: Found, columns: Sequence[str]
    ) -> Generator[Rows]:
        """Row by row off the line, until they make a block."""
        # The time of a statement counts until its last row is taken, however slow we are.
        self._patience(connection, 0)
        options = {"stream_results": True, "max_row_buffer": 1}
        result = connection.execute(self.selection(table, columns), execution_options=options)
        block: list[Sequence[object]] = []
        size = 0
        for row in result:
            block.append(row)
            size += sum(len(value) for value in row if isinstance(value, str | bytes))
            if size >= BLOCK_BYTES or len(block) == BLOCK_ROWS:
                yield self.unflagged(block, len(columns))
                block, size = [], 0
        if block:
            yield self.unflagged(block, len(columns))
        self._patience(connection, self.limits.seconds)

    def drop(self, connection: sa.Connection) -> None:
        """Without the driver's habit of reading to the end what was asked for."""
        if not connection.closed and not connection.invalidated:
            driver: Any = connection.connection.dbapi_connection
            unread = getattr(driver, "_result", None)
            if unread is not None:
                unread.unbuffered_active = False
        super().drop(connection)

    def refusal(self, error: BaseException) -> str:
        """By the server's number, or by what the operating system said."""
        original = getattr(error, "orig", error)
        code = original.args[0] if original.args else None
        if code in REFUSALS:
            url = self.address.url
            return REFUSALS[code].format(user=url.username or "(yours)", database=url.database)
        cause = getattr(original, "original_exception", None)
        if isinstance(cause, socket.gaierror):
            return "no such host"
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
            return "nothing answers there"
        return f"no connection came about ({self.failure(error)}); the mysql client may say more"

    def failure(self, error: BaseException) -> str:
        """The server's number, and what it means where that helps."""
        original = getattr(error, "orig", error)
        code = original.args[0] if original.args else None
        if isinstance(code, int):
            return f"{FAILURES.get(code, 'the server says')} ({code})"
        return type(original).__name__
