"""Tables of no known product: columns whose values are vectors."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from biometrics.errors import StoreError
from biometrics.stores.base import FORM, STORES, Claim, Store, StoreReader, register_store
from biometrics.stores.cell_guess import guess
from biometrics.stores.cells import Encoding
from biometrics.stores.limits import DEFAULT_LIMITS, Limits
from biometrics.stores.loose import roles_of
from biometrics.stores.product import Found, Hop, Product, Templates, match
from biometrics.stores.product_store import ProductReader, ProductStore
from biometrics.stores.relational import Database, Table, Value
from biometrics.stores.source import Source, database_of

SAMPLE = 100
"""Values of a column that are looked at."""

TABLES = 200
"""Tables that are looked into."""

NEVER = re.compile(
    r"(landmark|keypoint|kps|bbox|box|polygon|contour|thumb|image|photo|picture|hash)",
    re.IGNORECASE,
)
"""Columns that hold numbers or bytes of something else."""

SCALAR = re.compile(r"\s*(big|small|tiny)?(int|serial|bool|date|time|double|float|decimal)[^\[]*")
"""Types whose values are no vectors."""


@register_store
class TablesReader(StoreReader):
    """Any database with a column of vectors; people by what columns are called."""

    name = "tables"

    def claim(self, source: Source) -> Claim | None:
        """By a sample of each column, unless a product knows the tables."""
        database = database_of(source)
        if database is None or _of_a_product(database):
            return None
        found = list(_columns(database, DEFAULT_LIMITS))
        return Claim(FORM, tuple(place.evidence for place in found)) if found else None

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """Its store."""
        database = database_of(source)
        if database is None:
            raise StoreError(f"{source.name} has no tables")
        found = list(_columns(database, limits))
        product = Product("file", "", "", tuple(place.templates for place in found))
        return ProductStore(source, limits, product, database, found)


def _of_a_product(database: Database) -> bool:
    readers = (STORES.get(name) for name in STORES.names())
    return any(match(r.product, database) for r in readers if isinstance(r, ProductReader))


def _columns(database: Database, limits: Limits) -> Iterator[Found]:
    for key, table in itertools.islice(database.tables.items(), TABLES):
        names = [name for name, kind in table.columns.items() if _may_hold(name, kind)]
        if not names:
            continue
        sample = _sample(database, key, names)
        for place, name in enumerate(names):
            values = [row[place] for row in sample if row[place] is not None][:SAMPLE]
            if (hit := guess(values, limits)) is None:
                continue
            near = {
                t.name.lower(): k for k, t in database.tables.items() if t.schema == table.schema
            }
            columns = {k: frozenset(database.tables[k].columns) for k in (*near.values(), key)}
            templates = _described(table, name, hit.encoding, {n: columns[near[n]] for n in near})
            yield Found(templates, key, name, table.columns[name], near, columns)


def _may_hold(name: str, kind: str) -> bool:
    return NEVER.search(name) is None and SCALAR.fullmatch(kind.lower()) is None


def _sample(database: Database, table: str, columns: Sequence[str]) -> list[tuple[Value, ...]]:
    try:
        return next(database.rows(table, columns), [])
    except StoreError:
        return []


def _described(
    table: Table, vector: str, encoding: Encoding, near: Mapping[str, frozenset[str]]
) -> Templates:
    """The roles of the other columns; ``near`` are the columns of the tables around it."""
    roles = roles_of([name for name in table.columns if name != vector])
    name = roles.name
    subject = None if roles.subject == name else roles.subject
    hop = Hop((table.name,), subject, name) if subject and name else None
    if subject and not name:
        hop = _people(subject, near)
    return Templates(
        re.escape(table.name),
        (vector,),
        encoding,
        key=roles.id or "",
        subject=tuple(filter(None, [subject or name])),
        name=hop,
        named=bool(name and not subject),
        nobody=("-1",),  # labels often begin at 0
    )


def _people(subject: str, near: Mapping[str, frozenset[str]]) -> Hop | None:
    """From ``person_id`` to a table of people."""
    word = re.sub(r"_?id$", "", subject.lower())
    for table in (word, f"{word}s", "people", "persons", "users"):
        columns = near.get(table, frozenset())
        plain = {column.lower(): column for column in columns}
        key, name = plain.get(subject.lower(), plain.get("id")), roles_of(sorted(columns)).name
        if key and name:
            return Hop((table,), key, name)
    return None
