"""A stress run: every family on every target, from faces to report."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from audit.about import kept_about
from audit.attempts import consulted
from audit.brought import check_brought
from audit.config import effective_yaml
from audit.judging import Bench
from audit.models import prepare_models
from audit.people import People, gather_people, hash_file
from audit.pipeline import check_audit, origin, warn_of_few, write_report
from audit.provenance import now, provenance
from audit.run_folder import RunFolder, remove
from audit.stress.bench import Workbench
from audit.stress.config import StressConfig
from audit.stress.findings import stress_findings
from audit.stress.rules import load_rules
from audit.stress.strips import FIGURES
from audit.verdict import NOTES
from audit.watch import Watch
from audit.weights_used import of_audit
from biometrics.faces.images import digest
from biometrics.file_names import file_name
from biometrics.parallel import kept_processes
from reports.formats import RENDERED
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
        first = next(iter(audits.values()))
        people = gather_people(first, run, watch)
        run.journal.inputs = people.inputs
        run.journal.record("input read")
        check_brought(config.attacks, people)
        warn_of_few(first, people, watch)
        rows: list[StressResult] = []
        benches: list[Bench] = []
        for target, audit in audits.items():
            models = prepare_models(audit, people, run, watch)
            with RunFolder(out / file_name(target)) as own:
                own.note(**origin(audit, people, models))
                bench = Workbench(audit, config.stress, people, models, run, own, watch)
                benches.append(bench.bench)
                for family in config.stress.families:
                    watch.note(f"{target}: {family}")
                    rows += family_run(family)(bench)
        path = run.path / RESULTS_NAME
        save_results(_document(config, people, benches, rows, run), path)
        _forget_pictures(run.path, rows)
        run.journal.record("results written", sha256=hash_file(path))
        write_report(config.output, run, watch)
    return path


def _leave_other_results(run: RunFolder, effective: str) -> None:
    """Remove the results of another run before work starts, and note the settings of this one."""
    try:
        same = (run.path / CONFIG_NAME).read_text(encoding="utf-8") == effective
    except OSError:
        same = False
    if not same:
        for name in (RESULTS_NAME, *RENDERED):
            remove(run.path / name)
    run.write(CONFIG_NAME, effective)


def _forget_pictures(run: Path, rows: Sequence[StressResult]) -> None:
    """Remove pictures of earlier results; not before there are others."""
    samples = [sample.model_dump().values() for row in rows for sample in row.samples]
    named = {str(name) for values in samples for name in values}
    for path in (run / FIGURES).rglob("*.png"):
        if path.relative_to(run).as_posix() not in named:
            remove(path)


def _document(
    config: StressConfig,
    people: People,
    benches: Sequence[Bench],
    rows: list[StressResult],
    run: RunFolder,
) -> Results:
    first = benches[0]
    weights = {name: sha for bench in benches for name, sha in bench.models.weights.items()}
    met = {j for bench in benches for j in consulted(config.attacks, bench.models.target)}
    notes = [NOTES["generated"]] if people.generated else []
    return Results(
        title=config.title,
        created=now(),
        quick=config.quick,
        provenance=provenance(people.inputs, weights, config.seed, sorted(met)),
        faces=people.summary,
        backbones=first.backbones(),
        judges_missing=first.models.missing,
        stress=rows,
        findings=stress_findings(rows, load_rules()),
        notes=[*notes, NOTES["meaning"], NOTES["interval"]],
        about=kept_about(config.about, run),
        weights=of_audit(
            [bench.models for bench in benches],
            [],
            [(a.name, a.settings) for a in config.attacks],
            generated=people.generated,
        ),
    )
