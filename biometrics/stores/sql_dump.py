"""To be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from biometrics.errors import StoreError
from biometrics.stores.limits import Limits
from biometrics.stores.relational import Database, Rows, Table

if TYPE_CHECKING:
    from biometrics.stores.source import FileSource


class SqlDump(Database):
    """To be written."""

    def __init__(self, source: FileSource, limits: Limits) -> None:
        raise StoreError("not read yet")

    @property
    def tables(self) -> Mapping[str, Table]:
        raise StoreError("not read yet")

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Rows]:
        raise StoreError("not read yet")

    def count(self, table: str, column: str | None = None) -> int:
        raise StoreError("not read yet")

    def close(self) -> None:
        raise StoreError("not read yet")
