"""Against a running PostgreSQL with pgvector."""

from __future__ import annotations

import gc
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
from biometrics.stores.source import database_of, open_source
from tests.biometrics.stores.live import fill_postgres
from tests.biometrics.stores.made import MadeTable, drawn_people
from tests.biometrics.stores.servers import RunningServer

IDS = [f"6f1c1a52-8b0e-4b3c-9f0a-{i:012x}" for i in range(40)]
HOSTILE = 'x"; DROP TABLE embedding; --'
SPECIAL = "a:b %s %(x)s {0} $1 \\ '"


@pytest.fixture(scope="module")
def filled(postgres: RunningServer) -> RunningServer:
    """Database ``frs``: tables like CompreFace's and Immich's, and some that nobody would make."""
    with postgres.connect("postgres") as connection:
        connection.execute("CREATE DATABASE frs")
    with postgres.connect("frs") as connection:
        fill_postgres(connection, made_tables())
        connection.execute("CREATE VIEW all_of_it AS SELECT * FROM embedding")
        connection.execute("CREATE TABLE part (n int) PARTITION BY RANGE (n)")
        connection.execute("CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (9)")
        connection.execute("INSERT INTO part VALUES (1), (2)")
        connection.execute("CREATE TABLE heir (more int) INHERITS (subject)")
        connection.execute("INSERT INTO heir VALUES ('heir', 'k', 'n', 1)")
    return postgres


def made_tables() -> list[MadeTable]:
    raw, unit = drawn_people(128), drawn_people(512, norm=1.0)
    embedding = [
        (IDS[i], IDS[p], raw.vectors[i].astype(float).tolist(), "facenet.Calculator")
        for i, p in enumerate(raw.person)
    ]
    types = {"id": "uuid", "subject_id": "uuid", "embedding": "double precision[]"}
    return [
        MadeTable("embedding", {**types, "calculator": "character varying(255)"}, embedding),
        MadeTable(
            "subject",
            {"id": "text", "api_key": "text", "subject_name": "text"},
            [(IDS[i], "key", name) for i, name in enumerate(raw.names)],
        ),
        MadeTable(
            "img", {"id": "uuid", "content": "bytea"}, [(IDS[0], b"\x00\xff\\x41"), (None, None)]
        ),
        MadeTable(
            "face_search",
            {"faceId": "uuid", "embedding": "vector(512)"},
            [(IDS[i], vector.tolist()) for i, vector in enumerate(unit.vectors)],
        ),
        MadeTable("asset_faces", {"embedding": "real[]"}, [([0.1, 2.5, -3e-8],), (None,)]),
        MadeTable("subject", {"other": "integer"}, [(7,)], "archive"),
        MadeTable(HOSTILE, {SPECIAL: "text", 'q"': "integer"}, [("O'Neil; DROP TABLE x", 1)]),
        MadeTable(
            "odd",
            {"t": "timestamptz", "j": "jsonb", "n": "numeric", "b": "boolean", "f": "float8"},
            [
                ("infinity", '{"a": [1]}', "1.50", True, float("nan")),
                (None, None, None, None, None),
            ],
        ),
    ]


def address_of(server: RunningServer) -> str:
    return f"postgresql://postgres@/frs?host={server.sockets}&port={server.port}"


@pytest.fixture
def address(filled: RunningServer) -> str:
    return address_of(filled)


@pytest.fixture
def database(address: str) -> Iterator[LiveDatabase]:
    found = LiveDatabase(address, DEFAULT_LIMITS)
    yield found
    found.close()


