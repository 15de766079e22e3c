"""Attacks that stand alone: trained once, kept in a folder, used on templates without pictures."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from attacks.base import attack_class, make_settings, registered_name
from attacks.trained import RECORD, load_trained
from audit.attempts import Attempts
from audit.authorisation import Authorisation, check_authorisation, needs_authorisation
from audit.config import AuditConfig
from audit.config_values import AttackChoice
from audit.filling import check_empty, filling
from audit.journal import Journal
from audit.models import check_models, prepare_models
from audit.people import gather_people, hash_file, seed_for
from audit.reconstruct import BATCH
from audit.run_folder import RunFolder, remove
from audit.sheets import face_grid
from audit.store_vectors import read_vectors
from audit.watch import Watch
from biometrics.errors import (
    ConfigError,
    did_you_mean,
)
from biometrics.faces.resize import to_canonical
from biometrics.stores.base import open_store
from biometrics.stores.source import Source
from faceleak import __version__
from reports.pictures import save_reconstruction_png

SHEET_FACES = 48
SHEET_ROOM = 0.12
"""Share of the sheet's height below the faces: the band of the mark hides none of them."""


@dataclass(frozen=True)
class Inverted:
    """What :func:`invert_store` did; ``size`` is the side of the attack's own pictures."""

    count: int
    attack: str
    target: str
    size: int
    seconds: float
    folder: Path

    def as_record(self) -> dict[str, Any]:
        """For machines."""
        return {
            "templates": self.count,
            "attack": self.attack,
            "target": self.target,
            "picture_size": self.size,
            "templates_per_second": round(self.templates_per_second, 1),
            "folder": str(self.folder),
        }

    @property
    def templates_per_second(self) -> float:
        """Of the inversion alone, without reading and writing files."""
        return self.count / max(self.seconds, 1e-9)


def train_attack(config: AuditConfig, name: str, out: Path, watch: Watch) -> Path:
    """Train one attack on the attacker's part of an audit's faces and keep it in a folder.

    The faces and templates are prepared in ``OUT.work`` beside it, so that an interrupted training
    does not align again; that folder goes when the attack is kept.

    Args:
        config: says faces, target, seed and, where it names the attack, its settings.
        name: a registered attack, or a variant of the configuration.
        out: a new or empty folder.
        watch: shows progress.

    Returns:
        The path of the record, ``attack.json``.

    Raises:
        ConfigError: a control, or a variant that the configuration does not name.
        UnknownNameError: no such attack or target.
        WeightsError: the target, or a model that the attack trains with, is not ready.
        InputError: ``out`` is not empty.
    """
    choice = _choice(config, name)
    checked = make_settings(name, choice.settings)
    if config.quick:
        checked = checked.quick()
    attack_class(name).consulted(checked, config.target)  # what it brings along is there
    check_empty(out)
    # Nobody judges here: other models would only embed all faces for nothing.
    chosen = config.model_copy(update={"attacks": (choice,), "judges": (config.target,)})
    check_models(chosen)
    place = out.resolve()
    work = place.with_name(f"{place.name}.work")
    with RunFolder(work) as run:
        people = gather_people(chosen, run, watch)
        models = prepare_models(chosen, people, run, watch)
        tries = Attempts.configured(config, run, people, models, watch)
        fitted = tries.fit(name, checked, seed=seed_for("attack", config.seed))
        record = {
            "generator": f"faceleak {__version__}",
            "attack": name,
            "settings": checked.model_dump(mode="json"),
            "target": config.target,
            "dim": models.target_templates.vectors.shape[1],
            "similarity": models.target_similarity,
            "seed": config.seed,
            "faces": people.inputs,
            "subjects": people.summary.attacker.subjects,
            "pictures": people.summary.attacker.pictures,
            "target_sha256": models.weights.get(config.target),
            "seconds": round(fitted.seconds, 1),
            "training": None if fitted.attack.training is None else asdict(fitted.attack.training),
        }
        with filling(out):
            fitted.attack.save(out)
            path = out / RECORD
            path.write_text(json.dumps(record, indent=1) + "\n")
            Journal(out, people.inputs).record("trained", attack=name, sha256=hash_file(path))
    remove(work)
    return path


def _choice(config: AuditConfig, name: str) -> AttackChoice:
    """The attack as the configuration has it; any other by its defaults."""
    if attack_class(name).control:
        raise ConfigError(f"'{name}' is a control; name an attack")
    named = {attack.name: attack for attack in config.attacks}
    if name not in named and name != registered_name(name):
        hint = did_you_mean(name, named) or f" (it names {', '.join(named)})"
        raise ConfigError(f"the configuration names no attack '{name}'{hint}")
    return named.get(name, AttackChoice(name, {}))


def _form(source: Source, path: Path | None) -> Authorisation | None:
    """The form that a store needs; None for faceleak's own."""
    return check_authorisation(source, path=path) if needs_authorisation(source) else None


def invert_store(
    store: str | Path, attack: Path, out: Path, watch: Watch, *, authorization: Path | None = None
) -> Inverted:
    """Turn templates into marked pictures, one PNG each, with a sheet of the first ones.

    Any vectors in the space of the attack's backbone will do, whatever made them: another encoder
    that predicts them from a voice, say.

    Args:
        store: a file, a folder or the address of a database, see :func:`open_store`; of several
            collections the one whose templates have as many values as the attack takes.
        attack: folder of a trained attack.
        out: a new or empty folder: ``faces/000000.png`` in the order of the store, ``sheet.png``,
            ``index.csv`` with the row of each picture, and ``journal.jsonl``.
        watch: shows progress.
        authorization: the signed form; looked for beside the store, then in the current folder,
            where None. A Parquet file of faceleak's own needs none.

    Raises:
        InputError: unreadable templates, another dimension, or ``out`` is not empty.
        StoreError: no store that anybody reads.
        NotAuthorisedError: nobody signed for this store.
    """
    trained = load_trained(attack)
    with open_store(str(store)) as opened:
        form = _form(opened.source, authorization)
        vectors = read_vectors(opened, trained.record.get("dim"))
        journal = Journal(out, {opened.source.name: opened.source.sha256()})
    first: list[NDArray[np.uint8]] = []
    seconds, size = 0.0, 0
    with (
        filling(out),
        watch.task(f"invert {len(vectors):,} templates", len(vectors)) as advance,
        (out / "index.csv").open("w", newline="") as table,
    ):
        (out / "faces").mkdir()
        rows = csv.writer(table)
        rows.writerow(["row", "picture"])
        for begin in range(0, len(vectors), BATCH):
            start = time.perf_counter()
            made = trained.attack.invert(vectors[begin : begin + BATCH])
            seconds += time.perf_counter() - start
            crops = to_canonical(made.rounded())
            size = made.crops.shape[-1]
            first += list(crops[: max(0, SHEET_FACES - len(first))])
            for row, crop in enumerate(crops, begin):
                picture = f"faces/{row:06d}.png"
                save_reconstruction_png(Image.fromarray(crop), out / picture)
                rows.writerow([row, picture])
            advance(len(crops))
        save_reconstruction_png(face_grid(first, room=SHEET_ROOM), out / "sheet.png")
        journal.record(
            "inverted",
            templates=len(vectors),
            attack=str(trained.record["attack"]),
            authorised_until=None if form is None else str(form.valid_until),
        )
    record = trained.record
    return Inverted(len(vectors), str(record["attack"]), str(record["target"]), size, seconds, out)
