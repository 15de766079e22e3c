from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biometrics.errors import StoreError
from biometrics.stores.limits import DEFAULT_LIMITS, Limits
from biometrics.stores.relational import Database
from biometrics.stores.source import FileSource
from biometrics.stores.sql_dump import SqlDump
from tests.biometrics.stores.dumps import copy_cell, mysql_dump, pg_dump, pg_text, sqlite_dump
from tests.biometrics.stores.made import MadeTable

STYLES: dict[str, Callable[[list[MadeTable]], bytes]] = {
    "copy": partial(pg_dump, style="copy"),
    "inserts": partial(pg_dump, style="inserts"),
    "column-inserts": partial(pg_dump, style="column-inserts"),
    "mysql": partial(mysql_dump, rows_per_insert=3),
    "mysql-hex": partial(mysql_dump, rows_per_insert=3, hex_blob=True),
    "sqlite": sqlite_dump,
}
ODD = [
    (1, "O'N\xe9il; DROP TABLE x;", [0.5, -1.25e-05], b"\x00'\\\"\n\xff"),
    (2, "\\.", [1.0], b""),
    (3, None, None, None),
    (4, "a\tb\nc\\N\r\n\\'--/*", [2.5] * 4, bytes(range(256))),
    (5, "NULL", [], b"\\x41"),
]


def odd_table(style: str, name: str = "face_search", schema: str = "public") -> MadeTable:
    binary = "blob" if style.startswith(("mysql", "sqlite")) else "bytea"
    columns = {"id": "integer NOT NULL", "faceId": "text DEFAULT 'x, (y'"}
    columns |= {"embedding": "public.vector(512)", "content": binary}
    return MadeTable(name, columns, list(ODD), schema)


def dump_of(content: bytes, folder: Path, limits: Limits = DEFAULT_LIMITS) -> SqlDump:
    path = folder / "dump.sql"
    path.write_bytes(content)
    source = FileSource(path, limits)
    return SqlDump(source, limits)


def read(database: Database, table: str) -> list[tuple[Any, ...]]:
    columns = list(database.tables[table].columns)
    return [row for block in database.rows(table, columns) for row in block]


