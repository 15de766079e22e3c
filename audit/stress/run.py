"""A stress run: every family on every target, from faces to report."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit.config import AuditConfig
from audit.models import Models
from audit.people import People
from audit.run_folder import RunFolder
from audit.stress.bench import Workbench
from audit.stress.config import StressConfig
from audit.stress.findings import stress_findings
from audit.stress.rules import load_rules
from audit.stress.settings import StressSettings
from audit.stress.strips import FIGURES
from audit.targets_run import Work, run_targets
from audit.watch import Watch
from reports.results import STRESS_FAMILIES, StressFamily, StressResult

NAME = "stress"
CONFIG_NAME = f"{NAME}.yaml"

Run = Callable[[Workbench], list[StressResult]]

HOMES: dict[StressFamily, str] = {family: f"audit.stress.{family}" for family in STRESS_FAMILIES}
"""The module of every family; its ``stress`` gives the family's rows for one target."""


def family_run(family: StressFamily) -> Run:
    """What runs a family; its module is imported when it is asked for."""
    found: Run = importlib.import_module(HOMES[family]).stress
    return found


def run_stress(config: StressConfig, out: Path, watch: Watch) -> Path:
    """Put templates under stress, or do what is missing of it; see
    :func:`audit.targets_run.run_targets`."""
    work = Work(NAME, FIGURES, functools.partial(_bench, sizes=config.stress), _rows, _document)
    return run_targets(config, work, out, watch)


def _bench(
    config: AuditConfig,
    people: People,
    models: Models,
    shared: RunFolder,
    run: RunFolder,
    watch: Watch,
    *,
    sizes: StressSettings,
) -> Workbench:
    return Workbench(config, sizes, people, models, shared, run, watch)


def _rows(bench: Workbench) -> list[StressResult]:
    rows = []
    for family in bench.sizes.families:
        bench.watch.note(f"{bench.target}: {family}")
        rows += family_run(family)(bench)
    return rows


def _document(rows: list[StressResult]) -> dict[str, Any]:
    return {"stress": rows, "findings": stress_findings(rows, load_rules())}
