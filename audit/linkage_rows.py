"""The templates of a store in memory, with who is who, for linking it to another."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.stores.batch import Collection, StoreBatch
from biometrics.stores.limits import GIB

MOST_ROWS = 200_000
MOST_BYTES = 1 * GIB
"""Of one store's templates in memory; beyond them it is a sample of its subjects."""


@dataclass(frozen=True)
class LoadedStore:
    """Templates of one collection of a store.

    Attributes:
        collection: where they lie.
        vectors: float32 [N, D], finite.
        subjects: whose they are, [N]: the subject's id, else the name, else one of its own.
        names: by subject, the readable name.
        share: of the subjects that are here, in the mean; 1 where none was left out.
        dropped: templates with NaN or infinite values.
        others: templates of other collections, which were left out.
    """

    collection: Collection
    vectors: NDArray[np.float32]
    subjects: list[str]
    names: Mapping[str, str]
    share: float
    dropped: int
    others: int


@dataclass
class _Kept:
    """What is kept of one collection while a store is read."""

    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    share: float = 1.0
    read: int = 0
    dropped: int = 0

    def add(self, batch: StoreBatch, seed: int) -> None:
        vectors, names = batch.vectors, batch.texts("name")
        subjects = [
            f"id {subject}" if subject else f"name {name}" if name else f"row {self.read + i}"
            for i, (subject, name) in enumerate(zip(batch.texts("subject_id"), names, strict=True))
        ]
        self.read += len(vectors)
        finite = np.isfinite(vectors).all(axis=1)
        self.dropped += int((~finite).sum())
        for row in np.flatnonzero(finite & self._drawn(subjects, seed)):
            self.vectors.append(vectors[row].copy())
            self.subjects.append(subjects[row])
            if name := names[row]:
                self.names[subjects[row]] = name
        most = min(MOST_ROWS, MOST_BYTES // (4 * vectors.shape[1]))
        while len(self.vectors) > most:
            self.share /= 2
            kept = np.flatnonzero(self._drawn(self.subjects, seed))
            self.vectors = [self.vectors[row] for row in kept]
            self.subjects = [self.subjects[row] for row in kept]

    def _drawn(self, subjects: Sequence[str], seed: int) -> NDArray[np.bool_]:
        """Whether each subject is in the sample: by a hash, so that all its templates are."""
        if self.share == 1.0:
            return np.ones(len(subjects), dtype=bool)
        return np.array([_lot(subject, seed) < self.share for subject in subjects], dtype=bool)


class Loading:
    """Keeps the templates of a store as they pass by, or a sample of its subjects.

    Args:
        seed: of the sample.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._kept: dict[Collection, _Kept] = defaultdict(_Kept)

    def add(self, batch: StoreBatch) -> None:
        """Take what a batch holds."""
        self._kept[batch.collection].add(batch, self.seed)

    def loaded(self, collection: Collection) -> LoadedStore:
        """What was kept of a collection that has a usable template."""
        found = self._kept[collection]
        return LoadedStore(
            collection=collection,
            vectors=np.stack(found.vectors),
            subjects=found.subjects,
            names=found.names,
            share=found.share,
            dropped=found.dropped,
            others=sum(kept.read for kept in self._kept.values()) - found.read,
        )


class People(NamedTuple):
    """A label of the subject of every template of two stores; equal ones mean the same person."""

    first: list[str]
    second: list[str]


def labels_of_people(
    a: LoadedStore, b: LoadedStore, same: Mapping[str, str] | None = None
) -> People:
    """Who of one store is who of the other.

    ``same`` says it first: subjects of the first store by those of the second, by id or name. Then
    equal names or ids do, without regard to case, where they are one subject's in each store. A
    plain number is no such id: products count from 1.
    """
    known, sought = _called(a, numbers=True), _called(b, numbers=True)
    told = [(known.get(_folded(x)), sought.get(_folded(y))) for y, x in (same or {}).items()]
    names, others = _called(a, numbers=False), _called(b, numbers=False)
    equal = [(names[call], others[call]) for call in sorted(names.keys() & others.keys())]
    first = {subject: f"a {subject}" for subject in a.subjects}
    second = {subject: f"b {subject}" for subject in b.subjects}
    taken: set[str] = set()
    for number, (mine, theirs) in enumerate([*told, *equal]):
        if mine is None or theirs is None or {first[mine], second[theirs]} & taken:
            continue
        first[mine] = second[theirs] = f"both {number}"
        taken.add(f"both {number}")
    return People([first[s] for s in a.subjects], [second[s] for s in b.subjects])


def _called(store: LoadedStore, *, numbers: bool) -> dict[str, str]:
    """The subject by whatever is only its own: its id, or the name that it or its people go by."""
    found: dict[str, set[str]] = defaultdict(set)
    for subject in set(store.subjects):
        kind, _, call = subject.partition(" ")
        if kind != "row" and (numbers or not call.isdecimal()):
            found[_folded(call)].add(subject)
        if name := store.names.get(subject):
            found[_folded(name)].add(subject)
    return {call: subjects.pop() for call, subjects in found.items() if len(subjects) == 1}


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _lot(subject: str, seed: int) -> float:
    """A number in [0, 1) that is the subject's own."""
    digest = hashlib.blake2b(subject.encode(), digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") / 2.0**64
