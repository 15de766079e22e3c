"""Logging in to running servers: which password opened them, and that none is ever told."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from biometrics.errors import InputError, StoreError
from biometrics.stores.address import PASSWORD_VARIABLE
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.live_database import LiveDatabase
from biometrics.stores.source import open_source
from tests.biometrics.stores.servers import PASSWORD, RunningServer, free_port


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSWORD_VARIABLE, "PGPASSWORD", "MYSQL_PWD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSFILE", "/dev/null")


@pytest.fixture
def everything_said(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """No password in any log of any level, nor on the terminal."""
    with caplog.at_level(logging.DEBUG):
        yield
    said = capfd.readouterr()
    for secret in (PASSWORD, "wr0ng-secret"):
        assert secret not in caplog.text + said.out + said.err


def at(server: RunningServer, user: str = "postgres", database: str = "postgres") -> str:
    return f"postgresql://{user}@127.0.0.1:{server.port}/{database}"


def stock_password(location: str) -> bool | None:
    database = LiveDatabase(location, DEFAULT_LIMITS)
    try:
        assert PASSWORD not in f"{database!r} {database.name} {vars(database)}"
        return database.stock_password
    finally:
        database.close()


def refused(location: str, *, match: str) -> str:
    """What is said, after a look at all that hangs on the error."""
    with pytest.raises(InputError, match=match) as caught:
        open_source(location, DEFAULT_LIMITS)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in f"{error} {error!r}"
        assert "wr0ng-secret" not in f"{error} {error!r}"
        assert not hasattr(error, "pgconn")
        error = error.__cause__ or error.__context__
    return str(caught.value)


@pytest.mark.usefixtures("everything_said")
def test_the_password_comes_from_the_environment(
    postgres: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert stock_password(at(postgres)) is False
    monkeypatch.setenv("PGPASSWORD", "wr0ng-secret")
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    assert stock_password(at(postgres)) is False
    monkeypatch.delenv(PASSWORD_VARIABLE)
    refused(at(postgres), match="login of user postgres was refused")
    quoted = PASSWORD.replace("/", "%2F").replace("@", "%40").replace(":", "%3A")
    monkeypatch.setenv("STORE", at(postgres).replace("postgres@", f"postgres:{quoted}@"))
    assert stock_password("env:STORE") is False


@pytest.mark.usefixtures("everything_said")
def test_a_password_file_is_read(
    postgres: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("home") / "pgpass"
    path.write_text("127.0.0.1:*:*:postgres:" + PASSWORD.replace(":", "\\:") + "\n")
    path.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(path))
    assert stock_password(at(postgres)) is False


def test_the_standard_password_is_told_only_where_it_was_given_and_needed(
    postgres: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_socket = f"postgresql://postgres@/postgres?host={postgres.sockets}&port={postgres.port}"
    with postgres.connect("postgres") as other:
        other.execute("CREATE ROLE somebody LOGIN PASSWORD 'postgres'")
        other.execute("ALTER ROLE postgres PASSWORD 'postgres'")
    try:
        refused(at(postgres), match="needs a password")
        assert stock_password(by_socket) is None
        monkeypatch.setenv(PASSWORD_VARIABLE, "postgres")
        assert stock_password(at(postgres)) is True
        assert stock_password(at(postgres, "somebody")) is False
        assert stock_password(by_socket) is None
    finally:
        with postgres.connect("postgres") as other:
            other.execute(f"ALTER ROLE postgres PASSWORD '{PASSWORD}'")
            other.execute("DROP ROLE somebody")


@pytest.mark.usefixtures("everything_said")
def test_why_postgresql_cannot_be_reached(
    postgres: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "wr0ng-secret")
    refused(at(postgres), match="login of user postgres was refused")
    refused(at(postgres, "nobody-here"), match="login of user nobody-here was refused")
    refused(f"postgresql://me@127.0.0.1:{free_port()}/frs", match="nothing answers there")
    refused("postgresql://me@/frs?host=/dev/null", match="nothing answers there|Error")
    refused("postgresql://me@no-such-host.invalid/frs", match="no such host")
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    refused(at(postgres, database="nope"), match="has no database 'nope'")
    refused(at(postgres) + "?sslmode=require", match="no secure connection came about")


@pytest.mark.usefixtures("everything_said")
def test_why_mysql_cannot_be_reached(
    mariadb: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"mysql://auditor@127.0.0.1:{mariadb.port}"
    monkeypatch.setenv(PASSWORD_VARIABLE, "wr0ng-secret")
    refused(f"{there}/mysql", match="login of user auditor was refused")
    refused(f"mysql://me@127.0.0.1:{free_port()}/mysql", match="nothing answers there")
    refused("mysql://me@no-such-host.invalid/mysql", match="no such host")
    monkeypatch.delenv(PASSWORD_VARIABLE)
    monkeypatch.setenv("MYSQL_PWD", PASSWORD)
    refused(f"{there}/mysql", match="may not open database 'mysql'")
    assert stock_password(f"{there}/information_schema") is None


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_says_nothing_is_not_waited_for(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(InputError):
            LiveDatabase(f"{scheme}://me@127.0.0.1:{port}/d?connect_timeout=2", DEFAULT_LIMITS)
        assert time.monotonic() - start < 10


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_talks_nonsense_is_a_typed_error(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises((InputError, StoreError)):
            LiveDatabase(f"{scheme}://me@127.0.0.1:{server.getsockname()[1]}/d", DEFAULT_LIMITS)
        thread.join()
