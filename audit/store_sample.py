"""Which templates of a store are audited: whole people, drawn by a keyed hash in one pass."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.split import MAX_PICTURES
from biometrics.stores.batch import Collection, StoreBatch


@dataclass(frozen=True)
class StoreSample:
    """Usable templates of one collection.

    Attributes:
        collection: where they lie.
        vectors: float32 [N, D], finite and none of them zero.
        template_ids, subjects: as the store writes them, [N]; never to be written down. Where the
            store does not say whose a template is, it is a person of its own.
        names: readable ones, as the store writes them, [N]; never to be written down.
    """

    collection: Collection
    vectors: NDArray[np.float32]
    template_ids: list[str]
    subjects: NDArray[np.str_]
    names: list[str | None]

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def subject_ids(self) -> list[str | None]:
        """The store's own ids of the people, [N]; None where it does not say whose a template
        is."""
        return [name[1:] if name[:1] == "s" else None for name in self.subjects.tolist()]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the store says whose each template is, bool [N]."""
        return np.array([name is not None for name in self.subject_ids], dtype=bool)


@dataclass
class _Person:
    """A person who is drawn so far."""

    ids: list[str]
    vectors: list[NDArray[np.float32]]
    name: str | None = None


class Drawing:
    """Draws people as the templates pass by: those whose keyed hash is smallest.

    Whoever was dropped cannot come back, so memory holds no more than what is drawn. The draw
    depends on the key and on names alone, not on the order of the rows.

    Args:
        most: templates to draw.
        key: of the hash, at most 64 bytes. Whoever knows it and all names can tell who was drawn.
    """

    def __init__(self, most: int, key: bytes) -> None:
        self.most, self.key = most, key
        self.drawn: dict[Collection, _Drawn] = defaultdict(lambda: _Drawn(self.most, self.key))

    def look_at(self, batch: StoreBatch) -> None:
        """Take from a batch what belongs to the draw."""
        self.drawn[batch.collection].look_at(batch)

    def through(self, batches: Iterable[StoreBatch]) -> Drawing:
        """Look at every batch."""
        for batch in batches:
            self.look_at(batch)
        return self

    def sample(self, collection: Collection) -> StoreSample:
        """What was drawn of a collection, people in the order of their names."""
        return self.drawn[collection].sample(collection)


class _Drawn:
    """The draw of one collection: of the people in the order of their hashes, as many as fit."""

    def __init__(self, most: int, key: bytes) -> None:
        self.most, self.key = most, key
        self.people: dict[str, _Person] = {}
        self.order: list[tuple[bytes, str]] = []  # a heap with the largest hash first
        self.bound: bytes | None = None  # of the last person who was dropped
        self.kept = 0

    def look_at(self, batch: StoreBatch) -> None:
        vectors = batch.vectors
        usable = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
        ids, subjects = batch.texts("template_id"), batch.texts("subject_id")
        called = batch.texts("name")
        for row in np.flatnonzero(usable):
            subject, template = subjects[row], ids[row] or ""
            # A prefix keeps a template's id from meeting a person of the same name.
            name = f"s{subject}" if subject is not None else f"t{template}"
            self._offer(name, template, vectors[row], called[row])

    def _offer(
        self, name: str, template: str, vector: NDArray[np.float32], called: str | None
    ) -> None:
        place = _place(name, self.key)
        if self.bound is not None and place >= self.bound:
            return
        if name not in self.people:
            self.people[name] = _Person([], [])
            heapq.heappush(self.order, (_inverted(place), name))
        person = self.people[name]
        person.name = person.name or called
        if len(person.ids) >= MAX_PICTURES:
            return
        person.ids.append(template)
        person.vectors.append(vector.copy())
        self.kept += 1
        while self.kept > self.most and len(self.people) > 1:
            inverted, last = heapq.heappop(self.order)
            self.kept -= len(self.people.pop(last).ids)
            self.bound = _inverted(inverted)

    def sample(self, collection: Collection) -> StoreSample:
        names = sorted(self.people)
        people = [self.people[name] for name in names]
        subjects = np.repeat(np.array(names, dtype=str), [len(p.ids) for p in people])
        vectors = [vector for person in people for vector in person.vectors]
        return StoreSample(
            collection,
            np.stack(vectors) if vectors else np.zeros((0, collection.dim), dtype=np.float32),
            [template for person in people for template in person.ids],
            subjects,
            [person.name for person in people for _ in person.ids],
        )


def _place(name: str, key: bytes) -> bytes:
    found = hashlib.blake2b(name.encode("utf-8", "replace"), key=key, digest_size=8)
    return found.digest()


def _inverted(place: bytes) -> bytes:
    """Heaps of Python give the smallest first."""
    return bytes(255 - byte for byte in place)
