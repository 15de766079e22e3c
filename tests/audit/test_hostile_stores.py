"""``faceleak stores inspect`` on what an attacker may hand in: one clear line, soon, nothing
written, nothing that a terminal would obey."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from biometrics.errors import StoreError
from biometrics.stores.base import open_store
from tests.audit.conftest import Faceleak
from tests.audit.hostile_files import ATTACKS, SLOW, Attack
from tests.audit.limited_runs import Run, run_all
from tests.biometrics.stores.readers_files import valid_files

OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys, besides the end of a line and a tab."""


def runs_of(attacks: Mapping[str, Attack], folder: Path, seconds: int) -> dict[str, Run]:
    (folder / "stores").mkdir()
    paths = {name: folder / "stores" / f"store\x1b[31m {n}" for n, name in enumerate(attacks)}
    for name, path in paths.items():
        attacks[name].make(path)
    commands = [("stores", "inspect", str(path)) for path in paths.values()]
    return dict(zip(attacks, run_all(folder, commands, seconds), strict=True))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """All that ends within a few seconds."""
    return runs_of(ATTACKS, tmp_path_factory.mktemp("hostile"), 15)


@pytest.fixture(scope="module")
def slow_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What is large."""
    return runs_of(SLOW, tmp_path_factory.mktemp("hostile"), 240)


def check(attack: Attack, run: Run) -> None:
    said = f"code {run.code} after {run.seconds:.1f} s\n{run.out}\n{run.err}"
    assert run.code in attack.codes, said
    assert "Traceback" not in run.err, said
    assert not OBEYED.search(run.out + run.err), said
    assert run.left == []
    lines = run.err.splitlines()
    assert [line for line in lines if line.startswith("faceleak:")] == lines[-1:] * bool(run.code)
    if run.code:
        assert re.search(attack.says, lines[-1]), said
        assert len(lines[-1]) < 700, said


@pytest.mark.parametrize("name", ATTACKS)
def test_one_line_soon_and_nothing_written(name: str, runs: dict[str, Run]) -> None:
    check(ATTACKS[name], runs[name])
    assert runs[name].seconds < 12


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_large_ones_too(name: str, slow_runs: dict[str, Run]) -> None:
    check(SLOW[name], slow_runs[name])


def test_a_file_that_may_not_be_read(
    faceleak: Faceleak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.npy"
    np.save(path, np.ones((9, 64)))

    def refuse(self: Path, *given: object, **named: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    ended = faceleak("stores", "inspect", path)
    assert (ended.code, ended.error) == (2, f"faceleak: error: store {path}: Permission denied")


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("", "an empty name"),
        ("~nobody-of-that-name/x.npy", "home directory"),
        ("a\0b", "no such file"),
        ("x" * 5000, "too long"),
        ("/dev/null", "a pipe or a device"),
        ("\x1b[2J.npy", "no such file"),
        ("file:///etc/passwd", "not the address of a database"),
    ],
)
def test_odd_locations(location: str, says: str, faceleak: Faceleak) -> None:
    ended = faceleak("stores", "inspect", location)
    assert ended.code == 2
    assert says in ended.error
    assert not OBEYED.search(ended.error)
    assert len(ended.error) < 400


FORMS = ["npy", "csv", "jsonl", "parquet", "arrow", "arrow stream", "npz", "safetensors"]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_cut_while_it_is_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_bytes(valid_files()[form])
    with open_store(str(path)) as store:
        os.truncate(path, path.stat().st_size // 2)
        try:
            count, said = sum(map(len, store.batches())), ""
        except StoreError as error:
            count, said = 0, str(error)
        assert count < 12
        assert re.search("damaged|shorter", said) or store.tally.lost > 0
