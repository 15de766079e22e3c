"""A very small stress run of generated people, shared by the tests of the families."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from audit.stress.config import StressConfig
from audit.stress.run import run_stress
from audit.watch import Watch
from reports.results import Results, StressResult, load_results

SUBJECTS, PICTURES = 12, 3
TARGET = "faceleak-mini"

CONFIG: dict[str, Any] = {
    "title": "Small",
    "faces": {
        "synth": {
            "subjects": SUBJECTS,
            "pictures": PICTURES,
            "attacker_subjects": 30,
            "threshold_subjects": 80,  # 3,160 pairs: enough for FMR 1e-2, too few for 1e-3
        }
    },
    "targets": [TARGET],
    "judges": [TARGET],
    "attacks": ["linear"],
    "fmr": [1e-2, 1e-3],
    "output": {"formats": ["json"]},
}


def small_config(families: Sequence[str], stress: dict[str, Any], **changes: Any) -> StressConfig:
    """The configuration; ``stress`` are its sizes, ``changes`` other keys."""
    return StressConfig.model_validate(
        {**CONFIG, **changes, "stress": {"families": list(families), "pictures": 2, **stress}}
    )


def run_small(
    folder: Path, families: Sequence[str], stress: dict[str, Any] | None = None, **changes: Any
) -> Results:
    """Run it and read the results; a second run in the same folder uses what is done there."""
    config = small_config(families, stress or {}, **changes)
    with begun(folder, "stress"):
        return load_results(run_stress(config, folder, Watch(None)))


_begun: dict[str, TemporaryDirectory[str]] = {}
"""A copy of the first run of each kind in this process."""


@contextmanager
def begun(folder: Path, kind: str) -> Iterator[None]:
    """Runs of one kind mostly have the same people: each begins with what the first one finished,
    and a stage whose inputs differ is done anew."""
    if kind in _begun and not any(folder.glob("*")):
        results = shutil.ignore_patterns("results.json")
        shutil.copytree(_begun[kind].name, folder, dirs_exist_ok=True, ignore=results)
    yield
    if kind not in _begun:
        _begun[kind] = TemporaryDirectory(prefix="faceleak-")
        shutil.copytree(folder, _begun[kind].name, dirs_exist_ok=True)


def rows_of(results: Results, perturbation: str, **fields: Any) -> list[StressResult]:
    """The rows of one perturbation whose ``fields`` have these values."""
    return [
        row
        for row in results.stress
        if row.perturbation == perturbation
        and all(getattr(row, name) == value for name, value in fields.items())
    ]
