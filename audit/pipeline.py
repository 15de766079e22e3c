"""An audit from faces to report, in stages that are done once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attacks.base import make_settings
from audit.about import about_key, check_about, kept_about
from audit.assemble import Assembly
from audit.attempted import Attempted
from audit.attempts import CONTROLS, Attempts, consulted
from audit.brought import brought_by, check_brought
from audit.config import AuditConfig, OutputSettings, effective_yaml, load_config
from audit.findings_photographs import photograph_findings
from audit.judging import Bench
from audit.models import Models, check_models, prepare_models
from audit.outcomes import OUTCOMES
from audit.people import People, gather_people, hash_file, seed_for
from audit.provenance import now
from audit.pseudonyms import pseudonym, pseudonym_salt
from audit.run_folder import RunFolder, full_disk_as_error, remove, stage_key
from audit.samples import choose_rows, draw_samples
from audit.scores import Scores, face_scores
from audit.search import Search, Searched, search_results, searched_attack
from audit.verdict import NOTES, Store, decide, grading
from audit.watch import Watch
from audit.weights_used import of_audit
from audit.working import MEAN_FACE, failing
from biometrics.backbones.base import BACKBONES
from biometrics.errors import ConfigError
from biometrics.faces.images import digest
from biometrics.metrics.verification import MIN_EXPECTED_PAIRS
from biometrics.metrics.view2 import read_pairs
from faceleak import __version__
from reports.formats import RENDERED, SCORES, keeps_scores, write_formats
from reports.pdf import PDF_NAME
from reports.results import RESULTS_NAME, AttackResult, Results, save_results

CONFIG_NAME = "audit.yaml"


def run_audit(config: AuditConfig, out: Path, watch: Watch) -> Path:
    """Run an audit, or what is missing of it.

    Args:
        config: the effective configuration.
        out: the run's folder; an earlier run with the same settings continues there.
        watch: shows progress.

    Returns:
        The path of ``results.json``; ``report.html`` and the other formats lie beside it.

    Raises:
        FaceleakError: anything that a user can cause, in one line.
    """
    check_audit(config, out)
    settings = digest(effective_yaml(config).encode())
    with RunFolder(out) as run, run.journal.telling("audit", settings=settings):
        _leave_other_results(config, run, watch)
        run.write(CONFIG_NAME, effective_yaml(config))
        people = gather_people(config, run, watch)
        run.journal.inputs = people.inputs
        run.journal.record("input read")
        check_brought(config.attacks, people)
        warn_of_few(config, people, watch)
        models = prepare_models(config, people, run, watch)
        run.note(**origin(config, people, models))
        tries = Attempts.configured(config, run, people, models, watch)
        seed = seed_for("attack", config.seed)
        made = [
            tries.attempt(name, settings, seed=seed)
            for name, settings in configured_attacks(config)
        ]
        searched = _search(config, tries, made, seed)
        key = _results_key(config, people, models, made, searched)
        path = run.path / RESULTS_NAME
        if not run.has_results(key) or not has_tables(config.output, run.path):
            # The pictures change with the results: what is killed in between belongs to neither.
            run.forget_results()
            with watch.task("work out the rates and their intervals"), full_disk_as_error(out):
                assembly = Assembly(Bench(config, people, models))
                results = _results(config, assembly, made, searched, run)
                run.write_by(OUTCOMES, assembly.outcomes.save)
                keep_scores(config.output, run, lambda: face_scores(assembly, made))
                save_results(results, path)
            run.finish(key)
            run.journal.record("results written", sha256=hash_file(path))
        write_report(config.output, run, watch)
    return path


def _leave_other_results(config: AuditConfig, run: RunFolder, watch: Watch) -> None:
    """Remove the results of other settings before work starts: an interrupted change must not leave
    a report that tells of something else than the folder's settings."""
    before = run.path / CONFIG_NAME
    if not before.is_file() or not (run.path / RESULTS_NAME).is_file():
        return
    try:
        same = load_config(before).model_copy(update={"output": config.output}) == config
    except ConfigError:
        same = False
    if not same:
        watch.note(f"{run.path} was made with other settings: what depends on them is done again")
        run.forget_results()
        for name in (RESULTS_NAME, *RENDERED, OUTCOMES):
            remove(run.path / name)


