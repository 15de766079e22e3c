"""A stress run: every family on every target, from faces to report."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from audit.config import effective_yaml
from audit.judging import Bench
from audit.models import Models, prepare_models
from audit.people import People, gather_people, hash_file
from audit.pipeline import check_audit, render
from audit.provenance import now, provenance
from audit.run_folder import RunFolder, full_disk_as_error, remove
from audit.stress.bench import Workbench
from audit.stress.config import StressConfig
from audit.stress.findings import stress_findings
from audit.stress.rules import load_rules
from audit.stress.strips import FIGURES
from audit.verdict import NOTES
from audit.watch import Watch
from biometrics.faces.images import digest
from biometrics.file_names import file_name
from biometrics.parallel import kept_processes
from reports.exports import CSV_NAME
from reports.html import REPORT_NAME
from reports.results import (
    RESULTS_NAME,
    STRESS_FAMILIES,
    Results,
    StressFamily,
    StressResult,
    save_results,
)

CONFIG_NAME = "stress.yaml"

Run = Callable[[Workbench], list[StressResult]]

HOMES: dict[StressFamily, str] = {family: f"audit.stress.{family}" for family in STRESS_FAMILIES}
"""The module of every family; its ``stress`` gives the family's rows for one target."""


def family_run(family: StressFamily) -> Run:
    """What runs a family; its module is imported when it is asked for."""
    found: Run = importlib.import_module(HOMES[family]).stress
    return found


def run_stress(config: StressConfig, out: Path, watch: Watch) -> Path:
    """Put templates under stress, or do what is missing of it.

    Args:
        config: the effective configuration.
        out: the run's folder; an earlier run with the same settings continues there.
        watch: shows progress.

    Returns:
        The path of ``results.json``; the report lies beside it.

    Raises:
        FaceleakError: anything that a user can cause, in one line.
    """
    audits = config.audits()
    for audit in audits.values():
        check_audit(audit, out)
    text = effective_yaml(config, nulls=True)
    with (
        RunFolder(out) as run,
        run.journal.telling("stress", settings=digest(text.encode())),
        kept_processes(),
    ):
        _leave_other_results(run, text)
        remove(run.path / FIGURES)
        first = next(iter(audits.values()))
        people = gather_people(first, run, watch)
        run.journal.inputs = people.inputs
        run.journal.record("input read")
        rows: list[StressResult] = []
        models: dict[str, Models] = {}
        benches: dict[str, Bench] = {}
        for target, audit in audits.items():
            models[target] = prepare_models(audit, people, run, watch)
            with RunFolder(out / file_name(target)) as own:
                bench = Workbench(audit, config.stress, people, models[target], run, own, watch)
                benches[target] = bench.bench
                for family in config.stress.families:
                    watch.note(f"{target}: {family}")
                    rows += family_run(family)(bench)
        results = _document(config, people, benches, rows)
        path = run.path / RESULTS_NAME
        save_results(results, path)
        run.journal.record("results written", sha256=hash_file(path))
        with watch.task("write the report"), full_disk_as_error(out):
            render(config.output, run.path)
        run.journal.record(
            "report rendered",
            formats=",".join(config.output.formats),
            revealed=config.output.reveal,
        )
    return path


def _leave_other_results(run: RunFolder, effective: str) -> None:
    """Remove the results of another run before work starts, and note the settings of this one."""
    try:
        same = (run.path / CONFIG_NAME).read_text(encoding="utf-8") == effective
    except OSError:
        same = False
    if not same:
        for name in (RESULTS_NAME, REPORT_NAME, CSV_NAME):
            remove(run.path / name)
    run.write(CONFIG_NAME, effective)


def _document(
    config: StressConfig,
    people: People,
    benches: dict[str, Bench],
    rows: list[StressResult],
) -> Results:
    first = next(iter(benches.values()))
    weights = {
        name: sha for bench in benches.values() for name, sha in bench.models.weights.items()
    }
    notes = [NOTES["generated"]] if people.generated else []
    return Results(
        title=config.title,
        created=now(),
        quick=config.quick,
        provenance=provenance(people.inputs, weights, config.seed, []),
        faces=people.summary,
        backbones=first.backbones(),
        judges_missing=first.models.missing,
        stress=rows,
        findings=stress_findings(rows, load_rules()),
        notes=[*notes, NOTES["meaning"], NOTES["interval"]],
    )
