"""A very small audit of generated people, shared by the tests of whole runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

SUBJECTS, PICTURES, ATTACKERS, THRESHOLDS = 12, 2, 40, 90
"""90 threshold subjects are 4,005 pairs: enough for FMR 1e-2 (40 >= 30), too few for 1e-3."""

CONFIG = f"""\
title: Tiny
faces:
  synth:
    subjects: {SUBJECTS}
    pictures: {PICTURES}
    attacker_subjects: {ATTACKERS}
    threshold_subjects: {THRESHOLDS}
attacks:
  - linear
  - landmark-texture: {{epochs: 1, landmark_epochs: 1, channels: 16, hidden: 8}}
judges: [dlib]
fmr: [1e-2, 1e-3]
output: {{samples: 3, formats: [html, csv, parquet]}}
"""


def write_config(folder: Path) -> Path:
    """The configuration as a file."""
    path = folder / "tiny.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def environment(home: Path) -> dict[str, str]:
    """One thread, a home of its own, and no weights but those that ship."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FACELEAK_", "XDG_"))}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**kept, **threads, "HOME": str(home), "COLUMNS": "80", "PYTHONPATH": str(ROOT)}


def faceleak(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "audit.cli", *argv]
    return subprocess.run(
        command, env=environment(home), cwd=home, capture_output=True, text=True, check=False
    )


def read(run: Path) -> dict[str, Any]:
    """``results.json`` as it lies there."""
    document: dict[str, Any] = json.loads((run / "results.json").read_text(encoding="utf-8"))
    return document


def copy_run(run: Path, target: Path) -> Path:
    """A second run folder with the same stages. Files are linked, not copied: a run never changes
    a file in place."""
    shutil.copytree(run, target, copy_function=os.link, ignore=shutil.ignore_patterns(".lock"))
    return target


def without_times(value: Any) -> Any:
    """The document without what differs between two equal runs: created, seconds and rates."""
    if isinstance(value, dict):
        gone = ("created", "seconds", "templates_per_second")
        return {k: without_times(v) for k, v in value.items() if k not in gone}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def unfinished(run: Path) -> list[str]:
    """Temporary files and folders below a run."""
    return [p.name for p in run.rglob(".*") if p.name != ".lock"]
