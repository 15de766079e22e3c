"""What the statements of a dump say about tables: their names, columns and types, and the settings
under which the rows that follow are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from biometrics.errors import StoreError
from biometrics.stores.dump_lexer import Dialect, Grammar

NAME = 1000
"""The longest name in bytes; servers allow 64."""

TYPE = 200
"""As much of a declared type is kept."""


class TooMuchError(StoreError):
    """The dump has more of something than the limits allow: it is not read at all."""


class Key(NamedTuple):
    """Which table: several databases and schemas may have one of the same name."""

    database: str
    schema: str
    name: str


@dataclass(frozen=True)
class Column:
    """One column: its declared type, and whether its value is worked out and never written."""

    name: str
    declared: str
    generated: bool


@dataclass(frozen=True)
class Settings:
    r"""Under which statements are read.

    Attributes:
        database: as the last ``\connect`` or ``USE`` says.
        schema: of tables that name none.
        encoding: of text, as Python calls it.
        backslash: whether ordinary strings have backslash escapes.
    """

    database: str = ""
    schema: str = ""
    encoding: str = "utf-8"
    backslash: bool = False


def first_settings(dialect: Dialect) -> Settings:
    """How a dump begins."""
    schema = "public" if dialect.engine == "postgresql" else ""
    return Settings(schema=schema, backslash=dialect.backslash)


VALUE = rb"\s*(?:=|\bTO\b)\s*['\"`]?([^'\"`,;\s]*)"
CHANGES = (
    ("encoding", re.compile(rb"\s*SET\s+client_encoding" + VALUE, re.IGNORECASE)),
    ("encoding", re.compile(rb"\s*SET\s+NAMES\s+['\"]?(\w+)", re.IGNORECASE)),
    ("backslash", re.compile(rb"\s*SET\s+standard_conforming_strings" + VALUE, re.IGNORECASE)),
    ("schema", re.compile(rb"\s*SET\s+search_path" + VALUE, re.IGNORECASE)),
    ("database", re.compile(rb"\s*USE\s+[`\"]?([^`\";]*)", re.IGNORECASE)),
    (
        "database",
        re.compile(rb"\\c(?:onnect)?\s+(?:-\S+\s+)*(?:['\"]?dbname=)?['\"]*([^'\"\s]*)"),
    ),
)


def changed(settings: Settings, statement: bytes, dialect: Dialect) -> Settings:
    """The settings after a statement, a comment that MySQL carries out, or a line of psql."""
    for what, pattern in CHANGES:
        if (found := pattern.match(statement)) is None:
            continue
        value = found[1].decode("utf-8", "replace")
        if what == "encoding":
            return replace(settings, encoding=python_encoding(value, dialect))
        if what == "backslash":
            off = value.lower() in ("off", "false", "0", "no")
            return replace(settings, backslash=off and dialect.engine == "postgresql")
        if what == "schema":
            return replace(settings, schema=value or "public")
        back = first_settings(dialect)
        return replace(settings, database=value[:NAME], schema=back.schema)
    return settings


def python_encoding(name: str, dialect: Dialect) -> str:
    """Python's name of a server's encoding; UTF-8 for what it has none for."""
    plain = name.lower().replace("_", "").replace("-", "")
    if dialect.engine == "mysql" and plain == "latin1":
        return "cp1252"  # so it is in MySQL, whatever it calls it
    if found := re.fullmatch(r"latin([1-9])", plain):
        part = {"5": "9", "6": "10", "7": "13", "8": "14", "9": "15"}.get(found[1], found[1])
        return f"iso8859-{part}"
    if found := re.fullmatch(r"(?:win|cp)(125[0-8]|866|874)", plain):
        return f"cp{found[1]}"
    known = {"koi8r": "koi8-r", "koi8u": "koi8-u", "eucjp": "euc-jp", "euckr": "euc-kr"}
    return known.get(plain, "utf-8")


def table_key(written: bytes, settings: Settings, dialect: Dialect, patterns: Grammar) -> Key:
    """Which table a name means."""
    parts = [plain_name(part, dialect) for part in patterns.name.findall(written)]
    if dialect.engine == "postgresql":
        schema = parts[-2] if len(parts) > 1 else settings.schema
        return Key(settings.database, schema, parts[-1])
    if dialect.engine == "mysql":
        return Key(parts[-2] if len(parts) > 1 else settings.database, "", parts[-1])
    return Key("", "", parts[-1])


def plain_name(written: bytes, dialect: Dialect) -> str:
    """A name without its quotes; PostgreSQL writes in small letters what has none.

    Raises:
        TooMuchError: longer than any server allows.
    """
    if len(written) > NAME:
        raise TooMuchError(f"the dump has a table or column name of more than {NAME:,} bytes")
    mark = written[:1]
    if mark in (b'"', b"`"):
        return written[1:-1].replace(mark * 2, mark).decode("utf-8", "replace")
    if mark == b"[":
        return written[1:-1].decode("utf-8", "replace")
    text = written.decode("utf-8", "replace")
    return text.lower() if dialect.engine == "postgresql" else text


def column_list(
    written: bytes | None, dialect: Dialect, patterns: Grammar, most: int
) -> tuple[str, ...]:
    """The names of ``(a, "b")``; nothing where there is no list.

    Raises:
        TooMuchError: more columns than the limit.
    """
    if not written:
        return ()
    found: list[str] = []
    for part in patterns.name.finditer(written):
        found.append(plain_name(part[0], dialect))
        if len(found) > most:
            raise TooMuchError(f"the dump has a table of more than {most:,} columns")
    return tuple(found)


CONSTRAINT = rb"CONSTRAINT|PRIMARY\s+KEY|UNIQUE|CHECK|FOREIGN\s+KEY|EXCLUDE\s+USING|LIKE"
INDEX = rb"|KEY|INDEX|FULLTEXT|SPATIAL|PERIOD"
NO_COLUMN = re.compile(rb"(?i)\s*(?:" + CONSTRAINT + rb")\b")
NO_MYSQL_COLUMN = re.compile(rb"(?i)\s*(?:" + CONSTRAINT + INDEX + rb")\b")
BEHIND_TYPE = re.compile(
    rb"(?i)(?:^|\s+)(?:NOT\s+NULL|NULL|DEFAULT|CONSTRAINT|PRIMARY|UNIQUE|CHECK|REFERENCES|COLLATE|"
    rb"GENERATED|AUTO_INCREMENT|AUTOINCREMENT|COMMENT|CHARACTER\s+SET|CHARSET|AS|ON|STORAGE|"
    rb"COMPRESSION|KEY|OPTIONS|INVISIBLE|VISIBLE|VIRTUAL|PERSISTENT)\b|/\*"
)
COMMENT = re.compile(rb"('[^']*'|\"[^\"]*\"|`[^`]*`)|--[^\n]*|/\*.*?\*/", re.DOTALL)
GENERATED = re.compile(rb"(?i)\bAS\s*\(")


def columns_of(body: bytes, dialect: Dialect, patterns: Grammar, most: int) -> list[Column]:
    """The columns of ``CREATE TABLE … (body) …``; ``body`` begins with the bracket.

    Raises:
        TooMuchError: more columns than the limit.
    """
    found: list[Column] = []
    body = COMMENT.sub(lambda part: part[1] or b" ", body)
    row = patterns.last_row.match(body)
    skip = NO_MYSQL_COLUMN if dialect.engine == "mysql" else NO_COLUMN
    for part in _parts(row[1][1:-1] if row else b"", patterns):
        if skip.match(part) or (name := patterns.name.match(part)) is None:
            continue
        rest = part[name.end() :].strip()
        behind = BEHIND_TYPE.search(rest)
        declared = b" ".join((rest[: behind.start()] if behind else rest).split())
        text = declared[:TYPE].decode("utf-8", "replace")
        generated = GENERATED.search(rest[behind.start() :]) is not None if behind else False
        found.append(Column(plain_name(name[0], dialect), text, generated))
        if len(found) > most:
            raise TooMuchError(f"the dump has a table of more than {most:,} columns")
    return found


def _parts(body: bytes, patterns: Grammar) -> Iterator[bytes]:
    for found in patterns.field.finditer(body):
        if part := found[0].strip():
            yield part
