"""Servers for the tests of live databases; they start where a test asks for one."""

from tests.biometrics.stores.servers import mariadb, postgres  # noqa: F401
