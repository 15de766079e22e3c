"""Which pictures of a person are averaged, and which are kept to try the average with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.split import most_pictured, unit_hash

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Person:
    """A person's pictures, rows of the faces: those that templates are made of, in the order in
    which they are taken, and the probes, which are none of them."""

    enrolled: Rows
    probes: Rows


@dataclass(frozen=True)
class Held:
    """What a matcher holds under one condition: templates, each the average of some pictures.

    Attributes:
        rows: the pictures, template by template [P].
        parts: the template that each picture goes into, 0 to G - 1 ascending [P].
        together: the reference that each template belongs to, 0 to R - 1 ascending [G]; the best
            template of a reference counts.
    """

    rows: Rows
    parts: Rows
    together: Rows

    @cached_property
    def first(self) -> Rows:
        """The first picture of every template [G]."""
        return self.rows[np.unique(self.parts, return_index=True)[1]]

    @cached_property
    def leading(self) -> Rows:
        """The first picture of every reference [R]."""
        return self.first[np.unique(self.together, return_index=True)[1]]


def enrol(
    rows: Rows,
    subjects: NDArray[np.str_],
    face_ids: NDArray[np.str_],
    *,
    people: int,
    numbers: Sequence[int],
    probes: int,
    seed: int,
) -> list[Person]:
    """Divide the pictures of the people who have the most, in the order of their names.

    A person's pictures are put into an order that depends on their names and the seed alone. The
    last are the probes: all that the largest of ``numbers`` which the person can reach leaves over,
    so one at least, and at most ``probes``. Whoever has one picture only is left out.

    Args:
        rows: the pictures that may be used, rows of the faces.
        subjects, face_ids: of every face.
        people: so many at most.
        numbers: how many pictures will be averaged.
        probes: of a person, at most.
        seed: of the run.
    """
    names, counts = np.unique(subjects[rows], return_counts=True)
    several = {str(n): int(c) for n, c in zip(names, counts, strict=True) if c > 1}
    found = []
    for name in sorted(most_pictured(several, people)):
        own = rows[subjects[rows] == name]
        hashes = [unit_hash(str(i), purpose="aggregation", seed=seed) for i in face_ids[own]]
        own = own[np.argsort(hashes, kind="stable")]
        reached = max((n for n in numbers if n < len(own)), default=1)
        kept = min(probes, len(own) - reached)
        found.append(Person(own[:-kept], own[-kept:]))
    return found


def probes_of(people: Sequence[Person]) -> Rows:
    """The probes of these people."""
    return np.concatenate([person.probes for person in people])


def sets_of(people: Sequence[Person], number: int, sets: int) -> Held:
    """Averages of ``number`` pictures: as many sets of each person that share no picture as there
    are, at most ``sets``; everybody must have so many pictures."""
    chosen = []
    for person in people:
        made = min(sets, len(person.enrolled) // number)
        chosen.append(person.enrolled[: made * number].reshape(made, number))
    rows = np.concatenate(chosen)
    templates = np.arange(len(rows))
    return Held(rows.reshape(-1), np.repeat(templates, number), templates)


def divided(people: Sequence[Person], labels: Sequence[Rows]) -> Held:
    """All enrolled pictures of everybody, each person's divided by labels 0 to k - 1 into averages
    that are held together."""
    rows, parts, together = [], [], []
    before = 0
    for number, (person, label) in enumerate(zip(people, labels, strict=True)):
        order = np.argsort(label, kind="stable")
        rows.append(person.enrolled[order])
        parts.append(label[order] + before)
        several = int(label.max()) + 1
        together.append(np.full(several, number, dtype=np.intp))
        before += several
    return Held(np.concatenate(rows), np.concatenate(parts), np.concatenate(together))
