"""Reading a store for an audit, as a stage of its run: what is kept are figures, and the templates
that will be inverted, under pseudonyms."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from audit.outcomes import PSEUDONYM_BYTES
from audit.people import seed_for
from audit.pseudonyms import pseudonym, pseudonym_salt
from audit.run_folder import RunFolder, remove
from audit.store_attack import LeakedTemplates
from audit.store_attributes import store_attributes
from audit.store_config import StoreAuditConfig
from audit.store_sample import Drawing, StoreSample
from audit.store_summary import summarise
from audit.store_target import Chosen, at_own_length, choose
from audit.stores_tools import candidates, look_into
from audit.watch import Watch
from biometrics.faces.images import digest
from biometrics.stores.base import Store
from biometrics.stores.source import LiveSource
from biometrics.templates import TemplateSet
from reports.results import StoreSummary

TEMPLATES, SUMMARY, ABOUT = "templates.parquet", "store.json", "about.json"


@dataclass(frozen=True)
class Reading:
    """What an audit knows of a store.

    Attributes:
        summary: for the report.
        target: the backbone, or empty.
        leaked: the templates that are inverted; None where none are.
        key: hash of all this.
    """

    summary: StoreSummary
    target: str
    leaked: LeakedTemplates | None
    key: str


def read_store(
    config: StoreAuditConfig, store: Store, sha256: str, run: RunFolder, watch: Watch
) -> Reading:
    """Inspect a store in one pass and draw the templates that are audited."""
    inputs = {
        "sha256": sha256,
        "seed": config.seed,
        "sample": config.sample,
        "target": config.target,
        "collection": config.collection,
        "salt": digest(pseudonym_salt()),
        "weights": {name: digest(path.read_bytes()) for name, path in config.weights.items()},
        "labels": None if config.labels is None else digest(config.labels.read_bytes()),
    }
    build = functools.partial(_read, config, store, sha256, watch)
    _forget_what_may_have_changed(run.path / "store", store)
    stage = run.stage("store", inputs, build)
    summary = StoreSummary.model_validate_json((stage.folder / SUMMARY).read_bytes())
    about = json.loads((stage.folder / ABOUT).read_text())
    leaked = None
    if (stage.folder / TEMPLATES).is_file():
        kept = TemplateSet.load(stage.folder / TEMPLATES)
        leaked = LeakedTemplates(
            kept.vectors,
            kept.table["template_id"].tolist(),
            kept.subject_ids,
            kept.table["known"].to_numpy(dtype=bool),
            digest((stage.folder / TEMPLATES).read_bytes()),
        )
    key = digest((stage.folder / SUMMARY).read_bytes() + (leaked.key if leaked else "").encode())
    return Reading(summary, about["target"], leaked, key)


def _forget_what_may_have_changed(folder: Path, store: Store) -> None:
    """Read again what the inputs of the stage do not tell: a database is known by its counts alone,
    and a backbone that was not at hand may be now."""
    if isinstance(store.source, LiveSource) or not (folder / TEMPLATES).is_file():
        remove(folder)


def _read(config: StoreAuditConfig, store: Store, sha256: str, watch: Watch, out: Path) -> None:
    weights = config.weight_paths()
    names = [*weights, *([config.target] if config.target else [])]
    marks = candidates(list(dict.fromkeys(names)), watch, weights=weights)
    own = hashlib.blake2b(
        seed_for("store", config.seed).to_bytes(8, "little"), key=pseudonym_salt()
    )
    drawing = Drawing(config.sample, own.digest())
    found = look_into(
        store, store.source.name, marks, watch, seed=config.seed, also=drawing.look_at
    )
    chosen = choose(config, found)
    sample = None if chosen.figures is None else drawing.sample(chosen.figures.collection)
    inverted = None if chosen.why_not else sample
    summary = summarise(found, sha256, chosen, inverted)
    if config.labels is not None and sample is not None:
        seed = seed_for("attributes", config.seed)
        told = store_attributes(config.labels, sample, seed=seed, watch=watch)
        problems = [*summary.problems, *told.notes]
        summary = summary.model_copy(update={"attributes": told.leaks, "problems": problems})
    if inverted is not None:
        lengths = {mark.name: mark.norm_mean for mark in marks}
        _keep(inverted, chosen, lengths.get(chosen.target), summary, out / TEMPLATES)
    (out / ABOUT).write_text(json.dumps({"target": chosen.target}))
    (out / SUMMARY).write_text(summary.model_dump_json(indent=1))


def _keep(
    sample: StoreSample, chosen: Chosen, length: float | None, summary: StoreSummary, path: Path
) -> None:
    """Write the templates in the order of their pseudonyms: the store's own order, or that of the
    names, would give the people away to whoever has a list of them."""
    hide = functools.partial(pseudonym, salt=pseudonym_salt(), size=PSEUDONYM_BYTES)
    table = pd.DataFrame(
        {
            "template_id": [hide(name, prefix="T") for name in sample.template_ids],
            "subject_id": [hide(name, prefix="S") for name in sample.subjects.tolist()],
            "known": sample.known,
        }
    )
    order = np.lexsort((table["template_id"], table["subject_id"]))
    vectors = at_own_length(sample.vectors, chosen, length)[order]
    kept = TemplateSet(
        vectors,
        table.iloc[order].reset_index(drop=True),
        chosen.target,
        normalised=False,
        source=f"store: {summary.kind}",
    )
    kept.save(path, generator="a leaked store")
