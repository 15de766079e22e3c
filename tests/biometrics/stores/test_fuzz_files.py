"""Damaged files of every form: typed errors, or fewer rows, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from biometrics.errors import FaceleakError
from biometrics.stores.base import open_store
from biometrics.stores.readers import arrow
from tests.biometrics.stores.forked import run_forked
from tests.biometrics.stores.fuzz import EXAMPLES, SLOW_EXAMPLES, mutations
from tests.biometrics.stores.readers_files import valid_files

VALID = valid_files()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "run_limited", run_forked)


def read(path: Path, data: bytes) -> int:
    """Rows of a store of these bytes; 0 where it says in one line why there are none."""
    path.write_bytes(data)
    count = 0
    try:
        with open_store(str(path)) as store:
            for batch in store.batches():
                count += len(batch)
                assert batch.vectors.shape == (len(batch), batch.collection.dim)
            assert store.facts.product in ("file", "pictures-only")
            assert store.tally.read == count
    except FaceleakError:
        return count
    return count


def run(form: str, examples: int, path: Path) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations(VALID[form]))
    def survives(data: bytes) -> None:
        read(path, data)

    survives()


@pytest.mark.parametrize("form", VALID)
def test_the_valid_file_is_read(form, tmp_path):
    assert read(tmp_path / "store", VALID[form]) == 12


@pytest.mark.parametrize("form", VALID)
def test_damage_gives_typed_errors_only(form, tmp_path):
    run(form, EXAMPLES, tmp_path / "store")


def test_a_footer_that_ends_the_library_ends_its_own_process_only(tmp_path):
    """Some of these flips abort the process that asks pyarrow for a column's figures."""
    data = VALID["parquet"]
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for place in range(footer + 16, footer + 26):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            assert read(tmp_path / "store", bytes(flipped)) <= 12


@pytest.mark.slow
@pytest.mark.parametrize("form", VALID)
def test_much_damage_gives_typed_errors_only(form, tmp_path):
    run(form, SLOW_EXAMPLES, tmp_path / "store")
