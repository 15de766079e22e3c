"""Help comes at once."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HELP_SECONDS = 0.3


def _seconds_of_children() -> float:
    """On the processor: what help takes on a machine with nothing else to do, since it has one
    thread and waits for nobody."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_loads_no_torch_and_comes_at_once() -> None:
    code = (
        "import sys\nfrom audit import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    best = float("inf")
    for _ in range(12):
        before = _seconds_of_children()
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
        )
        best = min(best, _seconds_of_children() - before)
        assert done.returncode == 0, done.stderr
        assert "backbones" in done.stdout
        if best <= HELP_SECONDS:  # the best of several: other work on the machine only adds
            return
    pytest.fail(f"the fastest of 12 took {best:.2f} s, expected at most {HELP_SECONDS} s")