def expected(style: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Lists are text in every dump, and in COPY so are numbers."""

    def value(found: Any) -> Any:
        if found is None or isinstance(found, str | bytes):
            return found
        if isinstance(found, list):
            return (
                str(found)
                if style in ("mysql", "mysql-hex", "sqlite")
                else pg_text(found, "vector")
            )
        return str(found) if style == "copy" else found

    return [tuple(value(found) for found in row) for row in rows]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_every_value_comes_back(style: str, packed: bool, tmp_path: Path) -> None:
    content = STYLES[style]([MadeTable("other", {"a": "text"}, [("x",)]), odd_table(style)])
    database = dump_of(gzip.compress(content) if packed else content, tmp_path)
    assert read(database, "face_search") == expected(style, ODD)
    assert read(database, "other") == [("x",)]
    assert not database.cut
    assert database.tables["face_search"].rows == database.count("face_search") == 5
    assert database.count("face_search", "faceId") == 4
    assert database.tables["face_search"].columns["id"] == "integer"
    assert database.form.endswith("dump, gzip" if packed else "dump")


@pytest.mark.parametrize(
    ("style", "engine"), [("copy", "postgresql"), ("mysql", "mysql"), ("sqlite", "sqlite")]
)
def test_the_engine_and_the_form_are_told(style: str, engine: str, tmp_path: Path) -> None:
    database = dump_of(STYLES[style]([odd_table(style)]), tmp_path)
    assert database.engine == engine
    assert FileSource(tmp_path / "dump.sql", DEFAULT_LIMITS).form == "sql"


def test_some_columns_in_any_order(tmp_path: Path) -> None:
    database = dump_of(pg_dump([odd_table("copy")]), tmp_path)
    blocks = list(database.rows("face_search", ["faceId", "id"]))
    assert blocks[0][0] == ("O'N\xe9il; DROP TABLE x;", "1")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("style", ["copy", "sqlite", "mysql-hex"])
def test_dumps_in_utf16_with_a_mark(style: str, encoding: str, tmp_path: Path) -> None:
    text = STYLES[style]([odd_table(style)]).decode()
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    text = text.replace("'UTF8'", "'LATIN1'")  # of no matter: the file says what it is
    database = dump_of((mark + text).encode(encoding), tmp_path)
    assert read(database, "face_search") == expected(style, ODD)


def test_copy_with_windows_line_ends(tmp_path: Path) -> None:
    content = pg_dump([odd_table("copy")]).replace(b"\n", b"\r\n")
    assert read(dump_of(content, tmp_path), "face_search") == expected("copy", ODD)


def test_tables_of_one_name_in_two_schemas_and_two_databases(tmp_path: Path) -> None:
    first, second = odd_table("copy", schema="backup"), odd_table("copy")
    second.rows.append((6, "more", [], b""))
    whole = pg_dump([first, second])
    content = whole + b"\\connect other\n" + pg_dump([odd_table("copy")])
    database = dump_of(content, tmp_path)
    assert {name: table.rows for name, table in database.tables.items()} == {
        "backup.face_search": 5,
        "face_search": 6,
        "other.public.face_search": 5,
    }
    assert database.tables["backup.face_search"].schema == "backup"
    assert len(read(database, "other.public.face_search")) == 5


def test_older_dumps_name_the_schema_in_the_search_path(tmp_path: Path) -> None:
    content = (
        b"--\n-- PostgreSQL database dump\n--\nSET search_path = vectors, pg_catalog;\n"
        b"SET standard_conforming_strings = off;\n"
        b"CREATE TABLE t (a text);\nINSERT INTO t VALUES ('it\\'s \\\\ \\n');\n"
    )
    database = dump_of(content, tmp_path)
    assert database.tables["t"].schema == "vectors"
    assert read(database, "t") == [("it's \\ \n",)]


def test_text_in_the_encoding_that_the_dump_names(tmp_path: Path) -> None:
    for head, byte in ((b"SET client_encoding = 'LATIN1';", b"\xe9"), (b"", b"\xc3\xa9")):
        content = b"-- PostgreSQL database dump\n" + head + b"\nCREATE TABLE t (a text);\n"
        content += b"COPY t (a) FROM stdin;\nRen\xe9\n\\.\n".replace(b"\xe9", byte)
        assert read(dump_of(content, tmp_path), "t") == [("René",)]


def test_generated_columns_may_be_among_the_values(tmp_path: Path) -> None:
    content = b"PRAGMA x;\nCREATE TABLE t (a int, b int GENERATED ALWAYS AS (a+1), c text);\n"
    database = dump_of(content + b"INSERT INTO t VALUES(1,'x');\n", tmp_path)
    assert read(database, "t") == [(1, None, "x")]
    database = dump_of(content + b"INSERT INTO t VALUES(1,2,NULL);\n", tmp_path)
    assert read(database, "t") == [(1, 2, None)]
    assert [database.count("t", name) for name in "abc"] == [1, 1, 0]


def test_names_with_quotes_and_statements(tmp_path: Path) -> None:
    name = 'a"b; DROP TABLE x; --`'
    for style, write in STYLES.items():
        table = MadeTable(name, {'c"`;(': "text"}, [("x",), (None,)])
        database = dump_of(write([table]), tmp_path)
        assert read(database, name) == [("x",), (None,)], style
        assert database.count(name, 'c"`;(') == 1


def test_rows_of_alternating_tables(tmp_path: Path) -> None:
    lines = ["PRAGMA foreign_keys=OFF;", "CREATE TABLE a (x int);", "CREATE TABLE b (x int);"]
    lines += [f"INSERT INTO {'ab'[i % 2]} VALUES({i});" for i in range(5000)]
    database = dump_of("\n".join(lines).encode(), tmp_path)
    assert read(database, "b") == [(i,) for i in range(1, 5000, 2)]
    assert database.count("a") == 2500


def test_sqlite_itself_agrees(tmp_path: Path) -> None:
    with sqlite3.connect(":memory:") as made:
        made.execute("CREATE TABLE f (id INTEGER PRIMARY KEY, name TEXT, v BLOB, d REAL)")
        rows = [(i, f"a'{i}\n;)", bytes([i, 39, 0]), i / 3) for i in range(50)]
        made.executemany("INSERT INTO f VALUES (?,?,?,?)", rows)
        content = "\n".join(made.iterdump())
    made.close()
    assert read(dump_of(content.encode(), tmp_path), "f") == rows


TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text("'\"\\`;,()[]{}-/*$#eEN.\n\r\t\x1a ", max_size=12),
    st.sampled_from(["\\.", "\\N", "NULL", "'", "\n\\.\n", "E'\\'", "/*", "--", "$$", "\\x41"]),
)
NAMES = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8)
VALUES = st.one_of(st.none(), TEXT)


@st.composite
def made_tables(draw: st.DrawFn) -> list[MadeTable]:
    tables = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=str.casefold)):
        columns = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
        rows = draw(st.lists(st.tuples(*[VALUES] * len(columns)), max_size=5))
        tables.append(MadeTable(name, dict.fromkeys(columns, "text"), rows))
    return tables


@pytest.mark.parametrize("style", STYLES)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables=made_tables())
def test_any_text_survives(style: str, tables: list[MadeTable], tmp_path: Path) -> None:
    database = dump_of(STYLES[style](tables), tmp_path)
    assert not database.cut
    for table in tables:
        assert read(database, table.name) == table.rows
        for at, column in enumerate(table.columns):
            nulls = sum(row[at] is None for row in table.rows)
            assert database.count(table.name, column) == len(table.rows) - nulls


def test_unknown_tables_and_columns_are_named(tmp_path: Path) -> None:
    database = dump_of(pg_dump([odd_table("copy")]), tmp_path)
    with pytest.raises(StoreError, match="has no table 'x'"):
        database.rows("x", [])
    with pytest.raises(StoreError, match="has no column 'y'"):
        database.rows("face_search", ["y"])
    assert copy_cell(None) == "\\N"