def warn_of_few(config: AuditConfig, people: People, watch: Watch) -> None:
    """Say before the work, not after it, at which FMRs there are too few people."""
    names = people.faces.subject_ids[people.split.threshold]
    there = len(set(names.tolist()))
    for fmr in config.fmr:
        needed = math.ceil((1 + math.sqrt(1 + 8 * MIN_EXPECTED_PAIRS / fmr.value)) / 2)
        if there < needed:
            watch.note(
                f"nothing will be measured at FMR {fmr.label}: {there:,} people set thresholds, "
                f"{needed:,} are needed"
            )


def check_audit(config: AuditConfig, out: Path) -> None:
    """Find misspelt names and absent files before hours of work, not after."""
    faces = config.faces
    for folder in (faces.path, faces.attacker, faces.leaked):
        if folder is not None and out.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(f"--out {out} lies in the folder of faces {folder}; choose another")
    for name in (config.target, *config.judges, *config.weights):
        BACKBONES.get(name)
    for name, file in config.weights.items():
        if not file.is_file():
            raise ConfigError(f"weights.{name}: no such file: {file}")
    consulted(config.attacks, config.target)  # reads settings, and records of trained attacks
    if config.search is not None:
        searched_attack(config.search, config.attacks)
    if config.faces.pairs is not None:
        read_pairs(config.faces.pairs)
    check_about(config.about)
    check_models(config)
    pseudonym_salt()


def origin(config: AuditConfig, people: People, models: Models) -> dict[str, Any]:
    """What the manifest says of where the run comes from."""
    return {
        "faceleak": __version__,
        "seed": config.seed,
        "inputs": people.inputs,
        "weights": models.weights,
        "judges_consulted": consulted(config.attacks, config.target),
    }


def _search(
    config: AuditConfig, tries: Attempts, made: Sequence[Attempted], seed: int
) -> Searched | None:
    if config.search is None:
        return None
    name = searched_attack(config.search, config.attacks)
    attempted = next(a for a in made if a.name == name)
    settings = dict(configured_attacks(config))[name]
    return Search(config.search, config.seed, tries).attempt(attempted, settings, seed=seed)


def _results_key(
    config: AuditConfig,
    people: People,
    models: Models,
    made: Sequence[Attempted],
    searched: Searched | None,
) -> str:
    """Hash of all that results.json depends on; how it is rendered is none of it."""
    pairs = config.faces.pairs
    settings = config.model_dump(mode="json", exclude={"weights", "faces", "output", "about"})
    about = about_key(config.about)
    inputs = {
        "search": None if searched is None else searched.key,
        "keys": [key for attempted in made for key in attempted.keys],
        "people": people.key,
        "backbones": models.backbone_keys,
        "missing": models.missing,
        "settings": {**settings, "samples": config.output.samples},
        "pairs": None if pairs is None else digest(pairs.read_bytes()),
        "pseudonyms": pseudonym("", pseudonym_salt(), "K", size=32),
        **({} if about is None else {"about": about}),
    }
    return stage_key(RESULTS_NAME, inputs)


def configured_attacks(config: AuditConfig) -> list[tuple[str, dict[str, Any]]]:
    """The configured attacks, shortened where the run is quick, then the controls that nobody
    configured."""
    chosen = {a.name: _shortened(a.name, a.settings, config.quick) for a in config.attacks}
    return list(({**chosen, **{c: {} for c in CONTROLS if c not in chosen}}).items())


def _shortened(name: str, settings: dict[str, Any], quick: bool) -> dict[str, Any]:
    if not quick:
        return settings
    return make_settings(name, settings).quick().model_dump()


