"""Stores that the tests make themselves, from how the products' documents describe them.

A product's tables are described once as :class:`MadeTable` and written as a SQLite file, as an SQL
dump, or into a live database.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.synthesis import generate_faces
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed


@dataclass(frozen=True)
class MadeTable:
    """A table to be written.

    Attributes:
        name: of the table.
        columns: declared type by column, as the product's own definition has it.
        rows: values as Python objects: str, int, float, bool, None, bytes (binary), and a list of
            floats for arrays and pgvector columns.
        schema: of PostgreSQL.
    """

    name: str
    columns: dict[str, str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    schema: str = "public"


@dataclass(frozen=True)
class MadePeople:
    """People with templates.

    Attributes:
        vectors: float32 [N, D].
        person: whose each is, [N], 0 ... P-1.
        names: readable names, [P].
    """

    vectors: NDArray[np.float32]
    person: NDArray[np.intp]
    names: list[str]


@functools.lru_cache(maxsize=4)
def dlib_people(people: int = 12, pictures: int = 3, seed: int = 5) -> MadePeople:
    """Generated people (the appearance model that ships) with dlib's templates of them."""
    faces = generate_faces(people, pictures, seed)
    vectors = embed(load_backbone("dlib"), faces.crops)
    person = np.repeat(np.arange(people), pictures)
    return MadePeople(vectors, person, [f"Person {i} O'Neil" for i in range(people)])


def drawn_people(
    dim: int, people: int = 12, pictures: int = 3, *, norm: float = 22.0, seed: int = 5
) -> MadePeople:
    """Clustered random vectors that stand for the templates of a model whose weights are not here;
    ``norm`` is their mean length, and exactly that where it is 1: of models that normalise."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, dim))
    person = np.repeat(np.arange(people), pictures)
    vectors = centres[person] + 0.3 * random.normal(size=(len(person), dim))
    spread = 0.0 if norm == 1 else 0.05
    lengths = norm * (1 + spread * random.normal(size=(len(person), 1)))
    vectors *= lengths / np.linalg.norm(vectors, axis=1, keepdims=True)
    return MadePeople(
        vectors.astype(np.float32), person, [f"Person {i} O'Neil" for i in range(people)]
    )
