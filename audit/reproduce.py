"""``faceleak reproduce``: a paper's systems, trained and measured here, beside its own table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from attacks.base import make_settings
from audit.config import AuditConfig, load_config
from audit.config_sources import read_yaml
from audit.config_values import AttackChoice
from audit.pipeline import run_audit
from audit.run_folder import full_disk_as_error
from audit.watch import Watch
from biometrics.errors import ConfigError, did_you_mean
from reports.files import write_private
from reports.results import (
    AttackResult,
    Estimate,
    JudgeResult,
    Measured,
    Results,
    load_results,
)

RECORD = "paper.yaml"
REPRODUCTION = "reproduction.json"
HELD_OUT = "held-out subjects"
"""So ends the name of every curve of pairs that were not trained on."""

SMOKE_PASSES = 3
"""With fewer passes over the data than this, a run only shows that everything works."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PaperRow(_Part):
    """One row of a paper's table.

    Attributes:
        row: its name there.
        config: the configuration that makes ours, in the paper's folder.
        attack: which attack of it.
        paper: the paper's figures by column; what it does not give is left out.
    """

    row: str
    config: str
    attack: str
    paper: dict[str, float | None] = Field(default_factory=dict)


class Paper(_Part):
    """A paper whose table is set beside ours.

    Attributes:
        title, source, table: what it is and which of its tables.
        differences: what is not as in the paper whatever the size.
        measures: our measure of each of its columns: a key of ``image``, or ``landmarks.NAME``.
        rows: the table.
    """

    title: str
    source: str
    table: str
    differences: list[str] = Field(default_factory=list)
    measures: dict[str, str]
    rows: list[PaperRow]


class OurRow(_Part):
    """What was measured for a row.

    Attributes:
        row, attack: as in the paper's record.
        target: the attacked model.
        paper: the paper's figures.
        ours: the same measures here, each an estimate.
        unseen_type1: Type-I by unseen judges, at the highest FMR that was measured.
        unseen_fmr: which FMR that is; empty without an unseen judge.
        passes, steps, pictures: of the training; 0 where nothing is trained step by step.
        parameters: trained ones.
        memory: bytes that one step of the training holds, where they were counted.
        seconds: of the fit.
        first_loss, last_loss: of the training.
        smoke: fewer than three passes.
        verdict: "not working" where no unseen judge takes it for better than the mean face.
    """

    row: str
    attack: str
    target: str
    paper: dict[str, float | None]
    ours: dict[str, Estimate]
    unseen_type1: dict[str, Estimate]
    unseen_fmr: str = ""
    passes: int
    steps: int
    pictures: int
    parameters: int
    memory: int | None = None
    seconds: float | None
    first_loss: float | None
    last_loss: float | None
    smoke: bool
    verdict: str


class Reproduction(_Part):
    """A paper's table beside ours."""

    paper: Paper
    quick: bool
    differences: list[str]
    rows: list[OurRow]


def papers() -> list[str]:
    """Names of the papers whose configurations ship."""
    return sorted(e.name for e in _folder().iterdir() if e.joinpath(RECORD).is_file())


def read_paper(name: str) -> Paper:
    """The record of a paper.

    Raises:
        ConfigError: no such paper, with those that there are.
    """
    if name not in papers():
        raise ConfigError(
            f"no paper '{name}'{did_you_mean(name, papers())}; there are {', '.join(papers())}"
        )
    path = _folder() / name / RECORD
    try:
        return Paper.model_validate(read_yaml(path.read_text(encoding="utf-8"), str(path)))
    except ValidationError as error:
        raise ConfigError(f"{path}: {error.errors()[0]['msg']}") from error


