"""How SQL is spelled in dumps: names, strings, comments and rows, as patterns over bytes.

No pattern goes back: whether a row is accepted does not depend on what follows it. Rounds that may
stop half-way are in atomic groups and not possessive, because Python before 3.11.5 goes on at the
wrong place behind these. The patterns find where things
end; what they mean is for dump_values.py and dump_schema.py.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from biometrics.stores.source import FileSource

NESTED = 5
"""Brackets within brackets that a row may have; sqlite3 writes up to four."""


def _but(marks: bytes) -> bytes:
    """All bytes but those: spelled out, because re is thrice as fast with it as with ``[^…]``."""
    return b"[" + b"".join(b"\\x%02x" % code for code in range(256) if code not in marks) + b"]"


def _many(item: bytes) -> bytes:
    """As many as there are, never fewer; in two steps, because re keeps a note of each round until
    a group is through."""
    return b"(?>(?:(?>(?:" + item + b"){1,4096}))*)"


BACKSLASHED = b"'(?:" + _but(b"'\\") + rb"++|\\.|'')*+'"
DOUBLED = rb"'(?:[^']++|'')*+'"
EXTENDED = rb"'(?<=[eE]')(?<![\w$][eE]')" + BACKSLASHED[1:]
NOT_EXTENDED = rb"'(?:(?<![eE]')|(?<=[\w$][eE]'))" + DOUBLED[1:]
BARE = rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*+"


@dataclass(frozen=True)
class Dialect:
    """What one tool's dumps look like.

    Attributes:
        engine: ``postgresql``, ``mysql`` or ``sqlite``.
        tool: in words.
        backslash: whether a backslash in an ordinary string begins an escape.
    """

    engine: str
    tool: str
    backslash: bool


def dialect_of(source: FileSource) -> Dialect:
    """Whose dump it is, by how it begins."""
    head = source.head.decode(source.encoding, "replace")
    if "-- MariaDB dump" in head:
        return Dialect("mysql", "MariaDB dump", True)
    if "-- PostgreSQL database" in head:
        return Dialect("postgresql", "PostgreSQL dump", False)
    if "-- MySQL dump" in head:
        return Dialect("mysql", "MySQL dump", True)
    marks = (
        ("postgresql", r"(?im)^COPY [^;]{1,9999} FROM stdin|^SET (client_encoding|search_path) "),
        ("postgresql", r"(?i)CREATE TABLE (public\.|[^;]{1,9999}\w (uuid|bytea|vector\(\d+\)))"),
        ("sqlite", r"(?im)^PRAGMA \w|AUTOINCREMENT|^BEGIN TRANSACTION;"),
        ("mysql", r"(?i)`|/\*!\d{5}|\) *ENGINE *=|^DELIMITER "),
    )
    for engine, mark in marks:
        if re.search(mark, head):
            tool = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mysql": "MySQL"}[engine]
            return Dialect(engine, f"{tool} dump", engine == "mysql")
    return Dialect("sqlite", "SQL dump", False)


@dataclass(frozen=True)
class Grammar:
    """The patterns of a dialect.

    Attributes:
        row: white space, a row in brackets (group 1), and the comma or semicolon behind it.
        last_row: the same without what is behind.
        field: one value of a row; all of them are what it finds between the outer brackets.
        string: a string, from quote to quote.
        blank: white space, semicolons and comments to the end of their line.
        insert: the head of a statement up to its first row: table and columns are groups.
        copy: the head of COPY to the end of its line: table, columns and options are groups.
        create: the head of CREATE TABLE up to its bracket: the table is a group.
        special: where a plain walk through a statement has to look.
        name: one part of a name.
    """

    row: re.Pattern[bytes]
    last_row: re.Pattern[bytes]
    field: re.Pattern[bytes]
    string: re.Pattern[bytes]
    blank: re.Pattern[bytes]
    insert: re.Pattern[bytes]
    copy: re.Pattern[bytes]
    create: re.Pattern[bytes]
    special: re.Pattern[bytes]
    name: re.Pattern[bytes]


@functools.cache
def grammar(engine: str, backslash: bool) -> Grammar:
    """The patterns for an engine whose ordinary strings have backslash escapes or not."""
    mysql = engine == "mysql"
    names = [rb'"(?:[^"\\]++|\\.|"")*+"' if mysql else rb'"(?:[^"]++|"")*+"']
    if engine != "postgresql":
        names.append(rb"`(?:[^`]++|``)*+`")
    strings = [BACKSLASHED] if backslash else [DOUBLED]
    if engine == "postgresql" and not backslash:
        strings = [EXTENDED, NOT_EXTENDED]
    quoted = b"|".join(strings + names)
    quotes = b"'\"" if engine == "postgresql" else b"'\"`"
    inside = _but(b"()[]" + quotes) + b"++|" + quoted
    nested = inside
    for _ in range(NESTED - 1):
        nested = inside + rb"|[(\[]" + _many(nested) + rb"[)\]]"
    bracket = rb"[(\[]" + _many(nested) + rb"[)\]]"
    row = rb"\s*+(\(" + _many(inside + b"|" + bracket) + rb"\))\s*+"
    field = rb"(?=[^,])" + _many(_but(b",()[]" + quotes) + b"++|" + quoted + b"|" + bracket)
    square = [rb"\[[^\]]++\]"] if engine == "sqlite" else []
    part = b"(?:" + b"|".join([*names, BARE, *square]) + b")"
    name = part + rb"(?>(?:\s*\.\s*" + part + rb"){0,2})"
    columns = rb"(\(" + _many(b"[^()" + quotes[1:] + b"]++|" + b"|".join(names)) + rb"\))?"
    words = rb"(?>(?:\s+(?:IGNORE|LOW_PRIORITY|DELAYED|HIGH_PRIORITY|OR\s+\w+))*)"
    kinds = rb"(?>(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|FOREIGN|OR|REPLACE|VIRTUAL)\s+)*)"
    hash_comment = rb"|#[^\n]*\n" if mysql else b""
    heads = re.DOTALL | re.IGNORECASE
    return Grammar(
        row=re.compile(row + rb"([,;])", re.DOTALL),
        last_row=re.compile(row, re.DOTALL),
        field=re.compile(field, re.DOTALL),
        string=re.compile(b"|".join(strings + names), re.DOTALL),
        blank=re.compile(rb"(?>(?:[\s;\x00]++|--[^\n]*\n" + hash_comment + rb"){0,1000})"),
        insert=re.compile(
            rb"(?:INSERT|REPLACE)"
            + words
            + rb"\s+INTO\s+("
            + name
            + rb")\s*"
            + columns
            + rb"\s*(?:OVERRIDING\s+\w+\s+VALUE\s+)?VALUES?(?=[\s(])",
            heads,
        ),
        copy=re.compile(
            rb"COPY\s+(" + name + rb")\s*" + columns + rb"\s*FROM\s+stdin\b([^;\n]*);?[ \t]*\r?\n",
            heads,
        ),
        create=re.compile(
            rb"CREATE\s+" + kinds + rb"TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + name + rb")\s*(?=\()",
            heads,
        ),
        special=re.compile(rb"[;'\"`$#]|--|/\*" if mysql else rb"[;'\"`$]|--|/\*"),
        name=re.compile(part, re.DOTALL),
    )


DOLLAR = re.compile(rb"\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*+)?\$")

MARK = re.compile(
    rb"\n(?=INSERT INTO |REPLACE INTO |COPY |CREATE TABLE |(?:UN)?LOCK TABLES|\\connect |-- )"
)
"""Line starts at which reading goes on behind damage."""
