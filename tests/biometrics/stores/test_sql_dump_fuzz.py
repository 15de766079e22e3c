from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings

from biometrics.errors import FaceleakError
from biometrics.stores.relational import Damaged, Database
from tests.biometrics.stores.fuzz import EXAMPLES, SLOW_EXAMPLES, mutations
from tests.biometrics.stores.made import MadeTable
from tests.biometrics.stores.test_sql_dump import STYLES, dump_of, odd_table


def survey(database: Database) -> int:
    """Read all that there is; how many whole rows."""
    count = 0
    for name, table in database.tables.items():
        for column in table.columns:
            assert 0 <= database.count(name, column) <= database.count(name)
        for block in database.rows(name, list(table.columns)):
            count += sum(not any(isinstance(value, Damaged) for value in row) for row in block)
    return count


def fuzzed(style: str, examples: int, folder: Path) -> None:
    valid = STYLES[style]([odd_table(style), MadeTable("other", {"a": "text"}, [("x",)] * 4)])
    start = max(0, valid.find(b"CREATE TABLE") - 100)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(mutations(valid[start:]))
    def try_one(tail: bytes) -> None:
        with contextlib.suppress(FaceleakError):
            survey(dump_of(valid[:start] + tail, folder))

    try_one()


@pytest.mark.parametrize("style", STYLES)
def test_damaged_dumps_end_in_typed_errors(style: str, tmp_path: Path) -> None:
    fuzzed(style, EXAMPLES, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_many_damaged_dumps_end_in_typed_errors(style: str, tmp_path: Path) -> None:
    fuzzed(style, SLOW_EXAMPLES, tmp_path)