def reproduce(
    name: str,
    out: Path,
    watch: Watch,
    *,
    full: bool = False,
    rows: Sequence[str] = (),
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Reproduction:
    """Run a paper's configurations and set our figures beside its own.

    Configurations that differ in nothing but their attacks share one run, so faces are aligned and
    embedded once.

    Args:
        name: of the paper.
        out: a run folder for each group of configurations lies in it, and ``reproduction.json``.
        watch: shows progress.
        full: the paper's sizes instead of those that two cores train.
        rows: only these rows (by attack, or by their names in the paper); all where empty.
        overrides, environ: as for an audit.

    Raises:
        ConfigError: an unknown paper or row, or a bad configuration.
    """
    paper = read_paper(name)
    chosen = _chosen(name, paper, rows)
    configs = {
        row.config: _sized(
            load_config(_folder() / name / row.config, overrides=overrides, environ=environ), full
        )
        for row in chosen
    }
    for row in chosen:
        if row.attack not in [attack.name for attack in configs[row.config].attacks]:
            raise ConfigError(f"{row.config} of paper '{name}' runs no attack '{row.attack}'")
    made: dict[tuple[str, str], Results] = {}
    groups = _groups(configs, chosen, paper.title)
    places = _places([merged for merged, _ in groups])
    for (merged, files_in), place in zip(groups, places, strict=True):
        found = load_results(run_audit(merged, out / place, watch).parent)
        made |= {(file, a.attack): found for file in files_in for a in found.attacks}
    result = Reproduction(
        paper=paper,
        quick=not full,
        differences=[*paper.differences, *_size(made.values(), full)],
        rows=[_row(row, paper, made[row.config, row.attack]) for row in chosen],
    )
    text = json.dumps(result.model_dump(mode="json"), indent=1, ensure_ascii=False)
    with full_disk_as_error(out):
        write_private(out / REPRODUCTION, f"{text}\n".encode())
    return result


def _chosen(name: str, paper: Paper, rows: Sequence[str]) -> list[PaperRow]:
    """The rows of these attacks or names, in the order of the table."""
    attacks = list(dict.fromkeys(row.attack for row in paper.rows))
    for row in rows:
        if row not in attacks and row not in [known.row for known in paper.rows]:
            hint = did_you_mean(row, attacks)
            raise ConfigError(
                f"paper '{name}' has no row '{row}'{hint}; there are {', '.join(attacks)}"
            )
    return [row for row in paper.rows if not rows or row.attack in rows or row.row in rows]


def _sized(config: AuditConfig, full: bool) -> AuditConfig:
    """All of the data, and unless ``full`` each attack at its quick settings: a quarter of the
    people, as ``quick: true`` would take, is too few for a network that starts from nothing."""
    if full or config.quick:  # asked for as well, it shortens the attacks itself
        return config
    attacks = tuple(
        a._replace(settings=make_settings(a.name, a.settings).quick().model_dump())
        for a in config.attacks
    )
    return config.model_copy(update={"attacks": attacks})


def _folder() -> Traversable:
    return files("configs").joinpath("papers")


def _groups(
    configs: Mapping[str, AuditConfig], rows: Iterable[PaperRow], title: str
) -> list[tuple[AuditConfig, list[str]]]:
    """Configurations that only differ in title and attacks, merged under the paper's title, with
    their files' names."""
    wanted = {(row.config, row.attack) for row in rows}
    groups: dict[str, tuple[AuditConfig, list[str], dict[str, AttackChoice]]] = {}
    for file, config in configs.items():
        same = config.model_dump_json(exclude={"title", "attacks"})
        _, names, attacks = groups.setdefault(same, (config, [], {}))
        names.append(file)
        for attack in config.attacks:
            if (file, attack.name) not in wanted:
                continue
            if attacks.setdefault(attack.name, attack) != attack:
                raise ConfigError(f"{file}: '{attack.name}' has other settings in another file")
    return [
        (
            merged.model_copy(update={"attacks": tuple(attacks.values()), **_title(names, title)}),
            names,
        )
        for merged, names, attacks in groups.values()
    ]


def _title(names: Sequence[str], title: str) -> dict[str, str]:
    """One configuration keeps its own."""
    return {"title": title} if len(names) > 1 else {}


def _places(configs: Sequence[AuditConfig]) -> list[str]:
    """A run folder's name for each; those that share target and leak are numbered."""
    places: Counter[str] = Counter()
    named = []
    for config in configs:
        place = "-".join(dict.fromkeys([config.target, *_marks(config)]))
        places[place] += 1
        named.append(place if places[place] == 1 else f"{place}-{places[place]}")
    return named


def _marks(config: AuditConfig) -> list[str]:
    """What tells the run folders of one target apart."""
    leak = getattr(config, "leak", None)
    if leak is None:
        return []
    return [str(v) for v in leak.model_dump(exclude_none=True).values() if v != "none"]


def _size(made: Iterable[Results], full: bool) -> list[str]:
    results = next(iter(made))
    faces = results.faces
    pictures = 0 if faces is None else faces.attacker.pictures
    size = (
        "the paper's sizes"
        if full
        else "quick settings: smaller pictures, narrower networks, fewer passes"
    )
    return [f"trained on {pictures:,} pictures of this folder's attacker subjects", size]


def _row(row: PaperRow, paper: Paper, results: Results) -> OurRow:
    found = next(a for a in results.attacks if a.attack == row.attack)
    training = found.training
    losses = _training_loss(results.curves.get(row.attack, {}))
    passes = 0 if training is None else training.passes
    unseen = {name: judge for name, judge in found.judges.items() if judge.unseen}
    fmr = _easiest_fmr(unseen.values())
    return OurRow(
        row=row.row,
        attack=row.attack,
        target=found.backbone,
        paper={column: row.paper.get(column) for column in paper.measures},
        ours={column: _measure(found, key) for column, key in paper.measures.items()},
        unseen_type1={name: judge.type1[fmr] for name, judge in unseen.items()},
        unseen_fmr=fmr,
        passes=passes,
        steps=0 if training is None else training.steps,
        pictures=0 if training is None else training.pairs,
        parameters=0 if training is None else training.parameters,
        memory=None if training is None else training.memory,
        seconds=found.seconds.fit,
        first_loss=losses[0] if losses else None,
        last_loss=losses[-1] if losses else None,
        smoke=training is not None and passes < SMOKE_PASSES,
        verdict=found.note,
    )


def _training_loss(curves: Mapping[str, list[float]]) -> list[float]:
    """The loss on what was trained on. Of several decoders it is the picture's, which comes after
    the landmarks', and of a game the pixels', which come after those of the players."""
    trained = [name for name in sorted(curves) if HELD_OUT not in name]
    return curves[trained[-1]] if trained else []


def _measure(found: AttackResult, key: str) -> Estimate:
    if key.startswith("landmarks."):
        estimate: Estimate = getattr(found.landmarks, key.removeprefix("landmarks."))
        return estimate
    return found.image[key]


def _easiest_fmr(judges: Collection[JudgeResult]) -> str:
    """The highest FMR that any of them was measured at, 1e-2 in the papers' configurations; the
    highest asked for where none was, and nothing without judges."""
    asked = {fmr for judge in judges for fmr in judge.type1}
    measured = {
        f for judge in judges for f, sar in judge.type1.items() if isinstance(sar, Measured)
    }
    return max(measured or asked, key=float, default="")