def all_rows(database: LiveDatabase, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return [row for block in database.rows(table, columns) for row in block]


def test_the_tables_their_types_and_exact_counts(database: LiveDatabase) -> None:
    tables = database.tables
    assert set(tables) == {
        *("embedding", "subject", "img", "face_search", "asset_faces", "archive.subject"),
        *(HOSTILE, "odd", "part", "heir"),
    }
    assert (database.name, database.engine, database.form) == (
        *("frs", "postgresql"),
        "PostgreSQL 16.2 server",
    )
    assert dict(tables["embedding"].columns) == {
        "id": "uuid",
        "subject_id": "uuid",
        "embedding": "double precision[]",
        "calculator": "character varying(255)",
    }
    assert tables["face_search"].columns["embedding"] == "public.vector(512)"
    assert (tables["embedding"].rows, database.count("embedding")) == (36, 36)
    assert (database.count("img"), database.count("img", "content")) == (2, 1)
    assert (tables["archive.subject"].name, tables["archive.subject"].schema) == (
        "subject",
        "archive",
    )
    assert tables["subject"].schema == "public"


def test_what_inherits_and_what_is_split_is_counted_once(database: LiveDatabase) -> None:
    assert (database.count("subject"), database.count("heir"), database.count("part")) == (12, 1, 2)
    assert len(all_rows(database, "subject", "id")) == 12
    assert all_rows(database, "part", "n") == [(1,), (2,)]


@pytest.mark.parametrize("number", range(7))
def test_every_value_comes_back(number: int, database: LiveDatabase) -> None:
    made = made_tables()[number]
    name = made.name if made.schema == "public" else f"{made.schema}.{made.name}"
    read = all_rows(database, name, *made.columns)
    assert len(read) == len(made.rows)
    for got, wrote in zip(read, made.rows, strict=True):
        for value, original in zip(got, wrote, strict=True):
            if isinstance(original, list):
                if isinstance(value, str):
                    assert value[0] + value[-1] in ("[]", "{}")
                    value = [float(number) for number in value[1:-1].split(",")]
                np.testing.assert_array_equal(np.float32(value), np.float32(original))
            else:
                assert (value, type(value)) == (original, type(original))


def test_types_that_drivers_choke_on_come_as_text(database: LiveDatabase) -> None:
    first, second = all_rows(database, "odd", "t", "j", "n", "b", "f")
    assert first[:2] == ("infinity", '{"a": [1]}')
    assert (float(first[2]), first[3]) == (1.5, True)
    assert np.isnan(first[4])
    assert second == (None,) * 5


def test_blocks_of_several_tables_may_be_read_in_turn(database: LiveDatabase) -> None:
    blocks = database.rows("embedding", ["id"])
    first = next(blocks)
    assert len(all_rows(database, "subject", "id")) == 12
    assert database.count("embedding", "id") == 36
    assert len(first) + sum(len(block) for block in blocks) == 36


def test_all_connections_see_the_same_state(database: LiveDatabase, filled: RunningServer) -> None:
    assert database.count("part") == 2
    with filled.connect("frs") as other:
        other.execute("INSERT INTO part VALUES (3)")
        try:
            assert len(all_rows(database, "part", "n")) == 2
            left = database.rows("part", ["n"])
            next(left)
            assert len(all_rows(database, "part", "n")) == database.count("part", "n") == 2
        finally:
            other.execute("DELETE FROM part WHERE n = 3")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO public.part VALUES (4)",
        "DELETE FROM public.part",
        "CREATE TABLE public.mine (n int)",
        "SELECT nextval('public.counter')",
        "DROP TABLE public.embedding",
    ],
)
def test_nothing_can_be_written(
    statement: str, database: LiveDatabase, filled: RunningServer
) -> None:
    with filled.connect("frs") as other:
        other.execute("CREATE SEQUENCE IF NOT EXISTS counter")
    with (
        database._lease() as connection,
        pytest.raises(sa.exc.InternalError, match="read-only transaction"),
        connection.begin_nested(),
    ):
        connection.exec_driver_sql(statement)
    with database._lease() as connection:
        connection.rollback()
        with pytest.raises(sa.exc.InternalError, match="read-only transaction"):
            connection.exec_driver_sql(statement)


