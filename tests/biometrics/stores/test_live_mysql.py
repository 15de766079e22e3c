"""Against a running MariaDB."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from biometrics.errors import StoreError
from biometrics.stores.address import PASSWORD_VARIABLE
from biometrics.stores.limits import DEFAULT_LIMITS, Limits
from biometrics.stores.live_database import LiveDatabase
from biometrics.stores.relational import Damaged
from biometrics.stores.source import open_source
from tests.biometrics.stores.live import fill_mysql
from tests.biometrics.stores.made import MadeTable, drawn_people
from tests.biometrics.stores.servers import PASSWORD, RunningServer

HOSTILE = "x`; DROP TABLE markers; --"
SPECIAL = "a:b %s %(x)s {0} ? \\ '"


def run(server: RunningServer, *statements: str, database: str = "photos") -> None:
    with server.connect(database) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def made_tables() -> list[MadeTable]:
    people = drawn_people(512, norm=1.0)
    markers = [
        (f"ms{i:08}".encode(), "face", f"js{p}".encode(), json.dumps([v.tolist()]).encode())
        for i, (p, v) in enumerate(zip(people.person, people.vectors, strict=True))
    ]
    subjects = [(f"js{p}".encode(), name) for p, name in enumerate(people.names)]
    types = {"marker_uid": "varbinary(42)", "marker_type": "varbinary(8)"}
    return [
        MadeTable(
            "markers",
            {**types, "subj_uid": "varbinary(42)", "embeddings_json": "mediumblob"},
            [(uid, kind.encode(), subject, vectors) for uid, kind, subject, vectors in markers],
        ),
        MadeTable("subjects", {"subj_uid": "varbinary(42)", "subj_name": "varchar(160)"}, subjects),
        MadeTable("faces", {"vector": "longtext", "n": "int(11)"}, [("[1.5, 2]", 1), (None, None)]),
        MadeTable("odd", {"t": "datetime", "f": "double"}, [("2026-01-02 03:04:05", 0.1)]),
        MadeTable(HOSTILE, {SPECIAL: "longtext"}, [("Zoë O'Neil 😀; DROP TABLE x",)]),
    ]


@pytest.fixture(scope="module")
def filled(mariadb: RunningServer) -> RunningServer:
    """Database ``photos``: tables like PhotoPrism's, and some that nobody would make."""
    run(mariadb, "CREATE DATABASE photos CHARACTER SET utf8mb4", database="mysql")
    with mariadb.connect("photos") as connection:
        fill_mysql(connection, made_tables())
    run(mariadb, "CREATE VIEW all_of_it AS SELECT * FROM markers")
    run(
        mariadb, "CREATE TABLE many AS SELECT seq AS id, repeat('x', 1000) AS v FROM seq_1_to_20000"
    )
    return mariadb


@pytest.fixture
def address(filled: RunningServer) -> str:
    return f"mysql://root@localhost/photos?unix_socket={filled.sockets}"


@pytest.fixture
def database(address: str) -> Iterator[LiveDatabase]:
    found = LiveDatabase(address, DEFAULT_LIMITS)
    yield found
    found.close()


