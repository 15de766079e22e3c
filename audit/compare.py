"""``faceleak compare``: the same faces, people, attacks and budget for several backbones."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.about import kept_about
from audit.changes import change_notes, changed_settings, changes, is_change
from audit.compare_config import CompareConfig
from audit.compare_plan import (
    effective_plan,
    learn_from_pairs,
    planned_audits,
    read_sources,
)
from audit.compared_run import ComparedRun, judged, read_runs, strongest
from audit.formats import FOLDER, try_formats
from audit.people import hash_file
from audit.pipeline import run_audit
from audit.predictability import predictabilities
from audit.projection import check_projection
from audit.provenance import now
from audit.ranking import (
    CommonJudge,
    Standing,
    common_judge,
    compare_rows,
    differences,
    standing,
)
from audit.run_folder import RunFolder, read_stage, remove
from audit.verdict import NOTES
from audit.watch import Watch
from biometrics.errors import ConfigError
from faceleak import __version__
from reports.formats import RENDERED, write_formats
from reports.results import (
    RESULTS_NAME,
    CompareCell,
    CompareResult,
    FormatRow,
    Provenance,
    Results,
    save_results,
)

CONFIG_NAME = "compare.yaml"
SHARED = ("faces", "templates", "appearance", "backbones")
"""What runs on the same faces have in common, as folders below a run."""


def compare(
    sources: Sequence[str],
    out: Path,
    watch: Watch,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Run what is missing and compare.

    Args:
        sources: configurations, each of one or several targets, and folders of finished runs.
        out: gets a run for every target of the configurations, ``results.json`` and
            ``report.html``.
        watch: shows progress.
        overrides, environ: for the configurations, as in an audit.

    Returns:
        The path of ``results.json``.

    Raises:
        ConfigError: fewer than two backbones, or runs that differ in more than the backbone.
        FaceleakError: anything else that a user can cause, in one line.
    """
    plans, finished = read_sources(sources, overrides, environ)
    audits = planned_audits(plans)
    if len(audits) + len(finished) < 2:
        raise ConfigError(
            "a comparison needs two backbones or more: name them as targets, or give several "
            "configurations or run folders"
        )
    with RunFolder(out) as folder, folder.journal.telling("comparison"):
        _leave_other_results(folder, effective_plan(plans, finished))
        made: list[Path] = []
        for name, config in audits.items():
            place = out / name
            if made:
                share_stages(made[0], place)
            watch.note(f"audit of {config.target}")
            run_audit(config, place, watch)
            made.append(place)
        runs = read_runs([*made, *finished])
        folder.journal.inputs = _inputs(runs)
        result = compared(runs, watch)
        wanted = [name for plan in plans for name in plan.formats]
        formats = _formats(wanted, runs[: len(made)], result, out / FOLDER, watch)
        result = result.model_copy(update={"formats": formats})
        path = out / RESULTS_NAME
        save_results(_document(runs, result, plans, folder), path)
        folder.journal.record("results written", sha256=hash_file(path))
        write_formats(out, ["html"])
        folder.journal.record("report rendered", formats="html", revealed=False)
    return path


def _leave_other_results(folder: RunFolder, effective: str) -> None:
    """Remove the results of another comparison before work starts, and note this one."""
    try:
        same = (folder.path / CONFIG_NAME).read_text(encoding="utf-8") == effective
    except OSError:
        same = False
    if not same:
        for name in (RESULTS_NAME, *RENDERED):
            remove(folder.path / name)
    folder.write(CONFIG_NAME, effective)


