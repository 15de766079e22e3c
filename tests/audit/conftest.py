from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit import cli
from tests.attacks.kept import kept_attack, small_appearance  # noqa: F401
from tests.audit import tiny
from tests.audit.paper import paper_folder, paper_runs  # noqa: F401


@dataclass(frozen=True)
class Finished:
    """A finished run: never written to, see :func:`tiny.copy_run`."""

    path: Path
    home: Path
    config: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One small audit, run from the command line once for all tests of all parallel workers."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    home.mkdir(exist_ok=True)
    config, out, said = home / "tiny.yaml", home / "run", home / "printed.json"
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.is_file():
            tiny.write_config(home)
            printed = tiny.faceleak(home, "audit", str(config), "--out", str(out))
            assert printed.returncode == 0, printed.stderr
            said.write_text(json.dumps([printed.stdout, printed.stderr]))
    return Finished(out, home, config, *json.loads(said.read_text()))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: object
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what was wrong; steps that went well may stand before it."""
        lines = self.err.splitlines()
        assert [line for line in lines if line.startswith("faceleak:")] == lines[-1:], self.err
        assert "Traceback" not in self.err
        return lines[-1]


Faceleak = Callable[..., Ended]


@pytest.fixture
def faceleak(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Faceleak:
    """Runs a command in this process, in an empty folder and with a home of its own."""
    for name, value in tiny.environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    for name in ("FACELEAK_MOBILEFACENET", "FACELEAK_SALT", "FACELEAK_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def call(*argv: object) -> Ended:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(word) for word in argv])
        printed = capsys.readouterr()
        return Ended(ended.value.code or 0, printed.out, printed.err)

    return call