def all_rows(database: LiveDatabase, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return [row for block in database.rows(table, columns) for row in block]


def test_the_tables_their_types_and_exact_counts(database: LiveDatabase) -> None:
    tables = database.tables
    assert set(tables) == {"markers", "subjects", "faces", "odd", HOSTILE, "many"}
    assert (database.name, database.engine) == ("photos", "mysql")
    assert database.form.startswith("MariaDB 1")
    assert tables["markers"].columns["embeddings_json"] == "mediumblob"
    assert (tables["markers"].rows, database.count("markers")) == (36, 36)
    assert (database.count("faces"), database.count("faces", "vector")) == (2, 1)


@pytest.mark.parametrize("number", range(5))
def test_every_value_comes_back(number: int, database: LiveDatabase) -> None:
    made = made_tables()[number]
    assert all_rows(database, made.name, *made.columns) == made.rows


def test_vectors_survive(database: LiveDatabase) -> None:
    rows = all_rows(database, "markers", "embeddings_json")
    read = np.array([json.loads(row[0])[0] for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(read, drawn_people(512, norm=1.0).vectors)


def test_tables_may_be_read_in_turn_and_left_in_the_middle(database: LiveDatabase) -> None:
    blocks = database.rows("many", ["id", "v"])
    first = next(blocks)
    assert len(all_rows(database, "subjects", "subj_uid")) == 12
    assert database.count("many", "v") == 20_000
    assert len(first) + sum(len(block) for block in blocks) == 20_000
    left = database.rows("many", ["v"])
    next(left)
    del left
    assert len(all_rows(database, "many", "id")) == 20_000


def test_counts_and_rows_are_of_one_state(database: LiveDatabase, filled: RunningServer) -> None:
    before = database.count("odd")
    run(filled, "INSERT INTO odd VALUES (NULL, 2)")
    try:
        assert len(all_rows(database, "odd", "f")) == before == database.count("odd", "f")
    finally:
        run(filled, "DELETE FROM odd WHERE f = 2")


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO odd VALUES (NULL, 1)", "DELETE FROM odd", "CREATE TABLE mine (n int)"],
)
def test_nothing_can_be_written(statement: str, database: LiveDatabase) -> None:
    with (
        database._lease() as connection,
        pytest.raises(sa.exc.DBAPIError, match="READ ONLY transaction"),
    ):
        connection.exec_driver_sql(statement)


def test_a_table_without_permission_is_noted_and_the_rest_is_read(
    filled: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    run(
        filled, "GRANT SELECT ON photos.markers TO auditor", "GRANT INSERT ON photos.odd TO auditor"
    )
    run(filled, "GRANT SELECT (subj_uid) ON photos.subjects TO auditor")
    database = LiveDatabase(f"mysql://auditor@127.0.0.1:{filled.port}/photos", DEFAULT_LIMITS)
    try:
        assert set(database.tables) == {"markers", "subjects"}
        assert list(database.tables["subjects"].columns) == ["subj_uid"]
        assert database.notes == ("table odd: no permission to read it",)
        assert len(all_rows(database, "markers", "marker_uid")) == 36
        with pytest.raises(StoreError, match="no table odd that may be read"):
            all_rows(database, "odd", "f")
    finally:
        database.close()
        run(filled, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM auditor")


def test_a_value_that_is_too_long_loses_its_row_alone(address: str) -> None:
    database = LiveDatabase(address, Limits(cell=8))
    assert all_rows(database, "faces", "vector", "n") == [("[1.5, 2]", 1), (None, None)]
    rows = all_rows(database, "markers", "marker_type", "embeddings_json")
    assert len(rows) == 36
    assert all(isinstance(value, Damaged) for row in rows for value in row)
    database.close()


def test_the_hash_changes_with_the_rows(address: str, filled: RunningServer) -> None:
    def now() -> str:
        source = open_source(address, DEFAULT_LIMITS)
        try:
            return source.sha256()
        finally:
            source.close()

    before = now()
    assert now() == before
    run(filled, "INSERT INTO odd VALUES (NULL, 3)")
    assert now() != before
    run(filled, "DELETE FROM odd WHERE f = 3")
    assert now() == before


def test_a_server_that_goes_away_is_a_typed_error(
    database: LiveDatabase, filled: RunningServer
) -> None:
    assert database.count("many") == 20_000
    blocks = database.rows("many", ["v"])
    with database._lease() as connection:
        number = connection.scalar(sa.select(sa.func.connection_id()))
    run(filled, f"KILL {number}")
    with pytest.raises(StoreError, match="table many cannot be read: the connection was lost"):
        list(blocks)


def test_the_rows_are_taken_from_the_line_and_not_gathered(database: LiveDatabase) -> None:
    blocks = database.rows("many", ["v"])
    next(blocks)
    blocks.close()
    assert database._idle == []  # that one was in the middle of the table


@pytest.mark.slow
def test_memory_stays_flat_while_a_large_table_is_read(filled: RunningServer, address: str) -> None:
    run(
        filled,
        "CREATE TABLE large AS SELECT seq AS id, rpad('[0.1', 2500, ',0.1') AS v "
        "FROM seq_1_to_200000",
    )
    database = LiveDatabase(address, DEFAULT_LIMITS)
    try:
        assert database.count("large") == 200_000
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(len(block) for block in database.rows("large", ["id", "v"])) == 200_000
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < 150 * 1024, f"{(after - before) >> 10} MiB"
    finally:
        database.close()
        run(filled, "DROP TABLE large")
