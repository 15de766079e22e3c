from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from biometrics.errors import InputError, StoreError
from biometrics.stores.dump_stream import Window
from biometrics.stores.limits import KIB, MIB, Limits
from biometrics.stores.relational import Damaged, Rows
from biometrics.stores.source import FileSource
from biometrics.stores.sql_dump import SqlDump
from tests.biometrics.stores.dumps import mysql_dump, pg_dump
from tests.biometrics.stores.made import MadeTable
from tests.biometrics.stores.test_sql_dump import dump_of, read

SMALL = Limits(cell=10 * KIB)
HEAD = b"-- PostgreSQL database dump\nCREATE TABLE t (a text, b text);\n"
TAIL = b"INSERT INTO t VALUES ('last', 'row');\n"


def test_a_cut_dump_gives_the_rows_before_and_says_so(tmp_path: Path) -> None:
    table = MadeTable("t", {"a": "text"}, [(f"row {i} " + "x" * 50,) for i in range(1000)])
    for content in (pg_dump([table]), mysql_dump([table]), pg_dump([table], style="inserts")):
        database = dump_of(content[: content.index(b"row 700 ") + 20], tmp_path)
        found: Rows = []
        with pytest.raises(StoreError, match="cut off or damaged"):
            found.extend(row for block in database.rows("t", ["a"]) for row in block)
        assert found == table.rows[:700]
        assert database.count("t") == 700
        assert "cut off or damaged" in database.cut


def test_a_table_whose_rows_would_come_behind_the_cut_is_not_called_empty(tmp_path: Path) -> None:
    tables = [MadeTable(name, {"a": "text"}, [("x" * 99,)] * 9) for name in ("s", "t")]
    content = pg_dump(tables)
    database = dump_of(content[: content.index(b"COPY") + 300], tmp_path)
    with pytest.raises(StoreError, match="cut off or damaged"):
        list(database.rows("t", ["a"]))


