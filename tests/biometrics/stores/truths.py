"""Compares what a reader gives with what a generated store holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biometrics.stores.base import Store
from biometrics.stores.batch import StoreBatch
from biometrics.stores.inspection import inspect
from tests.biometrics.stores.made_product import MadeStore, MadeTruth


def texts(batches: list[StoreBatch], column: str) -> list[str | None]:
    return [text for batch in batches for text in batch.texts(column)]


def groups(labels: Sequence[str | None]) -> list[int | None]:
    """Labels by the order in which they come: equal groupings become equal lists."""
    order: dict[str, int] = {}
    return [None if x is None else order.setdefault(x, len(order)) for x in labels]


def check(store: Store, truth: Sequence[MadeTruth]) -> None:
    given = list(store.batches())
    assert store.tally.read == sum(len(batch) for batch in given)
    assert store.tally.lost == 0
    kinds = {batch.collection for batch in given}
    assert len(kinds) == len(truth)
    for wanted in truth:
        batches = [
            batch
            for batch in given
            if batch.collection.name.endswith(wanted.collection)
            and batch.collection.model == wanted.model
        ]
        collection = batches[0].collection
        assert (collection.dim, collection.mean) == (wanted.vectors.shape[1], wanted.mean)
        # The generator writes every digit: equality is exact.
        np.testing.assert_array_equal(np.concatenate([b.vectors for b in batches]), wanted.vectors)
        assert groups(texts(batches, "subject_id")) == groups(wanted.subjects)
        assert texts(batches, "name") == wanted.names
        ids = texts(batches, "template_id")
        assert len(set(ids)) == len(ids)


def check_product(store: Store, made: MadeStore) -> None:
    """What is known of a product, all its templates and the figures of its inspection."""
    facts = store.facts
    assert facts.product == made.product
    assert facts.evidence
    assert facts.family
    assert facts.model
    assert sum(facts.pictures.values()) == made.made.pictures
    check(store, made.truth)
    assert store.tally.empty == made.made.empty
    inspection = inspect(store)
    assert inspection.rows == made.rows
    assert inspection.coverage == 1.0
    found = {(c.collection.name, c.collection.model): c for c in inspection.collections}
    assert len(found) == len(made.truth)
    for truth in made.truth:
        (figures,) = [c for key, c in found.items() if _is_of(key, truth)]
        subjects = {subject for subject in truth.subjects if subject is not None}
        assert figures.collection.dim == truth.vectors.shape[1]
        assert figures.rows == figures.sound == len(truth.vectors)
        assert figures.subjects == len(subjects)
        assert figures.without_subject == truth.subjects.count(None)
        assert figures.names == len({name for name in truth.names if name})


def _is_of(key: tuple[str, str], truth: MadeTruth) -> bool:
    return key[0].endswith(truth.collection) and key[1] == truth.model
