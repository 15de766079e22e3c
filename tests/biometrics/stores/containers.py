"""One leak of each of the fourteen kinds of store, in the container that it most likely comes in,
and what must not be told of it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.biometrics.stores.dumps import mysql_dump, pg_dump
from tests.biometrics.stores.made import MadeTable, dlib_people
from tests.biometrics.stores.made_pickle import DEEPFACE, deepface_pickle
from tests.biometrics.stores.made_product import MadeStore, Vectors
from tests.biometrics.stores.products import PRODUCTS, write_sqlite

FORMS = {
    "immich": "PostgreSQL dump, gzip",
    "immich-old": "PostgreSQL dump, gzip",
    "photoprism": "MariaDB dump, gzip",
    "compreface": "PostgreSQL dump",
    "deepstack": "SQLite database",
    "librephotos": "PostgreSQL dump, gzip",
    "nextcloud-recognize": "PostgreSQL dump",
    "nextcloud-facerecognition": "MariaDB dump",
    "digikam8": "SQLite database",
    "digikam7": "SQLite database",
    "digikam6": "SQLite database",
    "deepface-pickle": "pickle of deepface",
    "deepface-postgres": "PostgreSQL dump",
    "deepface-pgvector": "PostgreSQL dump, gzip",
}
"""By the product's id."""

LETTERS = 6
"""What is shorter stands in a report by chance."""

FEW = 5
"""Values that a column repeats, such as the name of a model, identify nobody."""


@dataclass(frozen=True)
class Leak:
    """A store that leaked.

    Attributes:
        path: the file.
        vectors: its templates, by collection.
        people: how many there are.
        named: how many of them have a readable name.
        pictures: kept beside the templates.
        names: of people.
        ids: names, identifiers and paths: whatever is told of single people or rows as text.
    """

    path: Path
    vectors: list[Vectors]
    people: int
    named: int
    pictures: int
    names: set[str]
    ids: set[str]

    @property
    def rows(self) -> int:
        """Templates."""
        return sum(map(len, self.vectors))


def leak(kind: str, folder: Path) -> Leak:
    """Write the leak of that kind."""
    if kind == "deepface-pickle":
        return _pickle(folder)
    made = PRODUCTS[kind]
    names = {name for truth in made.truth for name in truth.names if name}
    subjects = {subject for truth in made.truth for subject in truth.subjects if subject}
    return Leak(
        _written(made, FORMS[kind], folder),
        [truth.vectors for truth in made.truth],
        len(subjects),
        len(names),
        made.made.pictures,
        names,
        set(identifying(made.tables)) | names,
    )


def _pickle(folder: Path) -> Leak:
    people = dlib_people()
    path = folder / DEEPFACE.format(model="dlib")
    path.write_bytes(deepface_pickle(people))
    names, paths = set(people.names), {f"{name}/" for name in people.names}
    return Leak(path, [people.vectors], 12, 12, 0, names, names | paths)


def _written(made: MadeStore, form: str, folder: Path) -> Path:
    engine, _, packed = form.partition(", ")
    if engine == "SQLite database":
        return write_sqlite(made.tables, folder / "leak.db")
    write: Callable[[list[MadeTable]], bytes] = mysql_dump if engine == "MariaDB dump" else pg_dump
    content = write(made.tables_for("mysql" if engine == "MariaDB dump" else "postgresql"))
    path = folder / ("leak.sql.gz" if packed else "leak.sql")
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    return path


def identifying(tables: list[MadeTable]) -> Iterator[str]:
    """Texts of columns that differ from row to row, and how templates written as text begin."""
    for table in tables:
        for column in zip(*table.rows, strict=True):
            texts = {text[:60] for value in column if (text := _text(value))}
            if len(texts) > FEW:
                yield from (text for text in texts if len(text) >= LETTERS)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode(errors="ignore")
    if isinstance(value, list):
        return ",".join(map(str, value[:3]))
    return value if isinstance(value, str) else None
