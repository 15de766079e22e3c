"""Database servers of the tests' own, each in a temporary folder; the conftest imports the
fixtures. Nothing outside of that folder is touched, no service of the system is used."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

PASSWORD = "s3cret/of@the:tests"
"""Of the servers' first user over TCP; needs quoting in an address."""

PATIENCE = 30.0


@dataclass(frozen=True)
class RunningServer:
    """A server that listens on a socket, where nobody needs a password, and on 127.0.0.1.

    Attributes:
        sockets: the folder of PostgreSQL's socket, or the path of MariaDB's.
        port: of PostgreSQL's socket too.
        connect: opens a connection of the first user that may write, by database.
    """

    sockets: Path
    port: int
    connect: Callable[[str], Any]


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Short, since the path of a socket may have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="fl-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], log: Path, ready: Callable[[], Any], **more: Any) -> Iterator[None]:
    """A server process, from its first answer to its end."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, **more)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                ready().close()
                break
            except (psycopg.OperationalError, pymysql.err.OperationalError):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(log.read_text(errors="replace")[-2000:]) from None
                time.sleep(0.05)
        yield
    finally:
        # At once: the data are thrown away. PostgreSQL ends its children at this signal.
        process.send_signal(signal.SIGQUIT if "postgres" in command[0] else signal.SIGKILL)
        process.wait(PATIENCE)


@pytest.fixture(scope="session")
def postgres() -> Iterator[RunningServer]:
    """PostgreSQL with pgvector: the programs of the package pgserver, started by ourselves, since
    the package adds a user to the system and opens folders to all."""
    package = find_spec("pgserver")
    if package is None or package.origin is None:
        pytest.skip("the package pgserver is not installed")
    programs = Path(package.origin).parent / "pginstall"
    with temporary_folder() as folder:
        more: dict[str, Any] = {"cwd": folder}
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            more["user"] = "nobody"
            # Where this environment lies, another user may not get to. Its libraries lie beside.
            site = programs.parents[1]
            for name in ("pgserver/pginstall", "pgserver.libs"):
                shutil.copytree(site / name, folder / "site" / name, symlinks=True)
            programs = folder / "site/pgserver/pginstall"
            for path in (folder, folder / "password"):
                shutil.chown(path, "nobody")
        made = subprocess.run(
            [
                *(str(programs / "bin/initdb"), "-D", "data", "-U", "postgres", "--no-sync"),
                *("--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=password"),
                *("--encoding=UTF8", "--locale=C"),
            ],
            capture_output=True,
            text=True,
            check=False,
            **more,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        port = free_port()

        def connect(database: str) -> Any:
            return psycopg.connect(
                host=str(folder), port=port, user="postgres", dbname=database, autocommit=True
            )

        command = [str(programs / "bin/postgres"), "-D", "data", "-F", "-k", str(folder)]
        command += ["-h", "127.0.0.1", "-p", str(port), "-c", "shared_buffers=16MB"]
        with running(command, folder / "log", lambda: connect("postgres"), **more):
            yield RunningServer(folder, port, connect)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[RunningServer]:
    """MariaDB from the system's packages."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    server, install = (shutil.which(n, path=search) for n in ("mariadbd", "mariadb-install-db"))
    if server is None or install is None:
        pytest.skip("no mariadbd on this machine")
    with temporary_folder() as folder:
        data = [f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
        made = subprocess.run(
            [
                *(install, "--no-defaults", *data, "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        port, path = free_port(), folder / "socket"

        def connect(database: str) -> Any:
            if not path.exists():  # PyMySQL leaves its socket open where nobody answers
                raise pymysql.err.OperationalError(2003, "not yet")
            return pymysql.connect(
                unix_socket=str(path), user="root", database=database, autocommit=True
            )

        command = [server, "--no-defaults", *data, f"--socket={path}", f"--port={port}"]
        command += ["--bind-address=127.0.0.1", f"--pid-file={folder / 'pid'}"]
        command += ["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]
        command += ["--max-allowed-packet=64M", "--skip-name-resolve"]
        with running(command, folder / "log", lambda: connect("mysql")):
            with connect("mysql") as connection, connection.cursor() as cursor:
                cursor.execute("CREATE USER auditor@'%%' IDENTIFIED BY %s", (PASSWORD,))
            yield RunningServer(path, port, connect)
