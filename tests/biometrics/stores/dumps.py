"""Writers of SQL dumps, after what pg_dump, mysqldump and sqlite3 document and print: with their
comments and settings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from tests.biometrics.stores.made import MadeTable

Style = Literal["copy", "inserts", "column-inserts"]

PG_HEAD = """--
-- PostgreSQL database dump
--

-- Dumped from database version 16.3 (Debian 16.3-1.pgdg120+1)
-- Dumped by pg_dump version 16.3 (Debian 16.3-1.pgdg120+1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;

--
-- Name: EXTENSION vector; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION vector IS 'vector data type; and ''ivfflat'' access method';


CREATE FUNCTION public.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $_$
BEGIN
    INSERT INTO audit VALUES ('it''s; $1', now());
    RETURN NEW;
END;
$_$;


SET default_tablespace = '';

"""

COPY_ESCAPES = {
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
MYSQL_ESCAPES = {
    "\0": "\\0",
    "\n": "\\n",
    "\r": "\\r",
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "\x1a": "\\Z",
}


def pg_dump(tables: list[MadeTable], *, style: Style = "copy") -> bytes:
    """A dump of PostgreSQL."""
    out = [PG_HEAD]
    for table in tables:
        out.append(f"--\n-- Name: {table.name}; Type: TABLE; Schema: {table.schema}\n--\n\n")
        columns = ",\n".join(
            f"    {_double(name)} {declared}" for name, declared in table.columns.items()
        )
        out.append(f"CREATE TABLE {_pg_name(table)} (\n{columns}\n);\n\n\n")
    for table in tables:
        out.append(f"--\n-- Data for Name: {table.name}; Type: TABLE DATA\n--\n\n")
        out += _pg_copy(table) if style == "copy" else _pg_inserts(table, style)
        out.append("\n\n")
    out.append("--\n-- PostgreSQL database dump complete\n--\n\n")
    return "".join(out).encode()


def _pg_name(table: MadeTable) -> str:
    return f"{_double(table.schema)}.{_double(table.name)}"


def _double(name: str) -> str:
    """Quoted where pg_dump does it."""
    if name.isascii() and name.isidentifier() and name == name.lower():
        return name
    return '"' + name.replace('"', '""') + '"'


def _pg_copy(table: MadeTable) -> Iterator[str]:
    columns = ", ".join(map(_double, table.columns))
    yield f"COPY {_pg_name(table)} ({columns}) FROM stdin;\n"
    for row in table.rows:
        cells = zip(row, table.columns.values(), strict=True)
        yield "\t".join(copy_cell(value, declared) for value, declared in cells) + "\n"
    yield "\\.\n"


def copy_cell(value: Any, declared: str = "") -> str:
    """A value as COPY writes it."""
    if value is None:
        return "\\N"
    text = pg_text(value, declared)
    return "".join(COPY_ESCAPES.get(letter, letter) for letter in text)


def pg_text(value: Any, declared: str = "") -> str:
    """A value as PostgreSQL prints it."""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, list):
        inner = ",".join(map(str, value))
        return f"[{inner}]" if "vector" in declared else f"{{{inner}}}"
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return str(value)


def _pg_inserts(table: MadeTable, style: Style) -> Iterator[str]:
    columns = f" ({', '.join(map(_double, table.columns))})" if style == "column-inserts" else ""
    for row in table.rows:
        cells = zip(row, table.columns.values(), strict=True)
        values = ", ".join(_pg_literal(value, declared) for value, declared in cells)
        yield f"INSERT INTO {_pg_name(table)}{columns} VALUES ({values});\n"


def _pg_literal(value: Any, declared: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    return "'" + pg_text(value, declared).replace("'", "''") + "'"


MYSQL_HEAD = """-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: photos
-- ------------------------------------------------------
-- Server version\t10.11.6-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;

"""
MYSQL_TAIL = """/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/;
DELIMITER ;;
CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN
INSERT INTO markers VALUES ('a', 'b;
END ;;
DELIMITER ;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;

-- Dump completed on 2026-03-01 12:00:00
"""


def mysql_dump(
    tables: list[MadeTable], *, rows_per_insert: int = 50, hex_blob: bool = False
) -> bytes:
    """A dump of MySQL or MariaDB; binary values are raw bytes unless ``hex_blob``."""
    out = [MYSQL_HEAD.encode()]
    for table in tables:
        name = _backtick(table.name)
        lines = [f"  {_backtick(column)} {kind}" for column, kind in table.columns.items()]
        if table.columns:
            lines.append(f"  KEY `by_first` ({_backtick(next(iter(table.columns)))}(10))")
        head = f"DROP TABLE IF EXISTS {name};\nCREATE TABLE {name} (\n" + ",\n".join(lines)
        head += "\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT='a; ''b''';\n\n"
        head += f"LOCK TABLES {name} WRITE;\n/*!40000 ALTER TABLE {name} DISABLE KEYS */;\n"
        out.append(head.encode())
        for first in range(0, len(table.rows), rows_per_insert):
            rows = table.rows[first : first + rows_per_insert]
            values = b",\n".join(_mysql_row(row, hex_blob) for row in rows)
            out.append(f"INSERT INTO {name} VALUES\n".encode() + values + b";\n")
        out.append(f"/*!40000 ALTER TABLE {name} ENABLE KEYS */;\nUNLOCK TABLES;\n\n".encode())
    return b"".join(out) + MYSQL_TAIL.encode()


def _backtick(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _mysql_row(row: tuple[Any, ...], hex_blob: bool) -> bytes:
    return b"(" + b",".join(_mysql_literal(value, hex_blob) for value in row) + b")"


def _mysql_literal(value: Any, hex_blob: bool) -> bytes:
    if value is None:
        return b"NULL"
    if isinstance(value, bytes) and hex_blob and value:
        return b"0x" + value.hex().upper().encode()
    if isinstance(value, bytes):
        escapes = {ord(mark): text.encode() for mark, text in MYSQL_ESCAPES.items()}
        return b"_binary '" + b"".join(escapes.get(c, bytes([c])) for c in value) + b"'"
    if isinstance(value, int | float):
        return str(int(value) if isinstance(value, bool) else value).encode()
    text = value if isinstance(value, str) else str(value)
    return b"'" + "".join(MYSQL_ESCAPES.get(mark, mark) for mark in text).encode() + b"'"


def sqlite_dump(tables: list[MadeTable]) -> bytes:
    """What sqlite3's ``.dump`` prints."""
    out = ["PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"]
    for table in tables:
        columns = ", ".join(f"{_always(name)} {kind}" for name, kind in table.columns.items())
        out.append(f"CREATE TABLE {_always(table.name)} ({columns});\n")
        for row in table.rows:
            values = ",".join(map(_sqlite_literal, row))
            out.append(f"INSERT INTO {_always(table.name)} VALUES({values});\n")
    return ("".join(out) + "COMMIT;\n").encode()


def _always(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sqlite_literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, int | float):
        return str(int(value) if isinstance(value, bool) else value)
    text = "'" + str(value).replace("'", "''") + "'"
    for mark, name in (("\n", "\\n"), ("\r", "\\r")):
        if mark in text:
            while name in text:
                name = f"({name})"
            text = f"replace({text.replace(mark, name)},'{name}',char({ord(mark)}))"
    return text
