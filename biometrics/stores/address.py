"""The address of a database server: what may stand in it, and where its password comes from.

A command line is seen by every user of the machine and kept by the shell, so no password may stand
there. Whatever is raised here tells nothing of an address but its scheme.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url

from biometrics.errors import InputError, did_you_mean

ENVIRONMENT = "env:"
"""Begins a store that is the name of an environment variable, which holds the address."""

PASSWORD_VARIABLE = "FACELEAK_DSN_PASSWORD"

ENGINES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}

PARAMETERS = {
    "postgresql": (
        *("host", "port", "connect_timeout", "target_session_attrs", "passfile", "require_auth"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "sslsni"),
        *("ssl_min_protocol_version", "channel_binding", "gssencmode", "krbsrvname"),
    ),
    "mysql": (
        *("unix_socket", "connect_timeout", "ssl", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_key"),
        *("ssl_cipher", "ssl_check_hostname"),
    ),
}
"""What may follow the ``?``: where the server is and how the line is secured. The rest could turn
off what makes a connection safe, such as ``options`` or ``local_infile``."""

WHERE = {
    "postgresql": f"set {PASSWORD_VARIABLE}, PGPASSWORD or ~/.pgpass",
    "mysql": f"set {PASSWORD_VARIABLE} or MYSQL_PWD",
}


@dataclass(frozen=True)
class Address:
    """Where a database is and who logs in.

    Attributes:
        engine: ``postgresql`` or ``mysql``.
        url: all of it; printed, it hides the password.
    """

    engine: str
    url: URL

    @property
    def place(self) -> str:
        """The server in words, safe to print."""
        sockets = self.url.query.get("host") or self.url.query.get("unix_socket")
        host = self.url.host or sockets or "this machine"
        named = host if isinstance(host, str) else ",".join(host)
        return f"{named}:{self.url.port}" if self.url.port else named


def parse_address(location: str) -> Address:
    """The address of a database, with the password that the environment holds.

    Args:
        location: ``postgresql://user@host/database?sslmode=require``, ``mysql://…``, or
            ``env:NAME`` for an address in an environment variable, where a password may stand.

    Raises:
        InputError: it cannot be understood, or holds a password on the command line.
    """
    if not location.startswith(ENVIRONMENT):
        return _parse(location, "store", secret=False)
    name = location.removeprefix(ENVIRONMENT)
    written = os.environ.get(name)
    if not written:
        raise InputError(f"store {location}: the environment variable {name} is not set")
    return _parse(written, f"store {location}", secret=True)


def _parse(written: str, what: str, *, secret: bool) -> Address:
    scheme = written.partition("://")[0].partition("+")[0] if "://" in written else ""
    engine = ENGINES.get(scheme.lower())
    if engine is None:
        named = f"{scheme}:// " if scheme.isalnum() else ""
        hint = did_you_mean(scheme, ENGINES) if scheme else ""
        raise InputError(
            f"{what} {named}is not the address of a database that is read{hint}; "
            "write postgresql://user@host/database or mysql://user@host/database"
        )
    url = _url(f"{engine}://{written.partition('://')[2]}")
    if url is None:
        raise InputError(
            f"{what} {engine}://… cannot be understood; write {engine}://user@host:port/database "
            "and special characters as %XX"
        )
    if not secret and (url.password or any("pass" in k and k != "passfile" for k in url.query)):
        raise InputError(
            f"{what} {engine}://… holds a password, which others can see on a command line: leave "
            f"it out and {WHERE[engine]}, or write the store as {ENVIRONMENT}NAME with the whole "
            "address in the environment variable NAME"
        )
    for key in url.query:
        if key not in PARAMETERS[engine]:
            hint = did_you_mean(key, PARAMETERS[engine])
            raise InputError(f"{what} {engine}://…: the parameter {key!r} is not allowed{hint}")
    if engine == "mysql" and not url.database:
        raise InputError(f"{what} {engine}://… names no database: {engine}://user@host/DATABASE")
    return Address(engine, url.set(password=url.password or _password(engine)))


def _url(written: str) -> URL | None:
    try:
        return make_url(written)
    except Exception:  # its text holds what was written
        return None


def _password(engine: str) -> str | None:
    """From the environment; PostgreSQL's own variables and files are read by its driver."""
    found = os.environ.get(PASSWORD_VARIABLE)
    if not found and engine == "mysql":
        found = os.environ.get("MYSQL_PWD")
    return found or None
