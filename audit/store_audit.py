"""An audit of a leaked store: from the file or database to the report, without photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks.trained import Trained, find_attack, folder_hash, load_trained
from audit.about import about_key, check_about, kept_about
from audit.authorisation import Authorisation, check_authorisation, needs_authorisation
from audit.calibration import calibrate
from audit.config import effective_yaml
from audit.findings import StoreEvidence, store_findings
from audit.judging import Cut
from audit.outcomes import OUTCOMES, OutcomeLog
from audit.people import hash_file, seed_for
from audit.pipeline import CONFIG_NAME, has_tables, keep_scores, render
from audit.provenance import now, provenance
from audit.pseudonyms import pseudonym_salt
from audit.run_folder import RunFolder, full_disk_as_error, remove, stage_key
from audit.samples import choose_rows
from audit.scores import store_scores
from audit.store_assembly import Calibrated, StoreAssembly
from audit.store_attack import LeakedTemplates, StoreAttempt, attack_store, controls_of
from audit.store_config import StoreAuditConfig
from audit.store_reading import Reading, read_store
from audit.store_samples import draw_store_samples
from audit.stores_tools import Coverage, check_coverage
from audit.verdict import NOTES, Store, decide, grading
from audit.watch import Watch
from audit.weights_used import of_store
from biometrics.backbones.base import (
    BACKBONES,
    OWN_LICENCE,
    Backbone,
    BackboneSpec,
    identity,
    load_backbone,
)
from biometrics.errors import ConfigError, FaceleakError, WeightsError
from biometrics.faces.images import digest
from biometrics.faces.shipped import shipped_model_path
from biometrics.stores.base import open_store
from biometrics.stores.known_backbones import known_path
from reports.formats import RENDERED, SCORES
from reports.html import REPORT_NAME
from reports.results import (
    HEADLINE_FMR,
    RESULTS_NAME,
    AttackResult,
    Estimate,
    Measured,
    Results,
    StoreSummary,
    WeightResult,
    fmr_value,
    save_results,
)

PREDICTED = 2000
"""Sampled faces that a prediction is fitted and tried on."""

ELSEWHERE = (
    "The thresholds of this audit were set on other people and other cameras than the store's: "
    "look at the FMR on the store's own people beside the success rates."
)


@dataclass(frozen=True)
class _Attacked:
    """What the attack part of an audit came to."""

    assembly: StoreAssembly
    attempts: list[StoreAttempt]  # the attack and its controls
    rows: list[AttackResult]
    outcomes: OutcomeLog
    weights: list[WeightResult]


def run_store_audit(config: StoreAuditConfig, out: Path, watch: Watch) -> Path:
    """Audit a store, or do what is missing of it.

    Args:
        config: the effective configuration.
        out: the run's folder; an earlier run with the same settings continues there.
        watch: shows progress.

    Returns:
        The path of ``results.json``; ``report.html`` and the other formats lie beside it.

    Raises:
        NotAuthorisedError: nobody signed for this store.
        CoverageError: too few of its rows can be read; the report was written all the same.
        FaceleakError: anything else that a user can cause, in one line.
    """
    _check(config, out)
    with open_store(config.store) as store:
        authorised = (
            check_authorisation(store.source, path=config.authorization)
            if needs_authorisation(store.source)
            else None
        )
        settings = digest(effective_yaml(config).encode())
        with RunFolder(out) as run, run.journal.telling("audit of a store", settings=settings):
            _leave_other_results(config, run)
            run.write(CONFIG_NAME, effective_yaml(config))
            sha256 = store.source.sha256()
            run.journal.inputs = {store.source.name: sha256}
            reading = read_store(config, store, sha256, run, watch)
            path = _audited(config, reading, authorised, run, watch)
    _check_coverage(config, reading.summary, path)
    return path


def _check(config: StoreAuditConfig, out: Path) -> None:
    """Find misspelt names and absent files before the store is read."""
    folder = Path(config.store).expanduser()
    if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"--out {out} lies in the store {config.store}; choose another")
    for name in (*config.judges, *config.weights, *([config.target] if config.target else [])):
        BACKBONES.get(name)
    for name, file in config.weights.items():
        if not file.is_file():
            raise ConfigError(f"weights.{name}: no such file: {file}")
    if config.labels is not None and not config.labels.is_file():
        raise ConfigError(f"labels: no such file: {config.labels}")
    if config.attack is not None:
        find_attack(config.attack)
    check_about(config.about)
    pseudonym_salt()


def _audited(
    config: StoreAuditConfig,
    reading: Reading,
    authorised: Authorisation | None,
    run: RunFolder,
    watch: Watch,
) -> Path:
    path = run.path / RESULTS_NAME
    trained, why_not = _attack_of(config, reading)
    ready, missing = _others(config, reading.target) if trained else ([], {})
    target = load_backbone(reading.target, config.weight_paths()) if trained else None
    models = [*ready, *([] if target is None else [target])]
    settings = config.model_dump(mode="json", exclude={"weights", "store", "output", "about"})
    about = about_key(config.about)
    key = stage_key(
        RESULTS_NAME,
        {
            "store": reading.key,
            "settings": {**settings, "samples": config.output.samples},
            "name": reading.summary.name,
            "attack": None if trained is None else folder_hash(trained.folder),
            "models": [identity(model, config.weight_paths()) for model in models],
            "missing": missing,
            "authorised": None if authorised is None else str(authorised),
            "shipped": [digest(path.read_bytes()) for path in (known_path(), shipped_model_path())],
            **({} if about is None else {"about": about}),
        },
    )
    attacks = trained is not None and reading.leaked is not None
    if not run.has_results(key) or (attacks and not has_tables(config.output, run.path)):
        run.forget_results()
        attacked = None
        if trained is not None and reading.leaked is not None:
            attacked = _attacked(config, reading.leaked, trained, ready, run, watch)
        with watch.task("work out the rates and their intervals"), full_disk_as_error(run.path):
            summary = _with_authorisation(reading.summary, authorised, why_not)
            results = _results(config, summary, attacked, missing, run)
            if attacked is not None:
                run.write_by(OUTCOMES, attacked.outcomes.save)
                shown = attacked
                keep_scores(
                    config.output, run, lambda: store_scores(shown.assembly, shown.attempts)
                )
            else:
                for name in (OUTCOMES, SCORES):
                    remove(run.path / name)
            save_results(results, path)
        run.finish(key)
        run.journal.record("results written", sha256=hash_file(path))
    with watch.task("write the report"), full_disk_as_error(run.path):
        render(config.output, run.path)
    run.journal.record(
        "report rendered",
        formats=",".join(config.output.formats),
        revealed=config.output.reveal,
    )
    return path


def _leave_other_results(config: StoreAuditConfig, run: RunFolder) -> None:
    """Remove the results of other settings before work starts, as audits of faces do."""
    before = run.path / CONFIG_NAME
    if before.is_file() and before.read_text(encoding="utf-8") != effective_yaml(config):
        run.forget_results()
        for name in (RESULTS_NAME, *RENDERED, OUTCOMES):
            remove(run.path / name)


def _attack_of(config: StoreAuditConfig, reading: Reading) -> tuple[Trained | None, str]:
    """The attack, or why there is none."""
    if reading.leaked is None:
        return None, reading.summary.not_inverted
    try:
        trained = load_trained(find_attack(config.attack or reading.target))
    except WeightsError as error:
        if config.attack is not None:
            raise
        return None, str(error)
    made_for = str(trained.record["target"])
    if made_for != reading.target:
        raise ConfigError(
            f"attack {config.attack or made_for} was trained on templates of {made_for}, the "
            f"store's are of {reading.target}"
        )
    return trained, ""


def _others(config: StoreAuditConfig, target: str) -> tuple[list[Backbone], dict[str, str]]:
    """Judges besides the attacked model, and why others are not ready."""
    ready, missing = [], {}
    for name in config.judges:
        if name == target:
            continue
        try:
            ready.append(load_backbone(name, config.weight_paths()))
        except FaceleakError as error:
            missing[name] = str(error)
    return ready, missing


def _attacked(
    config: StoreAuditConfig,
    leaked: LeakedTemplates,
    trained: Trained,
    others: list[Backbone],
    run: RunFolder,
    watch: Watch,
) -> _Attacked:
    weights = config.weight_paths()
    target = load_backbone(str(trained.record["target"]), weights)
    made = attack_store(leaked, trained, [target, *others], weights, run, watch)
    calibrated = _calibrated(config, target, watch, config.nearest)
    controls = controls_of(
        leaked, made, target, calibrated.sampled, seed_for("controls", config.seed)
    )
    outcomes = OutcomeLog(leaked.subjects, pseudonym_salt())
    assembly = StoreAssembly(
        leaked,
        calibrated,
        [_calibrated(config, judge, watch, PREDICTED) for judge in others],
        seed_for("bootstrap", config.seed),
        outcomes,
    )
    attempts = [made, *controls]
    used = of_store(trained, [target, *others], target.spec.name)
    return _Attacked(assembly, attempts, assembly.rows(attempts), outcomes, used)


def _calibrated(
    config: StoreAuditConfig, backbone: Backbone, watch: Watch, sampled: int
) -> Calibrated:
    return calibrate(
        backbone, config.fmr, config.weight_paths(), watch, sampled=min(sampled, config.nearest)
    )


def _with_authorisation(
    summary: StoreSummary, authorised: Authorisation | None, why_not: str
) -> StoreSummary:
    signed = (
        {}
        if authorised is None
        else {"authorised_by": authorised.authorised_by, "purpose": authorised.purpose}
    )
    return summary.model_copy(update={**signed, "not_inverted": why_not})


def _results(
    config: StoreAuditConfig,
    summary: StoreSummary,
    attacked: _Attacked | None,
    missing: Mapping[str, str],
    run: RunFolder,
) -> Results:
    weights = {name: digest(path.read_bytes()) for name, path in config.weights.items()}
    results = Results(
        title=config.title,
        created=now(),
        target=summary.backbone,
        grading=grading(),
        provenance=provenance({"store": summary.sha256}, weights, config.seed, []),
        judges_missing=dict(missing),
        store=summary,
        about=kept_about(config.about, run),
    )
    if attacked is None:
        known = StoreEvidence(summary, [], HEADLINE_FMR, open_model=False)
        update: dict[str, Any] = {
            "verdict": f"No face was rebuilt: {summary.not_inverted}.",
            "grade_reason": "no attack was tried",
            "findings": store_findings(known),
        }
    else:
        update = _attack_results(config, summary, attacked, run)
    return results.model_copy(update=update)


def _attack_results(
    config: StoreAuditConfig, summary: StoreSummary, attacked: _Attacked, run: RunFolder
) -> dict[str, Any]:
    """The fields of results that an attack fills."""
    assembly, made, rows = attacked.assembly, attacked.attempts[0], attacked.rows
    leaked, target = assembly.leaked, assembly.target
    summary = summary.model_copy(
        update={
            "calibration": target.words,
            "told_apart": assembly.told_apart(made),
            "all_pairs_rate": {} if leaked.known.all() else assembly.all_pairs_rate(),
            "predicted": assembly.predicted(made),
        }
    )
    people = len(set(leaked.subjects.tolist()))
    drawn = len(leaked) < summary.n_templates
    unnamed = int((~leaked.known).sum())
    verdict = decide(rows, Store(assembly.name, people, drawn=drawn, unnamed=unnamed))
    fmr, backbone = _finding_fmr(target.cuts), assembly.backbone()
    here = backbone.realised_fmr.get(fmr)
    known = StoreEvidence(summary, rows, fmr, open_model=_is_open(target.backbone.spec))
    shown = choose_rows(leaked.subjects, config.output.samples, config.seed)
    attempts = assembly.attempts(made)
    return {
        "grade": verdict.grade,
        "grade_reason": verdict.grade_reason,
        "verdict": verdict.sentence + _strangers_here(here, fmr),
        "backbones": {assembly.name: backbone},
        "attacks": rows,
        "samples": draw_store_samples(
            leaked, made, attempts, assembly.name, target.cuts, shown, run
        ),
        "store": summary,
        "findings": store_findings(known),
        "notes": [NOTES["meaning"], NOTES["interval"], ELSEWHERE],
        "weights": attacked.weights,
    }


def _strangers_here(rate: Estimate | None, fmr: str) -> str:
    """What the threshold means on the store's own people, where it is laxer there than it says."""
    if not isinstance(rate, Measured) or rate.low is None or rate.low <= fmr_value(fmr):
        return ""
    return (
        f" On the store's own people that threshold is laxer than it says: it accepts 1 stranger "
        f"in {max(1, round(1 / rate.value)):,}."
    )


def _is_open(spec: BackboneSpec) -> bool:
    """Whether anybody can have these weights: a published file, and not one of the user's own."""
    own = ":" in spec.name or spec.licence == OWN_LICENCE
    return spec.sha256 is not None and not own


def _finding_fmr(cuts: Sequence[Cut]) -> str:
    """The headline's FMR, or else the strictest one above it that has a threshold."""
    known = [c.label for c in cuts if c.value is not None and float(c.label) >= float(HEADLINE_FMR)]
    return min(known, key=float, default=HEADLINE_FMR)


def _check_coverage(config: StoreAuditConfig, summary: StoreSummary, path: Path) -> None:
    lost = sum(summary.unreadable.values())
    reasons = tuple(f": {why}" for why in summary.unreadable)
    rows = [said for said in summary.problems if said.endswith(reasons)]
    check_coverage(
        summary.name,
        Coverage(summary.coverage or 0.0, summary.n_templates, lost, summary.broken),
        rows,
        config.min_coverage,
        f"; what could be read is in {path.with_name(REPORT_NAME)}",
    )
