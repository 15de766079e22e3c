"""A run on several targets, from faces to report: what stress and protection share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from audit.about import kept_about
from audit.attempts import consulted
from audit.brought import check_brought
from audit.config import AuditConfig, effective_yaml
from audit.judging import Bench
from audit.models import Models, prepare_models
from audit.people import People, gather_people, hash_file
from audit.pipeline import check_audit, origin, warn_of_few, write_report
from audit.provenance import now, provenance
from audit.run_folder import RunFolder, remove
from audit.targets_config import TargetsConfig
from audit.verdict import NOTES
from audit.watch import Watch
from audit.weights_used import of_audit
from audit.workbench import Workbench
from biometrics.faces.images import digest
from biometrics.file_names import file_name
from biometrics.parallel import kept_processes
from reports.formats import RENDERED
from reports.results import RESULTS_NAME, Model, Results, save_results


class _Sampled(Protocol):
    """A row of results that shows pictures."""

    @property
    def samples(self) -> Sequence[Model]:
        """Models whose values name the pictures, among others."""


Row = TypeVar("Row", bound=_Sampled)
Bench_ = TypeVar("Bench_", bound=Workbench)


@dataclass(frozen=True)
class Work(Generic[Row, Bench_]):
    """What is done with every target.

    Attributes:
        name: of the run, for its journal; its settings are kept as ``NAME.yaml``.
        figures: folder of the run with the pictures that rows name.
        bench: what is worked with, of one target.
        rows: what is measured of one target.
        document: the fields of the results that hold all rows and what is told of them.
    """

    name: str
    figures: str
    bench: Callable[[AuditConfig, People, Models, RunFolder, RunFolder, Watch], Bench_]
    rows: Callable[[Bench_], list[Row]]
    document: Callable[[list[Row]], dict[str, Any]]


def run_targets(config: TargetsConfig, work: Work[Row, Bench_], out: Path, watch: Watch) -> Path:
    """Do it for every target, or do what is missing of it.

    Args:
        config: the effective configuration.
        work: what is done.
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
        run.journal.telling(work.name, settings=digest(text.encode())),
        kept_processes(),
    ):
        _leave_other_results(run, f"{work.name}.yaml", text)
        first = next(iter(audits.values()))
        people = gather_people(first, run, watch)
        run.journal.inputs = people.inputs
        run.journal.record("input read")
        check_brought(config.tried(), people)
        warn_of_few(first, people, watch)
        rows: list[Row] = []
        benches: list[Bench] = []
        for target, audit in audits.items():
            models = prepare_models(audit, people, run, watch)
            with RunFolder(out / file_name(target)) as own:
                own.note(**origin(audit, people, models))
                bench = work.bench(audit, people, models, run, own, watch)
                benches.append(bench.bench)
                rows += work.rows(bench)
        path = run.path / RESULTS_NAME
        save_results(_document(config, people, benches, work.document(rows), run), path)
        _forget_pictures(run.path / work.figures, run.path, rows)
        run.journal.record("results written", sha256=hash_file(path))
        write_report(config.output, run, watch)
    return path


def _leave_other_results(run: RunFolder, name: str, effective: str) -> None:
    """Remove the results of another run before work starts, and note the settings of this one."""
    try:
        same = (run.path / name).read_text(encoding="utf-8") == effective
    except OSError:
        same = False
    if not same:
        for old in (RESULTS_NAME, *RENDERED):
            remove(run.path / old)
    run.write(name, effective)


def _forget_pictures(figures: Path, run: Path, rows: Sequence[_Sampled]) -> None:
    """Remove pictures of earlier results; not before there are others."""
    samples = [sample.model_dump().values() for row in rows for sample in row.samples]
    named = {str(name) for values in samples for name in values}
    for path in figures.rglob("*.png"):
        if path.relative_to(run).as_posix() not in named:
            remove(path)


def _document(
    config: TargetsConfig,
    people: People,
    benches: Sequence[Bench],
    told: dict[str, Any],
    run: RunFolder,
) -> Results:
    first = benches[0]
    weights = {name: sha for bench in benches for name, sha in bench.models.weights.items()}
    met = {j for bench in benches for j in consulted(config.tried(), bench.models.target)}
    notes = [NOTES["generated"]] if people.generated else []
    return Results(
        title=config.title,
        created=now(),
        quick=config.quick,
        provenance=provenance(people.inputs, weights, config.seed, sorted(met)),
        faces=people.summary,
        backbones=first.backbones(),
        judges_missing=first.models.missing,
        notes=[*notes, NOTES["meaning"], NOTES["interval"]],
        about=kept_about(config.about, run),
        weights=of_audit(
            [bench.models for bench in benches],
            [],
            [(a.name, a.settings) for a in config.tried()],
            generated=people.generated,
        ),
        **told,
    )