def share_stages(done: Path, run: Path) -> None:
    """Give a run the faces, templates and models of a finished one, as further names of the same
    files: they are used where their keys fit, and made anew where not."""
    with RunFolder(run):
        for name in SHARED:
            for record in sorted((done / name).rglob("stage.json")):
                stage = record.parent
                place = run / stage.relative_to(done)
                here, there = read_stage(place), read_stage(stage)
                if here is None or (there is not None and here.key != there.key):
                    shutil.rmtree(place, ignore_errors=True)
                    shutil.copytree(stage, place, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def compared(runs: Sequence[ComparedRun], watch: Watch) -> CompareResult:
    """Everything that finished runs say of each other."""
    common = common_judge(runs)
    standings = {run.name: standing(run, common) for run in runs}
    by_name = {run.name: run for run in runs}
    rows = compare_rows(runs, standings)
    # In the order of the configuration: results.json sorts them.
    named = dict.fromkeys(j for run in runs for j in run.config.judges)
    judges = [name for name in named if any(name in run.results.backbones for run in runs)]
    fmr = _shown_fmr(common, standings)
    settings = changed_settings(runs) if is_change(runs) else []
    matrix = [
        cell for row in rows for cell in _cells(by_name[row.name], standings[row.name], judges)
    ]
    return CompareResult(
        judge="" if common is None else common.name,
        fmr=fmr,
        rows=rows,
        differences=differences(rows, by_name, standings),
        judges=judges,
        matrix=matrix,
        predictability=predictabilities(runs, judges, watch),
        projection=next(filter(None, map(check_projection, runs)), None),
        settings=settings,
        changes=changes(runs) if is_change(runs) else [],
        notes=[*(change_notes(settings) if is_change(runs) else []), *_notes(runs, common)],
    )


def _shown_fmr(common: CommonJudge | None, standings: Mapping[str, Standing | None]) -> str | None:
    if common is not None:
        return common.fmr
    return next((place.fmr for place in standings.values() if place is not None), None)


def _cells(run: ComparedRun, place: Standing | None, judges: Sequence[str]) -> list[CompareCell]:
    cells = []
    for judge in judges:
        found = None if place is None else judged(run, place.attack, judge)
        if place is None or found is None:
            cells.append(CompareCell(source=run.name, judge=judge, attack="", unseen=False))
            continue
        cells.append(
            CompareCell(
                source=run.name,
                judge=judge,
                attack=place.attack,
                unseen=found.unseen,
                type1=found.type1,
                type2=found.type2,
                type2_reference=found.type2_reference,
            )
        )
    return cells


def _notes(runs: Sequence[ComparedRun], common: CommonJudge | None) -> list[str]:
    notes = []
    if common is None:
        notes.append(
            "No single judge is unseen by the attacks on all of these backbones and recognises "
            "people well enough: each row has a judge of its own, so the order is not one of "
            "leakage alone."
        )
    missing = {name: why for run in runs for name, why in run.results.judges_missing.items()}
    notes += [f"{name} did not judge: {why}" for name, why in sorted(missing.items())]
    generated = runs[0].results.faces is not None and runs[0].results.faces.generated
    return [*notes, *(NOTES[name] for name in (*(["generated"] if generated else []), "meaning"))]


def _formats(
    wanted: Sequence[str],
    runs: Sequence[ComparedRun],
    result: CompareResult,
    out: Path,
    watch: Watch,
) -> list[FormatRow]:
    rows = []
    for run in runs:
        row = next(r for r in result.rows if r.name == run.name)
        if run.target not in wanted or result.fmr is None or not row.judge:
            continue
        pairs_only = set(learn_from_pairs(run.config))
        attack = strongest(run, row.judge, result.fmr, unseen=bool(result.judge), among=pairs_only)
        if attack is not None:
            place = Standing(row.judge, attack, result.fmr)
            rows += try_formats(run.config, run.folder, place, out, watch)
    return rows


def _inputs(runs: Sequence[ComparedRun]) -> dict[str, str]:
    return {name: sha for run in runs for name, sha in run.results.provenance.inputs.items()}


def _document(
    runs: Sequence[ComparedRun],
    result: CompareResult,
    plans: Sequence[CompareConfig],
    folder: RunFolder,
) -> Results:
    first = runs[0].results
    title = plans[0].title if plans else f"Comparison of {', '.join(run.name for run in runs)}"
    consulted = {name for run in runs for name in run.results.provenance.judges_consulted}
    return Results(
        title=title,
        created=now(),
        quick=first.quick,
        provenance=Provenance(
            faceleak=__version__,
            python=platform.python_version(),
            torch=first.provenance.torch,
            device=first.provenance.device,
            seed=first.provenance.seed,
            inputs=_inputs(runs),
            judges_consulted=sorted(consulted),
            packages=first.provenance.packages,
        ),
        grading=first.grading,
        faces=first.faces,
        backbones={name: b for run in runs for name, b in run.results.backbones.items()},
        compare=result,
        about=kept_about(plans[0].about if plans else None, folder),
        weights=list({w.name: w for run in runs for w in run.results.weights}.values()),
    )
