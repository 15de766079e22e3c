"""Where an audit's faces come from, and which role each subject plays."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from audit.config import AuditConfig, SynthSettings
from audit.run_folder import RunFolder, Stage, stage_key
from audit.split import (
    QUICK_SHARE,
    Role,
    Split,
    attacker_folder_role,
    most_pictured,
    quick_subjects,
    role_of,
    split_rows,
)
from audit.synthesis import VARIATION, generate_faces
from audit.watch import Watch
from biometrics.errors import InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import list_pictures, load_folder_faces, read_pictures
from biometrics.faces.images import digest
from biometrics.faces.shipped import shipped_model_path
from reports.results import FacesSummary, SplitCount


@dataclass(frozen=True)
class People:
    """All faces of an audit with their roles.

    Attributes:
        faces: every usable face.
        split: its rows by role.
        faces_key: hash of the faces.
        key: hash of the faces and of the split.
        summary: the counts for the report.
        inputs: name and sha256 of what was read.
        generated: whether these people exist in a model only.
    """

    faces: FaceSet
    split: Split
    faces_key: str
    key: str
    summary: FacesSummary
    inputs: dict[str, str]
    generated: bool


@dataclass(frozen=True)
class _Source:
    """Files to read, and the role of every subject among them."""

    files: list[Path]
    roles: dict[str, Role]
    in_both: int
    inputs: dict[str, str]
    notes: list[str] = field(default_factory=list)


def gather_people(config: AuditConfig, run: RunFolder, watch: Watch) -> People:
    """Read or generate the faces, as the configuration says, and split them by subject.

    Raises:
        InputError: no such folder, no pictures, too few people.
    """
    if config.faces.synth is not None:
        return _generated(config, config.faces.synth, run, watch)
    source = _two_folders(config) if config.faces.path is None else _one_folder(config)

    if source.in_both:
        watch.note(
            f"{source.in_both:,} people stand in both folders and are left out of the attacker's "
            "(sub-folders of the same name count as one person)"
        )

    def build(folder: Path) -> None:
        with watch.task(f"align {len(source.files):,} pictures", len(source.files)) as advance:
            read_pictures(source.files, folder, advance=advance)

    stage = run.stage("faces", {"inputs": source.inputs, "quick": config.quick}, build)
    found = load_folder_faces(stage.folder)
    split = _split(found.faces, source.roles, config.faces.leak_most_pictured)
    summary = _summary(found.faces, split).model_copy(
        update={
            "n_files": len(source.files),
            "skipped": found.reasons,
            "several_faces": found.several_faces,
            "subjects_in_both": source.in_both,
            "notes": [*source.notes, *_quick_note(config.quick)],
        }
    )
    _save_split(run, found.faces, split, config.seed)
    key = people_key(stage, split)
    return People(found.faces, split, stage.key, key, summary, source.inputs, generated=False)


def _split(faces: FaceSet, roles: dict[str, Role], most: int) -> Split:
    try:
        return split_rows(faces.subject_ids, roles)
    except InputError as error:
        if not most:
            raise
        raise InputError(
            f"{error}; {most:,} people were to leak since they have the most pictures: set "
            "faces.leak_most_pictured lower, in a stress run stress.aggregation.subjects"
        ) from None


def _one_folder(config: AuditConfig) -> _Source:
    assert config.faces.path is not None
    files = _quick(list_pictures(config.faces.path), config)
    counts = Counter(f.parent.name for f in files)
    roles = {name: role_of(name, seed=config.seed) for name in counts}
    most = most_pictured(counts, config.faces.leak_most_pictured)
    roles |= dict.fromkeys(most, "leaked")
    notes = (
        [f"the {len(most):,} people with the most pictures leaked, whatever the split says of them"]
        if most
        else []
    )
    return _Source(files, roles, 0, {"faces": hash_files(files)}, notes)


def _two_folders(config: AuditConfig) -> _Source:
    assert config.faces.attacker is not None
    assert config.faces.leaked is not None
    leaked = _quick(list_pictures(config.faces.leaked), config)
    own = _quick(list_pictures(config.faces.attacker), config)
    leaked_names = {f.parent.name for f in leaked}
    both = {f.parent.name for f in own} & leaked_names
    own = [f for f in own if f.parent.name not in both]
    known = {hash_file(f) for f in leaked}
    same = {f for f in own if hash_file(f) in known}
    own = [f for f in own if f not in same]
    roles: dict[str, Role] = {
        f.parent.name: attacker_folder_role(f.parent.name, seed=config.seed) for f in own
    }
    roles |= dict.fromkeys(leaked_names, "leaked")
    inputs = {"faces.attacker": hash_files(own), "faces.leaked": hash_files(leaked)}
    notes = []
    if same:
        notes = [
            f"pictures of the attacker's folder left out, since they leaked too: {len(same):,}"
        ]
    return _Source(own + leaked, roles, len(both), inputs, notes)


def _quick(files: list[Path], config: AuditConfig) -> list[Path]:
    if not config.quick:
        return files
    chosen = quick_subjects({f.parent.name for f in files}, seed=config.seed)
    kept = [f for f in files if f.parent.name in chosen]
    if not kept:
        raise InputError(
            "quick keeps a quarter of the subjects, and these are too few; leave it out"
        )
    return kept


def _generated(config: AuditConfig, wanted: SynthSettings, run: RunFolder, watch: Watch) -> People:
    share = QUICK_SHARE if config.quick else 1.0
    counts: dict[Role, int] = {
        "attacker": max(2, round(wanted.attacker_subjects * share)),
        "threshold": wanted.threshold_subjects,  # fewer would leave no FMR that can be measured
        "leaked": max(2, round(wanted.subjects * share)),
    }
    model_hash = digest(shipped_model_path().read_bytes())
    people = sum(counts.values())

    def build(folder: Path) -> None:
        total = people * wanted.pictures
        with watch.task(f"generate {total:,} faces of {people:,} people", total) as advance:
            generate_faces(people, wanted.pictures, config.seed, advance=advance).save(folder)

    settings = {"people": people, "pictures": wanted.pictures, "seed": config.seed}
    stage = run.stage("faces", {**settings, "model": model_hash, "variation": VARIATION}, build)
    faces = FaceSet.load(stage.folder)
    names = list(dict.fromkeys(faces.subject_ids.tolist()))
    in_order = [role for role, count in counts.items() for _ in range(count)]
    split = split_rows(faces.subject_ids, dict(zip(names, in_order, strict=True)))
    _save_split(run, faces, split, config.seed)
    summary = _summary(faces, split).model_copy(
        update={"generated": True, "notes": _quick_note(config.quick)}
    )
    key = people_key(stage, split)
    inputs = {"generator": model_hash}
    return People(faces, split, stage.key, key, summary, inputs, generated=True)


def people_key(stage: Stage, split: Split) -> str:
    """Hash of the faces and of who plays which role: the seed moves subjects from one role to
    another while the faces stay the same, and whatever was fitted on attackers must not be reused.
    """
    return stage_key("people", {"faces": stage.key, "split": split.key})


def _quick_note(quick: bool) -> list[str]:
    return ["quick: a quarter of the subjects and shorter training"] if quick else []


def _summary(faces: FaceSet, split: Split) -> FacesSummary:
    names = faces.subject_ids

    def count(role: str) -> SplitCount:
        rows = getattr(split, role)
        return SplitCount(subjects=len(set(names[rows])), pictures=len(rows))

    return FacesSummary(
        n_files=len(faces),
        n_faces=len(faces),
        n_subjects=len(set(names)),
        attacker=count("attacker"),
        threshold=count("threshold"),
        leaked=count("leaked"),
        capped=len(split.capped),
    )


def _save_split(run: RunFolder, faces: FaceSet, split: Split, seed: int) -> None:
    """The split as a list that can be read again, with its seed."""
    role = pd.Series("", index=range(len(faces)), dtype=object)
    for name in ("attacker", "threshold", "leaked", "capped"):
        role.iloc[getattr(split, name)] = name
    table = faces.table[["face_id", "subject_id"]].assign(role=role.to_numpy(dtype=str))
    table.attrs = {}
    run.write("split.csv", f"# seed {seed}\n" + table.to_csv(index=False))


def hash_files(files: list[Path]) -> str:
    """SHA-256 over names and contents; an unreadable file counts by its name."""
    record = [[file.parent.name, file.name, hash_file(file)] for file in files]
    return digest(json.dumps(record).encode())


def hash_file(file: Path) -> str:
    """SHA-256 of the content; of an unreadable file, a text that no other file shares."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return f"unreadable {file.parent.name}/{file.name}"


def seed_for(purpose: str, seed: int) -> int:
    """A seed for one purpose, so that no two draws of an audit share a stream."""
    return int.from_bytes(hashlib.sha256(f"{purpose}:{seed}".encode()).digest()[:4], "big")
