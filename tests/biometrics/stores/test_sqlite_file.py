"""SQLite files as attackers and disks leave them: nothing runs, and what can be read is read."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biometrics.errors import FaceleakError, StoreError
from biometrics.stores.base import open_store
from biometrics.stores.batch import StoreBatch
from biometrics.stores.limits import DEFAULT_LIMITS, Limits
from biometrics.stores.relational import Damaged, Value
from biometrics.stores.sqlite_file import SqliteDatabase
from tests.biometrics.stores.fuzz import EXAMPLES, SLOW_EXAMPLES, mutations
from tests.biometrics.stores.made import drawn_people
from tests.biometrics.stores.products import PRODUCTS, write_sqlite

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(*lines: str, name: str = "leak.db", page: int = 4096) -> Path:
        path = tmp_path / name
        with contextlib.closing(sqlite3.connect(path)) as base:
            base.execute(f"PRAGMA page_size={page}")
            for line in lines:
                base.execute(line)
            base.commit()
        return path

    return write


@contextlib.contextmanager
def opened(path: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[SqliteDatabase]:
    base = SqliteDatabase(path, limits)
    try:
        yield base
    finally:
        base.close()


def all_rows(base: SqliteDatabase, table: str, *columns: str) -> list[tuple[Value, ...]]:
    return [row for block in base.rows(table, columns) for row in block]


def test_a_python_that_can_load_no_extensions_reads_too(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bare(sqlite3.Connection):
        def __getattribute__(self, name: str) -> object:
            if name == "enable_load_extension":
                raise AttributeError(name)
            return super().__getattribute__(name)

    path = make("CREATE TABLE t(a)", "INSERT INTO t VALUES (1)")
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Bare))
    with opened(path) as base:
        assert all_rows(base, "t", "a") == [(1,)]


NASTY = ('a"b;--', "x'; DROP TABLE y;--", "тест 人", "select", "a.b", "line\nbreak", "[x]", "`q`")


@pytest.mark.parametrize("name", NASTY)
def test_names_are_quoted(name: str, make: Make) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    path = make(
        f"CREATE TABLE {quoted} ({quoted} TEXT, other)",
        f"INSERT INTO {quoted} VALUES ('''; DROP TABLE x;--', 1), (NULL, 2)",
    )
    with opened(path) as base:
        assert dict(base.tables[name].columns) == {name: "TEXT", "other": ""}
        assert all_rows(base, name, "other", name) == [(1, "'; DROP TABLE x;--"), (2, None)]
        assert (base.count(name), base.count(name, name)) == (2, 1)


@pytest.mark.parametrize("name", ["a b.db", "100%25?.db", "x#y.db", "mode=rw&immutable=0.db"])
def test_any_path_is_opened_and_nothing_is_written(name: str, make: Make) -> None:
    path = make("CREATE TABLE t(a)", "INSERT INTO t VALUES (1)", name=name)
    before = path.read_bytes()
    with opened(path) as base:
        assert all_rows(base, "t", "a") == [(1,)]
        with pytest.raises(sqlite3.DatabaseError):
            base._base.execute("CREATE TABLE u(a)")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_views_virtual_tables_and_computed_columns_are_left_out(make: Make) -> None:
    path = make(
        "CREATE TABLE t(a, twice AS (hex(a)), kept AS (a || a) STORED)",
        "INSERT INTO t VALUES (4)",
        "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT i AS embedding FROM n",
        "CREATE VIRTUAL TABLE words USING fts5(embedding)",
        "CREATE TRIGGER boom AFTER INSERT ON t BEGIN SELECT load_extension('x'); END",
    )
    with opened(path) as base:
        assert "endless" not in base.tables
        assert "words" not in base.tables
        assert list(base.tables["t"].columns) == ["a", "kept"]
        assert all_rows(base, "t", "a", "kept") == [(4, "44")]


def test_a_view_under_a_tables_name_does_not_run(make: Make) -> None:
    """The type in the schema is only a word that whoever wrote the file has chosen."""
    path = make("CREATE TABLE t(a)", "CREATE TABLE v(a)")
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA writable_schema=ON")
        sql = (
            "CREATE VIEW v AS WITH RECURSIVE n(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS a FROM n"
        )
        base.execute("UPDATE sqlite_master SET sql=? WHERE name='v'", (sql,))
        base.commit()
    with opened(path) as found:
        assert set(found.tables) == {"t"}


def test_functions_views_and_files_are_refused_to_every_query(make: Make) -> None:
    path = make("CREATE TABLE t(a)", "CREATE VIEW v AS SELECT a FROM t")
    with opened(path) as base:
        for line in (
            "SELECT hex(a) FROM t",
            "SELECT a FROM v",
            "ATTACH ':memory:' AS x",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        ):
            with pytest.raises(sqlite3.DatabaseError):
                base._base.execute(line).fetchone()


def test_one_broken_definition_does_not_hide_the_other_tables(make: Make) -> None:
    path = make("CREATE TABLE t(a)", "INSERT INTO t VALUES (1)", "CREATE TABLE broken(a)")
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA writable_schema=ON")
        base.execute("UPDATE sqlite_master SET sql='CREATE TABLE ((;--' WHERE name='broken'")
        base.commit()
    with opened(path) as found:
        assert list(found.tables) == ["t"]
        assert all_rows(found, "t", "a") == [(1,)]
        assert any("defined wrongly" in note for note in found.notes)


def test_rows_without_numbers_and_taken_words_for_them(make: Make) -> None:
    path = make(
        "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
        "INSERT INTO w VALUES ('b', 2), ('a', 1)",
        "CREATE TABLE taken(rowid, oid TEXT, _rowid_ TEXT)",
        "INSERT INTO taken VALUES ('x', 'y', 'z')",
        "CREATE TABLE half(rowid TEXT)",
        "INSERT INTO half VALUES ('z'), ('a')",
    )
    with opened(path) as base:
        assert all_rows(base, "w", "k", "v") == [("a", 1), ("b", 2)]
        assert all_rows(base, "taken", "rowid", "oid", "_rowid_") == [("x", "y", "z")]
        assert all_rows(base, "half", "rowid") == [("z",), ("a",)]


def test_negative_row_numbers_and_the_outermost(make: Make) -> None:
    numbers = [-(2**63), -5, 0, 2**63 - 1]
    path = make(
        "CREATE TABLE t(i INTEGER PRIMARY KEY)", *(f"INSERT INTO t VALUES ({n})" for n in numbers)
    )
    with opened(path) as base:
        assert all_rows(base, "t", "i") == [(n,) for n in numbers]


def test_bad_text_does_not_stop_the_reader(make: Make) -> None:
    path = make("CREATE TABLE t(a TEXT)", "INSERT INTO t VALUES (CAST(x'ff41' AS TEXT))")
    with opened(path) as base:
        assert all_rows(base, "t", "a") == [("\ufffdA",)]


def test_cells_of_ten_megabytes_come_in_small_blocks(make: Make) -> None:
    path = make("CREATE TABLE t(a)", *["INSERT INTO t VALUES (zeroblob(10000000))"] * 5)
    with opened(path) as base:
        assert [len(block) for block in base.rows("t", ["a"])] == [2, 2, 1]


def test_a_cell_of_absurd_size_costs_its_row_only(make: Make) -> None:
    path = make(
        "CREATE TABLE t(i INTEGER PRIMARY KEY, a)",
        "INSERT INTO t VALUES (1, 'x'), (2, zeroblob(3000000)), (3, 'y')",
    )
    with opened(path, Limits(cell=1_000_000)) as base:
        rows = all_rows(base, "t", "i", "a")
    assert len(rows) == 3
    assert (rows[0], rows[2]) == ((1, "x"), (3, "y"))
    assert isinstance(rows[1][0], Damaged)


def many(make: Make) -> Path:
    lines = [f"INSERT INTO t VALUES ({i}, zeroblob(400))" for i in range(1, 501)]
    return make("CREATE TABLE t(i INTEGER PRIMARY KEY, a)", *lines)


def test_damaged_pages_are_stepped_over_and_their_rows_counted(make: Make) -> None:
    path = many(make)
    raw = bytearray(path.read_bytes())
    raw[4096 * 20 : 4096 * 23] = b"\xff" * (3 * 4096)
    path.write_bytes(raw)
    with opened(path) as base:
        rows = all_rows(base, "t", "i", "a")
        lost = sum(isinstance(row[0], Damaged) for row in rows)
        # Nine rows of 400 bytes fit on a page of 4096.
        assert (len(rows), lost) == (500, 27)
        with pytest.raises(StoreError, match="table t cannot be counted"):
            base.count("t", "a")


def test_a_damaged_first_page_does_not_cost_the_table(make: Make) -> None:
    path = many(make)
    with contextlib.closing(sqlite3.connect(path)) as base:
        query = "SELECT min(pageno) FROM dbstat WHERE name = 't' AND pagetype = 'leaf'"
        (page,) = base.execute(query).fetchone()
    raw = bytearray(path.read_bytes())
    raw[4096 * (page - 1) : 4096 * page] = b"\xff" * 4096
    path.write_bytes(raw)
    with opened(path) as found:
        rows = all_rows(found, "t", "i")
    assert [isinstance(row[0], Damaged) for row in rows] == [True] * 9 + [False] * 491


def test_a_file_that_is_cut_gives_its_beginning(make: Make) -> None:
    path = many(make)
    path.write_bytes(path.read_bytes()[: 4096 * 30])
    seen, error = 0, ""
    with opened(path) as base:
        try:
            for block in base.rows("t", ["i"]):
                seen += sum(not isinstance(row[0], Damaged) for row in block)
        except StoreError as damage:
            error = str(damage)
    assert "table t cannot be read to its end" in error
    assert 200 < seen < 300


def test_a_gap_claims_no_more_rows_than_the_file_has_room_for(make: Make) -> None:
    path = make(
        "CREATE TABLE t(i INTEGER PRIMARY KEY, a)",
        "INSERT INTO t VALUES (1, zeroblob(2000)), (2, zeroblob(3000000)), (1 << 60, 'end')",
    )
    with opened(path, Limits(cell=1_000_000)) as base:
        rows = all_rows(base, "t", "i")
        assert rows == [(1,), (2,), (1 << 60,)]  # the cell is not asked for
        start = time.monotonic()
        rows = all_rows(base, "t", "i", "a")
    assert rows[-1] == (1 << 60, "end")
    assert len(rows) < path.stat().st_size
    assert time.monotonic() - start < 2


def test_too_many_tables_and_too_long_a_query(make: Make) -> None:
    path = make(*(f"CREATE TABLE t{i}(a)" for i in range(5)))
    with pytest.raises(StoreError, match="more than 4 tables"):
        SqliteDatabase(path, Limits(tables=4))
    slow = many(make)
    with opened(slow) as base:
        base._base.set_progress_handler(base._too_late, 1)
        base._start_clock = lambda: None  # type: ignore[method-assign]
        base._deadline = 0.0
        with pytest.raises(StoreError, match="interrupted"):
            base.count("t")


@pytest.mark.parametrize("content", [b"SQLite format 3\x00", b"SQLite format 3\x00" + bytes(5000)])
def test_what_is_no_database_is_said_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "leak.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"leak\.db") as caught:
        open_store(str(path))
    assert "\n" not in str(caught.value)


def test_a_packed_file_is_to_be_unpacked(tmp_path: Path) -> None:
    import gzip

    path = write_sqlite(PRODUCTS["digikam8"].tables, tmp_path / "a.db")
    packed = tmp_path / "a.db.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(StoreError, match="unpack it first"):
        open_store(str(packed))


def test_an_old_library_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match=r"too old: 3\.37"):
        open_store(str(make("CREATE TABLE t(a)")))


def test_a_log_beside_it_is_not_read_but_said(tmp_path: Path) -> None:
    path = write_sqlite(PRODUCTS["digikam8"].tables, tmp_path / "a.db")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("DELETE FROM FaceMatrices WHERE id > 5")
    try:
        with open_store(str(path)) as store:
            assert sum(len(batch) for batch in store.batches()) == 36
            assert any("-wal" in note for note in store.facts.notes)
    finally:
        writer.close()


def small(path: Path) -> bytes:
    """Pages of 512 bytes, so that there are many for a few rows."""
    people = drawn_people(32, 5, 2)
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA page_size=512")
        base.execute("CREATE TABLE Identities(id INTEGER, type INTEGER)")
        base.execute("CREATE TABLE IdentityAttributes(id INTEGER, attribute TEXT, value TEXT)")
        base.execute(
            "CREATE TABLE FaceMatrices"
            "(id INTEGER PRIMARY KEY, identity INTEGER, removeHash TEXT, embedding BLOB)"
        )
        base.execute("CREATE INDEX by_person ON FaceMatrices(identity)")
        for i, name in enumerate(people.names):
            base.execute("INSERT INTO IdentityAttributes VALUES (?, 'name', ?)", (i, name))
        for person, vector in zip(people.person, people.vectors, strict=True):
            values = (int(person), "hash", vector.tobytes())
            base.execute("INSERT INTO FaceMatrices VALUES (NULL, ?, ?, ?)", values)
        base.commit()
    return path.read_bytes()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    folder = tmp_path_factory.mktemp("fuzz")
    return small(folder / "valid.db"), folder / "mutated.db"


def try_one(data: st.DataObject, fuzzed: tuple[bytes, Path]) -> None:
    valid, path = fuzzed
    path.write_bytes(data.draw(mutations(valid)))
    batches: list[StoreBatch] = []
    with contextlib.suppress(FaceleakError), open_store(str(path), Limits(seconds=5)) as store:
        assert store.facts.product
        for batch in store.batches():
            batches.append(batch)
            assert batch.vectors.dtype == np.float32
    assert sum(map(len, batches)) < len(valid)


@given(data=st.data())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_only_typed_errors_come_of_damaged_files(
    data: st.DataObject, fuzzed: tuple[bytes, Path]
) -> None:
    try_one(data, fuzzed)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=SLOW_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_only_typed_errors_come_of_many_damaged_files(
    data: st.DataObject, fuzzed: tuple[bytes, Path]
) -> None:
    try_one(data, fuzzed)
