"""What the report says of a store, from what was read of it: counts and rates, nobody's name."""

from __future__ import annotations

from collections.abc import Iterator

from audit.store_sample import StoreSample
from audit.store_target import Chosen
from audit.stores_tools import InspectedStore
from biometrics.stores.forms import RAW, UNIT_LENGTH
from biometrics.stores.inspection import CollectionFigures
from reports.results import StoreCollection, StoreSummary

NORMALISED = 0.99
"""A store of which so large a share has length 1 is normalised."""


def summarise(
    store: InspectedStore, sha256: str, chosen: Chosen, sample: StoreSample | None
) -> StoreSummary:
    """The summary of a store that was read.

    Args:
        store: what it holds.
        sha256: of all its content.
        chosen: what of it is audited.
        sample: the templates that are inverted, if any are.
    """
    found = store.inspection
    facts, main = found.facts, chosen.figures or found.main
    labelled = any(c.subjects for c in found.collections)
    return StoreSummary(
        name=found.source,
        kind=facts.product,
        sha256=sha256,
        n_templates=found.rows,
        n_subjects=max((c.subjects for c in found.collections), default=0) if labelled else None,
        dim=None if main is None else main.collection.dim,
        backbone=chosen.target,
        normalised=None if main is None else is_normalised(main, chosen),
        problems=[*_problems(store), *chosen.notes],
        broken=found.broken,
        form=facts.form,
        family=facts.family,
        model=facts.model,
        evidence=list(facts.evidence),
        collections=[_collection(c, *store.probably(c)) for c in found.collections],
        coverage=found.coverage,
        unreadable=dict(found.tally.unreadable),
        empty_rows=found.tally.empty,
        n_named=max((c.names for c in found.collections), default=0),
        pictures=dict(facts.pictures),
        encrypted=facts.encrypted,
        executable=facts.executable,
        stock_password=facts.stock_password,
        audited="" if sample is None else sample.collection.name,
        n_audited_templates=0 if sample is None else len(sample),
        n_audited_subjects=0
        if sample is None
        else len(set(sample.subjects[sample.known].tolist())),
        n_audited_of_nobody=0 if sample is None else int((~sample.known).sum()),
        not_inverted=chosen.why_not,
    )


def is_normalised(main: CollectionFigures, chosen: Chosen) -> bool | None:
    """Whether templates were stored at length 1, as far as their form or their lengths tell; None
    where they are neither that nor raw."""
    if chosen.form is None:
        return main.unit >= NORMALISED
    whole = chosen.form.kept == chosen.form.dim
    if not whole or chosen.form.kind not in (RAW, UNIT_LENGTH):
        return None
    return chosen.form.kind == UNIT_LENGTH


def _problems(store: InspectedStore) -> Iterator[str]:
    found = store.inspection
    if found.broken:
        yield f"the rest could not be read: {found.broken}"
    for place in range(len(found.collections)):
        yield from store.contradictions(place)
    yield from found.tally.examples
    yield from found.facts.notes


def _collection(part: CollectionFigures, backbone: str, evidence: list[str]) -> StoreCollection:
    return StoreCollection(
        name=part.collection.name,
        rows=part.rows,
        dim=part.collection.dim,
        stored_as=part.collection.stored_as,
        mean=part.collection.mean,
        model=part.collection.model,
        subjects=part.subjects if part.without_subject < part.rows else None,
        names=part.names,
        norm_mean=part.norms.mean,
        norm_std=part.norms.std,
        unit_share=part.unit,
        nan_rows=part.nan + part.infinite,
        zero_rows=part.zero,
        constant_rows=part.constant,
        duplicate_rows=part.duplicates,
        backbone=backbone,
        evidence=evidence,
    )