def _results(
    config: AuditConfig,
    assembly: Assembly,
    made: Sequence[Attempted],
    searched: Searched | None,
    run: RunFolder,
) -> Results:
    people, models = assembly.people, assembly.models
    nearest = next(a for a in made if a.name == "control:nearest")
    settings = {attack.name: attack.settings for attack in config.attacks}
    rows = [
        assembly.attack(
            a, None if a.control else nearest, _note(a, settings.get(a.name, {}), people)
        )
        for a in made
    ]
    rows = _marked(rows)
    store = Store(
        models.target, people.summary.leaked.subjects, people.generated, quick=config.quick
    )
    verdict = decide(rows, store)
    real = [a for a in made if not a.control]
    chosen = choose_rows(assembly.subjects, config.output.samples, config.seed)
    results = Results(
        title=config.title,
        created=now(),
        headline=verdict.headline,
        grade=verdict.grade,
        grade_reason=verdict.grade_reason,
        grading=grading(),
        verdict=verdict.sentence,
        quick=config.quick,
        target=models.target,
        provenance=assembly.provenance(),
        faces=people.summary,
        backbones=assembly.bench.backbones(),
        judges_missing=models.missing,
        attacks=rows,
        histograms=assembly.histograms(made),
        det=assembly.bench.det(),
        curves={a.name: a.curves for a in real if a.curves},
        samples=draw_samples(assembly, real, chosen, run),
        notes=_notes(config, people),
        search=[] if searched is None else search_results(searched, assembly.bench),
        about=kept_about(config.about, run),
        weights=of_audit(
            [models],
            rows,
            [(a.name, a.settings) for a in config.attacks],
            generated=people.generated,
        ),
    )
    return results.model_copy(update={"findings": photograph_findings(results)})


def _note(attempted: Attempted, settings: Mapping[str, Any], people: People) -> str:
    if attempted.control:
        return ""
    notes = ["shares the appearance model that generated the people"] if people.generated else []
    brought = brought_by(attempted.name, settings)
    return "; ".join(filter(None, [*notes, brought.note if brought else ""]))


def _marked(rows: Sequence[AttackResult]) -> list[AttackResult]:
    """The rows, with a note on every attack that does not work."""
    mean = next(row for row in rows if row.attack == MEAN_FACE)
    notes = {row.attack: "" if row.control else failing(row, mean) for row in rows}
    return [
        row.model_copy(update={"note": "; ".join(filter(None, [notes[row.attack], row.note]))})
        for row in rows
    ]


def _notes(config: AuditConfig, people: People) -> list[str]:
    names = ["generated", "shared"] if people.generated else []
    notes = [NOTES[name] for name in (*names, "meaning", "interval")]
    return notes if config.leak.clean else [*notes, config.leak.note()]


def write_report(output: OutputSettings, run: RunFolder, watch: Watch) -> None:
    """Write the formats asked for of a finished run, and say so in its journal."""
    with watch.task("write the report"), full_disk_as_error(run.path):
        render(output, run.path)
    run.journal.record("report rendered", formats=",".join(output.formats), revealed=output.reveal)


def render(output: OutputSettings, run: Path) -> None:
    """Write the formats asked for, and remove the others: they may tell of earlier results."""
    remove(run / PDF_NAME)
    write_formats(run, output.formats, reveal=output.reveal)


def has_tables(output: OutputSettings, run: Path) -> bool:
    """Whether the tables that belong to results.json lie beside it, as far as they are wanted."""
    wanted = [OUTCOMES, *([SCORES] if keeps_scores(output.formats) else [])]
    return all((run / name).is_file() for name in wanted)


def keep_scores(output: OutputSettings, run: RunFolder, scores: Callable[[], Scores]) -> None:
    """Write the scores of all reconstructions, or remove those of earlier results."""
    if keeps_scores(output.formats):
        run.write_by(SCORES, scores().save)
    else:
        remove(run.path / SCORES)