def test_a_cut_gzip_file_gives_the_rows_before(tmp_path: Path) -> None:
    rows = [(f"{i * 7919 % 99991:x}" * 20,) for i in range(40_000)]
    packed = gzip.compress(pg_dump([MadeTable("t", {"a": "text"}, rows)]), 1)
    database = dump_of(packed[: len(packed) // 2], tmp_path)
    found: Rows = []
    with pytest.raises(StoreError, match="damaged gzip file"):
        found.extend(row for block in database.rows("t", ["a"]) for row in block)
    assert found == rows[: len(found)]
    assert 10_000 < len(found) == database.count("t")


def test_gzip_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.sql.gz"
    path.write_bytes(gzip.compress(HEAD + b"COPY t (a, b) FROM stdin;\n" + b"x\ty\n" * 3_000_000))
    database = SqlDump(FileSource(path, limits := Limits(ratio_from=MIB)), limits)
    with pytest.raises(InputError, match="unpacks to more than"):
        print(database.tables)


def test_a_line_of_copy_that_is_too_long_is_one_damaged_row(tmp_path: Path) -> None:
    for size in (20_000, 3 * MIB):
        content = HEAD + b"COPY t (a, b) FROM stdin;\n1\t2\n" + b"x" * size + b"\ty\n3\t\\N\n\\.\n"
        database = dump_of(content, tmp_path, SMALL)
        rows = read(database, "t")
        assert rows[0] == ("1", "2")
        assert isinstance(rows[1][0], Damaged)
        assert rows[2] == ("3", None)
        assert len(rows) == database.count("t") == 3
        assert database.count("t", "b") == 2


def test_a_row_of_insert_that_is_too_long_is_one_damaged_row(tmp_path: Path) -> None:
    for size in (20_000, 3 * MIB):
        long = b"INSERT INTO t VALUES ('" + b"x" * size + b"', 'y');\n"
        database = dump_of(HEAD + TAIL + long + TAIL, tmp_path, SMALL)
        rows = read(database, "t")
        assert [isinstance(row[0], Damaged) for row in rows] == [False, True, False]
        assert database.count("t") == 3


@pytest.mark.parametrize(
    "middle",
    [
        b"INSERT INTO t VALUES ('never closed, 'x');\n",
        b"INSERT INTO t VALUES 7;\n",
        b"INSERT INTO t VALUES " + b"(" * 5000 + b";\n",
        b"SELECT 'never closed;\n",
        b"CREATE FUNCTION f() AS $x$ never closed;\n",
        b"/* never closed\n",
        b"CREATE TABLE u (a text, b text;\n",
        b'CREATE TABLE "never closed (a text);\n',
        b"INSERT INTO u SELECT * FROM t;\n",
        b"COPY t (a, b) FROM '/etc/passwd';\n",
        b"\x00\x00\x00\n",
        b"\\! rm -rf x\n",
    ],
)
def test_reading_goes_on_behind_a_damaged_statement(middle: bytes, tmp_path: Path) -> None:
    rows = read(dump_of(HEAD + TAIL + middle + TAIL, tmp_path), "t")
    assert rows[0] == rows[-1] == ("last", "row")
    assert len([row for row in rows if row == ("last", "row")]) == 2


def test_rows_with_another_number_of_values_are_damaged(tmp_path: Path) -> None:
    content = HEAD + b"COPY t (a, b) FROM stdin;\n1\n1\t2\t3\n1\t2\n\\.\n"
    content += b"INSERT INTO t VALUES ('1'), ('1', '2'), ('1', now());\n"
    rows = read(dump_of(content, tmp_path), "t")
    assert [row[1].why if isinstance(row[1], Damaged) else row[1] for row in rows] == [
        "1 values for 2 columns",
        "3 values for 2 columns",
        "2",
        "1 values for 2 columns",
        "2",
        "an expression instead of a value",
    ]


def test_copy_in_another_form_is_not_misread(tmp_path: Path) -> None:
    content = HEAD + b"COPY t (a, b) FROM stdin WITH (FORMAT csv);\n1,2\n\\.\n"
    assert "another form" in read(dump_of(content, tmp_path), "t")[0][0].why


def test_more_tables_or_columns_than_the_limit_are_refused(tmp_path: Path) -> None:
    columns = ", ".join(f"c{i} int" for i in range(100_000))
    with pytest.raises(StoreError, match="more than 10,000 columns"):
        print(dump_of(f"CREATE TABLE t ({columns});".encode(), tmp_path).tables)
    names = ", ".join(f"c{i}" for i in range(20_000))
    with pytest.raises(StoreError, match="more than 10,000 columns"):
        print(dump_of(f"INSERT INTO t ({names}) VALUES (1);".encode(), tmp_path).tables)
    many = "".join(f"CREATE TABLE t{i} (a int);\n" for i in range(20))
    with pytest.raises(StoreError, match="more than 10 tables"):
        print(dump_of(many.encode(), tmp_path, Limits(tables=10)).tables)
    long = f'CREATE TABLE "{"x" * 2000}" (a int);'
    with pytest.raises(StoreError, match="more than 1,000 bytes"):
        print(dump_of(long.encode(), tmp_path).tables)


def test_damage_everywhere_ends_the_reading(tmp_path: Path) -> None:
    content = HEAD + b"INSERT INTO t VALUES ('\nINSERT INTO t VALUES (x\n" * 100_000
    database = dump_of(content, tmp_path)
    assert "too many places" in database.cut


def test_memory_stays_flat(tmp_path: Path) -> None:
    vector = b"[" + b",".join([b"0.123456"] * 512) + b"]"
    lines = HEAD + b"COPY t (a, b) FROM stdin;\n" + (b"x\t" + vector + b"\n") * 6000 + b"\\.\n"
    one_insert = HEAD + b"INSERT INTO t VALUES " + (b"('x','" + vector + b"'),") * 6000
    for content in (lines, one_insert[:-1] + b";\n"):
        database = dump_of(content, tmp_path)
        tracemalloc.start()
        count = sum(len(block) for block in database.rows("t", ["b"]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == 6000
        assert peak < 20 * MIB < len(content)


def test_statements_inside_routines_and_triggers_hold_no_rows(tmp_path: Path) -> None:
    insides = (
        b"CREATE FUNCTION f() RETURNS void BEGIN ATOMIC INSERT INTO t VALUES ('x', 'y'); END;\n",
        b"CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t VALUES ('x', 'y'); END;\n",
        b"CREATE FUNCTION f() RETURNS trigger AS $_$ INSERT INTO t VALUES ('x', 'y'); $_$;\n",
        b"CREATE TRIGGER g BEFORE UPDATE ON t EXECUTE FUNCTION f();\n",
    )
    for inside in insides:
        assert read(dump_of(HEAD + inside + TAIL, tmp_path), "t") == [("last", "row")]


def test_extended_strings_in_rows_and_lines_that_only_begin_like_the_end(tmp_path: Path) -> None:
    content = HEAD + b"INSERT INTO t VALUES (e'a\\'b', E'\\\\'), ('e\\', 'x');\n"
    content += b"COPY t (a, b) FROM stdin;\n\\.x\ty\n\\.\n" + TAIL
    rows = [("a'b", "\\"), ("e\\", "x"), (".x", "y"), ("last", "row")]
    assert read(dump_of(content, tmp_path), "t") == rows


def test_what_lies_across_two_blocks_is_found() -> None:
    window = Window(iter([b"ab*", b"/c", b"*", b"/d"]))
    assert window.skip_past(b"*/")
    assert window.at == 4
    found = window.find(b"*/", 100)
    assert window.data[found:] == b"*/d"
    assert not window.skip_past(b"x")
