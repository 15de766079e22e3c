"""``faceleak stores inspect`` on what an attacker may hand in: one clear line, soon, nothing
written, nothing that a terminal would obey."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.audit.hostile_files import ATTACKS, SLOW, Attack
from tests.audit.limited_runs import Run, run_all

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
