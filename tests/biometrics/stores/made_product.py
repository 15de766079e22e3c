"""What a generated store of a product is: the tables that the product has, and what a reader has to
find in them.

``PRODUCTS["immich"].tables`` are written by :func:`write_sqlite`, as a dump, or into a live
database; ``.truth`` is what has to come out again.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.biometrics.stores.made import MadePeople, MadeTable

Vectors = NDArray[np.float32]
CROP = bytes(range(256)) * 3
"""Stands for a picture: has zeros, quotes, newlines and backslashes in it."""


@dataclass(frozen=True)
class MadeTruth:
    """What a reader has to give of one column.

    Attributes:
        collection: table and column, without the table's prefix.
        vectors: float32 [N, D], in the order of the rows.
        subjects: whose each is, [N]: any labels (only the grouping counts); None is nobody known.
        names: readable names, [N].
        mean: whether they are means.
        model: what the store says made them.
    """

    collection: str
    vectors: Vectors
    subjects: list[str | None]
    names: list[str | None]
    mean: bool = False
    model: str = ""


@dataclass(frozen=True)
class Built:
    """Tables, and what is to be found in them.

    Attributes:
        tables: to be written.
        truth: by column that holds templates.
        pictures: how many are kept beside them.
        empty: rows without a template.
    """

    tables: list[MadeTable]
    truth: list[MadeTruth]
    pictures: int = 0
    empty: int = 0


@dataclass(frozen=True)
class MadeStore:
    """A kind of store, made when it is first looked at.

    Attributes:
        product: its id.
        engines: what the product runs on; the types of the tables are those of the first.
        build: makes it.
    """

    product: str
    engines: tuple[str, ...]
    build: Callable[[], Built] = field(repr=False)

    @cached_property
    def made(self) -> Built:
        return self.build()

    @property
    def tables(self) -> list[MadeTable]:
        return self.made.tables

    @property
    def truth(self) -> list[MadeTruth]:
        return self.made.truth

    @property
    def rows(self) -> int:
        return sum(len(truth.vectors) for truth in self.truth)

    def tables_for(self, engine: str) -> list[MadeTable]:
        """The same tables with the types of another engine."""
        if engine == "sqlite" or engine == self.engines[0]:
            return self.tables
        types = OTHER_TYPES[engine]
        return [
            MadeTable(
                table.name,
                {name: types.get(kind, kind) for name, kind in table.columns.items()},
                table.rows,
                table.schema,
            )
            for table in self.tables
        ]


OTHER_TYPES: dict[str, dict[str, str]] = {
    "postgresql": {
        "LONGTEXT": "text",
        "DOUBLE": "double precision",
        "BIGINT(20)": "bigint",
        "BLOB": "bytea",
        "LONGBLOB": "bytea",
        "DATETIME": "timestamp",
        "TINYINT(1)": "boolean",
    },
    "mysql": {
        "BLOB": "LONGBLOB",
        "text": "LONGTEXT",
        "boolean": "TINYINT(1)",
        "timestamp with time zone": "DATETIME",
        "INTEGER": "INT",
        "TEXT": "VARCHAR(500)",
    },
}
PRODUCTS: dict[str, MadeStore] = {}


def made(product: str, *engines: str) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """Decorator: files a generator under the product's id."""

    def file(build: Callable[[], Built]) -> Callable[[], Built]:
        PRODUCTS[product] = MadeStore(product, engines, build)
        return build

    return file


def uid(kind: int, number: int) -> str:
    """A UUID that is the same in every run."""
    return str(uuid.UUID(int=(kind << 64) + number + 1, version=4))


def numbers(vector: Vectors) -> list[float]:
    return [float(x) for x in vector]


def as_json(vector: Vectors) -> str:
    return json.dumps(numbers(vector))


def of_people(people: MadePeople, nobody: int = 2) -> list[str | None]:
    """Subjects: of the last ``nobody`` rows none is known."""
    subjects: list[str | None] = [str(person) for person in people.person]
    return [*subjects[: len(subjects) - nobody], *[None] * nobody]


def names_of(people: MadePeople, subjects: list[str | None]) -> list[str | None]:
    """The names of subjects; the first person has none."""
    return [
        people.names[int(subject)] if subject not in (None, "0") else None for subject in subjects
    ]


def truth_of(
    collection: str,
    people: MadePeople,
    subjects: list[str | None],
    vectors: Vectors | None = None,
    **more: Any,
) -> MadeTruth:
    found = people.vectors if vectors is None else vectors
    return MadeTruth(collection, found, subjects, names_of(people, subjects), **more)


def means_of(people: MadePeople) -> Vectors:
    """The mean template of each person, [P, D]."""
    groups = [people.vectors[people.person == person] for person in range(len(people.names))]
    return np.stack([group.mean(axis=0) for group in groups]).astype(np.float32)


def write_sqlite(tables: list[MadeTable], path: Path) -> Path:
    """The tables as a SQLite file; lists of numbers become pgvector's or PostgreSQL's text."""
    base = sqlite3.connect(path)
    for table in tables:
        name = quoted(table.name)
        columns = ", ".join(f"{quoted(c)} {quoted(kind)}" for c, kind in table.columns.items())
        base.execute(f"CREATE TABLE {name} ({columns})")
        kinds = list(table.columns.values())
        marks = ", ".join("?" * len(kinds))
        rows = [tuple(map(_sqlite_value, row, kinds)) for row in table.rows]
        base.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
    base.commit()
    base.close()
    return path


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sqlite_value(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        inner = ",".join(repr(x) for x in value)
        return f"[{inner}]" if "vector" in kind else "{" + inner + "}"
    return value


def qt_compressed(content: bytes) -> bytes:
    """As Qt's qCompress writes it: the length, big-endian, and zlib."""
    return struct.pack(">I", len(content)) + zlib.compress(content)
