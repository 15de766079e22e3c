"""The faces that an attack is trained on: filtered, averaged, morphed, sampled; written once."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from audit.models import Models
from audit.people import People
from audit.run_folder import RunFolder
from audit.synthesis import generate_faces
from audit.training_settings import TrainingSettings
from audit.watch import Watch
from biometrics.backbones.embed import embed_faces
from biometrics.errors import InputError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.face_filter import FilterReport, filter_faces
from biometrics.faces.faceset import FaceSet
from biometrics.faces.filter_settings import FilterSettings
from biometrics.faces.morph import MorphSettings, average_faces, make_morphs, plan_morphs
from biometrics.faces.stream import in_batches, write_faces
from biometrics.progress import Advance, silent
from biometrics.templates import TemplateSet

TRAINED_WITH_TEMPLATES = "templates.parquet"
FILTER_FILE = "filter.json"
SAMPLED_PEOPLE = 64
"""People sampled at a time, so that memory does not grow with their number."""


@dataclass(frozen=True)
class TrainingPairs:
    """What attacks learn from: faces and their templates, row by row, and the key of both."""

    faces: FaceSet
    templates: TemplateSet
    key: str


def training_pairs(
    settings: TrainingSettings,
    people: People,
    models: Models,
    run: RunFolder,
    watch: Watch,
    seed: int,
) -> TrainingPairs:
    """The attacker's faces as they are, or filtered and multiplied as the settings say.

    What is made is written and embedded with the attacked model once, a stage of the run.
    """
    rows = people.split.attacker
    if settings.plain:
        plain = people.faces.take(rows)
        return TrainingPairs(plain, models.target_templates.take(rows), people.key)

    def build(out: Path) -> None:
        with watch.task("make the training faces") as advance:
            faces = build_training_faces(
                people.faces.take(rows), settings, models.appearance, seed, out, advance
            )
        with watch.task(f"embed {len(faces):,} training faces", len(faces)) as advance:
            templates = embed_faces(models.ready[models.target], faces, advance=advance)
        templates.save(out / TRAINED_WITH_TEMPLATES)

    inputs = {
        "faces": people.key,
        "settings": settings.model_dump(mode="json"),
        "appearance": models.appearance_key,
        "target": models.target_key,
        "seed": seed,
    }
    stage = run.stage("training", inputs, build)
    templates = TemplateSet.load(stage.folder / TRAINED_WITH_TEMPLATES)
    return TrainingPairs(FaceSet.load(stage.folder), templates, stage.key)


def build_training_faces(
    faces: FaceSet,
    settings: TrainingSettings,
    model: AppearanceModel,
    seed: int,
    out: Path,
    advance: Advance = silent,
) -> FaceSet:
    """Make the training faces of an attack and write them once.

    Args:
        faces: the attacker's.
        settings: what to make of them.
        model: the attacker's appearance model, for samples.
        seed: the same seed gives the same faces.
        out: an existing folder. It gets what :meth:`FaceSet.save` writes, and ``filter.json`` with
            the counts where a filter is set.
        advance: told about every face that is measured, averaged or written.

    Returns:
        Photographs, averages, morphs and samples, in this order, the crops memory-mapped. The
        column ``origin`` says which is which: ``photograph``, ``average``, ``morph``, ``sample``.

    Raises:
        InputError: the filter leaves nothing to train on, or too few subjects to morph.
    """
    for_morphs, for_samples = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
    aside = out / ".averages"
    aside.mkdir()
    try:

        def batches() -> Iterator[FaceSet]:
            if not settings.only_samples:
                yield from _from_photographs(faces, settings, for_morphs, out, aside, advance)
            yield from _as("sample", sampled_faces(model, settings.samples, 1, for_samples))

        return write_faces(_counted(batches(), advance), out)
    finally:
        shutil.rmtree(aside)


def sampled_faces(
    model: AppearanceModel, people: int, pictures: int, seed: int
) -> Iterator[FaceSet]:
    """People sampled from a model, with several pictures each, batch by batch.

    Subjects are named ``sample-000001`` and so on. Every batch has a seed of its own, so the first
    people are the same however many are asked for.
    """
    starts = range(0, people, SAMPLED_PEOPLE)
    seeds = np.random.SeedSequence(seed).generate_state(max(len(starts), 1))
    for start, own in zip(starts, seeds, strict=False):
        count = min(SAMPLED_PEOPLE, people - start)
        made = generate_faces(SAMPLED_PEOPLE, pictures, int(own), model=model)
        rows = np.arange(count * pictures)
        names = [f"sample-{start + row // pictures + 1:06d}" for row in rows]
        ids = [f"{name}/{row % pictures + 1}" for name, row in zip(names, rows, strict=True)]
        table = pd.DataFrame({"face_id": ids, "subject_id": names})
        yield FaceSet(made.crops[rows], made.landmarks[rows], table)


def _from_photographs(
    faces: FaceSet, settings: TrainingSettings, seed: int, out: Path, aside: Path, advance: Advance
) -> Iterator[FaceSet]:
    """Photographs, averages and morphs."""
    kept = _filtered(faces, settings.filter_settings, out, advance)
    yield from _as("photograph", in_batches(kept))
    base = kept
    if settings.averages:
        averages = _written(average_faces(kept, advance=advance), aside)
        if averages is not None:
            yield from _as("average", in_batches(averages))
            base = averages if len(averages) > 1 else kept
    if settings.morphs:
        morphs = MorphSettings(composite=settings.composite)
        plan = plan_morphs(base, settings.morphs, seed, settings=morphs)
        yield from _as("morph", make_morphs(base, plan, composite=settings.composite))


def _filtered(
    faces: FaceSet, settings: FilterSettings | None, out: Path, advance: Advance
) -> FaceSet:
    if settings is None:
        return faces
    report = filter_faces(faces, settings, advance=advance)
    (out / FILTER_FILE).write_text(json.dumps(as_record(report), indent=1), encoding="utf-8")
    if not report.kept.any():
        most = max(report.rules, key=lambda rule: rule.dropped or 0)
        raise InputError(
            f"the filter keeps none of {len(faces):,} faces ({most.name} alone drops "
            f"{most.dropped:,}); switch rules off or widen their thresholds"
        )
    return faces.take(report.rows)


def as_record(report: FilterReport) -> dict[str, object]:
    """The counts of a filter, to be written as JSON."""
    rules = [dataclasses.asdict(rule) for rule in report.rules]
    return {"faces": len(report.kept), "kept": int(report.kept.sum()), "rules": rules}


def _written(batches: Iterator[FaceSet], folder: Path) -> FaceSet | None:
    """The batches on disk; None where there is none."""
    first = next(batches, None)
    return None if first is None else write_faces(_chained(first, batches), folder)


def _chained(first: FaceSet, rest: Iterator[FaceSet]) -> Iterator[FaceSet]:
    yield first
    yield from rest


def _as(origin: str, batches: Iterator[FaceSet]) -> Iterator[FaceSet]:
    """The batches with a column that says where they come from."""
    for batch in batches:
        yield FaceSet(batch.crops, batch.landmarks, batch.table.assign(origin=origin))


def _counted(batches: Iterator[FaceSet], advance: Advance) -> Iterator[FaceSet]:
    for batch in batches:
        yield batch
        advance(len(batch))
