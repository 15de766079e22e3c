"""Addresses of databases: what is accepted, and that no password leaves them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.errors import InputError
from biometrics.stores.address import PASSWORD_VARIABLE, parse_address
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.source import open_source

SECRET = "hunter2hunter2"


@pytest.fixture(autouse=True)
def no_passwords_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSWORD_VARIABLE, "PGPASSWORD", "MYSQL_PWD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("location", "engine", "host", "port", "database"),
    [
        ("postgresql://me@db.example:5433/frs", "postgresql", "db.example", 5433, "frs"),
        ("postgres://me@[::1]/frs", "postgresql", "::1", None, "frs"),
        ("postgresql+psycopg2://db/frs", "postgresql", "db", None, "frs"),
        ("postgresql://me@/frs?host=/sockets", "postgresql", None, None, "frs"),
        ("mysql://me@[fe80::1]:3307/photos", "mysql", "fe80::1", 3307, "photos"),
        ("MariaDB://me@db/photos?ssl_ca=ca.pem", "mysql", "db", None, "photos"),
        ("mysql://me@/photos?unix_socket=/s", "mysql", None, None, "photos"),
    ],
)
def test_the_parts_of_an_address(
    location: str, engine: str, host: str | None, port: int | None, database: str
) -> None:
    found = parse_address(location)
    assert (found.engine, found.url.host, found.url.port) == (engine, host, port)
    assert (found.url.database, found.url.password) == (database, None)


def test_parameters_of_the_line_are_passed_on() -> None:
    found = parse_address("postgresql://h/d?sslmode=verify-full&sslrootcert=ca.pem")
    assert found.url.query == {"sslmode": "verify-full", "sslrootcert": "ca.pem"}


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://me:{SECRET}@db/frs",
        f"postgresql+psycopg://me:{SECRET}@db/frs",
        f"postgres://:{SECRET}@db",
        f"mysql://me:{SECRET}@db/photos",
        f"postgresql://me@db/frs?password={SECRET}",
        f"postgresql://me@db/frs?sslpassword={SECRET}",
        f"mysql://me@db/photos?passwd={SECRET}",
    ],
)
def test_a_password_on_the_command_line_is_refused_with_where_to_put_it(location: str) -> None:
    with pytest.raises(InputError, match=PASSWORD_VARIABLE) as caught:
        open_source(location, DEFAULT_LIMITS)
    assert "env:NAME" in str(caught.value)
    said_nothing_of_it(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        f"postgre://me:{SECRET}@db/frs",
        f"mongodb://me:{SECRET}@db/frs",
        f"postgresql://me:{SECRET}@db:54x2/frs",
        f"postgresql://me:{SECRET}@[::1/frs",
        f"host=db user=me password={SECRET}",
        f"://me:{SECRET}@db",
        f"postgresql://me@db/frs?options={SECRET}",
        f"mysql://me@db/photos?local_infile={SECRET}",
        f"env:{SECRET}",
    ],
)
def test_what_is_mistyped_is_not_repeated(location: str) -> None:
    with pytest.raises(InputError) as caught:
        open_source(location, DEFAULT_LIMITS)
    if not location.startswith("env:"):
        said_nothing_of_it(caught.value)


@given(st.sampled_from(["postgresql", "mysql"]), st.text(max_size=60))
def test_any_text_after_the_scheme_is_an_address_or_a_typed_error(scheme: str, rest: str) -> None:
    caught: InputError | None = None
    try:
        assert not parse_address(f"{scheme}://{rest}").url.password
    except InputError as error:
        caught = error
    if caught is not None:
        assert "\n" not in str(caught)
        assert caught.__cause__ is caught.__context__ is None


def test_a_near_miss_of_the_scheme_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'postgres"):
        parse_address("postgre://db/frs")


def test_an_address_from_the_environment_may_hold_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_STORE", f"postgresql://me:{SECRET}@db/frs")
    found = parse_address("env:MY_STORE")
    assert found.url.password == SECRET
    assert SECRET not in f"{found} {found!r} {found.place}"


@pytest.mark.parametrize("value", [None, "", f"frs {SECRET}", f"sqlite:///{SECRET}"])
def test_a_variable_without_an_address_says_so(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_STORE", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_STORE", value)
    with pytest.raises(InputError, match="MY_STORE") as caught:
        open_source("env:MY_STORE", DEFAULT_LIMITS)
    said_nothing_of_it(caught.value)


def test_which_password_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_PWD", "third")
    assert parse_address("mysql://me@db/photos").url.password == "third"
    assert parse_address("postgresql://me@db/frs").url.password is None
    monkeypatch.setenv(PASSWORD_VARIABLE, "second")
    assert parse_address("mysql://me@db/photos").url.password == "second"
    assert parse_address("postgresql://me@db/frs").url.password == "second"
    monkeypatch.setenv("MY_STORE", "mysql://me:first@db/photos")
    assert parse_address("env:MY_STORE").url.password == "first"


def test_an_address_without_a_database_is_refused_where_there_is_no_usual_one() -> None:
    with pytest.raises(InputError, match="names no database"):
        parse_address("mysql://me@db")


def said_nothing_of_it(error: BaseException | None) -> None:
    """Neither the error nor what led to it."""
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        assert "\n" not in str(error)
        error = error.__cause__ or error.__context__