def test_a_table_without_permission_is_noted_and_the_rest_is_read(
    filled: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled.connect("frs") as other:
        other.execute("CREATE ROLE clerk LOGIN PASSWORD 'c'")
        other.execute("GRANT SELECT ON embedding, odd TO clerk")
        other.execute("GRANT SELECT (id) ON subject TO clerk")
        other.execute("ALTER TABLE odd ENABLE ROW LEVEL SECURITY")
    monkeypatch.setenv(PASSWORD_VARIABLE, "c")
    database = LiveDatabase(f"postgresql://clerk@127.0.0.1:{filled.port}/frs", DEFAULT_LIMITS)
    try:
        assert set(database.tables) == {"embedding", "subject"}
        assert list(database.tables["subject"].columns) == ["id"]
        assert len(all_rows(database, "embedding", "id")) == 36
        assert "table img: no permission to read it" in database.notes
        assert "table odd: row policies hide part of it from this user" in database.notes
        with pytest.raises(StoreError, match="no table img that may be read"):
            all_rows(database, "img", "id")
        with pytest.raises(StoreError, match="has no column api_key"):
            all_rows(database, "subject", "api_key")
    finally:
        database.close()
        with filled.connect("frs") as other:
            other.execute("ALTER TABLE odd DISABLE ROW LEVEL SECURITY")
            other.execute("DROP OWNED BY clerk")
            other.execute("DROP ROLE clerk")


def test_a_value_that_is_too_long_loses_its_row_alone(address: str) -> None:
    database = LiveDatabase(address, Limits(cell=16))
    rows = all_rows(database, "odd", "n", "j")
    assert len(rows) == 2
    rows = all_rows(database, "subject", "id")
    assert all(isinstance(row[0], Damaged) and "16 bytes" in row[0].why for row in rows)
    assert len(rows) == 12
    assert all(isinstance(row[0], Damaged) for row in all_rows(database, "embedding", "embedding"))
    database.close()


def test_too_many_tables_are_refused(address: str) -> None:
    database = LiveDatabase(address, Limits(tables=3))
    with pytest.raises(StoreError, match="more than 3 tables"):
        _ = database.tables
    database.close()


def test_functions_of_the_database_do_not_stand_in_for_the_servers_own(
    filled: RunningServer,
) -> None:
    with filled.connect("frs") as other:
        other.execute(
            "CREATE FUNCTION public.octet_length(text) RETURNS int AS 'SELECT 1/0' LANGUAGE sql"
        )
        other.execute("ALTER DATABASE frs SET search_path = public, pg_catalog")
    hostile = LiveDatabase(address_of(filled), DEFAULT_LIMITS)
    try:
        assert len(all_rows(hostile, "subject", "id")) == 12
        assert hostile.tables["subject"].schema == "public"
    finally:
        hostile.close()
        with filled.connect("frs") as other:
            other.execute("ALTER DATABASE frs RESET search_path")
            other.execute("DROP FUNCTION public.octet_length(text)")


def test_the_hash_changes_with_the_rows_and_not_with_the_connection(
    address: str, filled: RunningServer
) -> None:
    def now() -> str:
        source = open_source(address, DEFAULT_LIMITS)
        assert database_of(source) is not None
        try:
            return source.sha256()
        finally:
            source.close()

    before = now()
    assert now() == before
    with filled.connect("frs") as other:
        other.execute("INSERT INTO part VALUES (5)")
        assert now() != before
        other.execute("DELETE FROM part WHERE n = 5")
    assert now() == before


@pytest.mark.filterwarnings("ignore:.*ServerCursor:pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_goes_away_is_a_typed_error(
    database: LiveDatabase, filled: RunningServer
) -> None:
    blocks = database.rows("embedding", ["id"])
    _ = database.tables
    with filled.connect("frs") as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'faceleak'"
        )
    with pytest.raises(StoreError, match="database frs: table embedding cannot be read"):
        list(blocks)
    gc.collect()  # SQLAlchemy leaves a cursor open where the line is cut; psycopg complains here


def test_a_statement_that_takes_too_long_is_ended(filled: RunningServer, address: str) -> None:
    database = LiveDatabase(address, Limits(seconds=0.2))
    with filled.connect("frs") as other, other.transaction():
        other.execute("LOCK TABLE embedding IN ACCESS EXCLUSIVE MODE")
        assert "embedding" not in database.tables
    assert any("QueryCanceled" in note for note in database.notes)
    assert database.count("subject") == 12
    database.close()


@pytest.mark.slow
def test_memory_stays_flat_while_a_large_table_is_read(filled: RunningServer, address: str) -> None:
    with filled.connect("frs") as other:
        other.execute(
            "CREATE TABLE large AS SELECT g AS id, (SELECT array_agg(random()) FROM "
            "generate_series(1, 128) WHERE g = g) AS v FROM generate_series(1, 200000) g"
        )
    try:
        database = LiveDatabase(address, DEFAULT_LIMITS)
        assert database.count("large") == 200_000
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        count = sum(
            np.array([row[1] for row in b]).shape[0] for b in database.rows("large", ["id", "v"])
        )
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        database.close()
        assert count == 200_000
        assert after - before < 150 * 1024, f"{(after - before) >> 10} MiB"
    finally:
        with filled.connect("frs") as other:
            other.execute("DROP TABLE large")
