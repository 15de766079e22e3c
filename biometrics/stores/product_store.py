"""Reads the templates of a product out of any database that has its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import ClassVar, NamedTuple

from biometrics.errors import StoreError
from biometrics.stores.base import PRODUCT, Claim, Store, StoreFacts, StoreReader
from biometrics.stores.batch import Collection, StoreBatch, Tally, make_batch
from biometrics.stores.cells import Decoded, Vectors, decode
from biometrics.stores.lengths import Lengths
from biometrics.stores.limits import Limits
from biometrics.stores.lookups import Lookup, text
from biometrics.stores.product import Found, Hop, Product, match, matching
from biometrics.stores.relational import Damaged, Database, Rows, Value, printable
from biometrics.stores.source import Source, database_of

MODELS = 100
"""Models that a column may name; rows of further ones are taken as of none."""


class ProductReader(StoreReader):
    """Base of the readers of products: a subclass has a ``name`` and says what the product is."""

    product: ClassVar[Product]

    def claim(self, source: Source) -> Claim | None:
        """By the product's tables and columns."""
        database = database_of(source)
        found = match(self.product, database) if database is not None else ()
        return Claim(PRODUCT, tuple(place.evidence for place in found)) if found else None

    def open(self, source: Source, claim: Claim, limits: Limits) -> Store:
        """Its store."""
        database = database_of(source)
        if database is None:
            raise StoreError(f"{source.name} has no tables")
        found = match(self.product, database)
        return ProductStore(source, limits, self.product, database, found)


class ProductStore(Store):
    """The templates of a product in a database."""

    def __init__(
        self,
        source: Source,
        limits: Limits,
        product: Product,
        database: Database,
        found: Sequence[Found],
    ) -> None:
        super().__init__(source, limits)
        self.product, self.database, self.found = product, database, tuple(found)
        self._lookups: dict[tuple[str, Hop], Lookup] = {}
        self._broken: dict[str, None] = {}  # what else the batches met, in order

    @property
    def facts(self) -> StoreFacts:
        """What is known of it; counts rows and pictures."""
        return replace(self._facts, notes=(*self._facts.notes, *self._broken))

    @cached_property
    def _facts(self) -> StoreFacts:
        product, database = self.product, self.database
        uncounted: list[str] = []

        def count(table: str, column: str | None = None) -> int | None:
            try:
                return database.count(table, column)
            except StoreError:
                uncounted.append(f"table {printable(table)} is damaged: not all rows are counted")
                return None

        rows = {printable(found.table): count(found.table) for found in self.found}
        pictures = {
            f"{printable(key)}.{printable(column)}": count(key, column)
            for pattern, column in product.pictures
            for key, table, _ in matching(pattern, database)
            if column in table.columns
        }
        notes = [*product.notes, *database.notes, *self._unread(), *dict.fromkeys(uncounted)]
        return StoreFacts(
            product.name,
            database.form,
            product.family,
            tuple(found.evidence for found in self.found),
            {name: n for name, n in rows.items() if n is not None},
            {name: n for name, n in pictures.items() if n},
            stock_password=database.stock_password,
            model=product.model,
            backbones=product.backbones,
            notes=tuple(notes),
        )

    def _unread(self) -> Iterator[str]:
        """What is missing for the way to a person."""
        for found in self.found:
            templates = found.templates
            for hop in templates.path:
                if found.table_of(hop) is None:
                    yield f"whose {found.name} are is not known: no table {hop.tables[0]}"
            if templates.name is not None and found.table_of(templates.name) is None:
                yield f"names to {found.name} are not there: no table {templates.name.tables[0]}"

    def batches(self) -> Iterator[StoreBatch]:
        """Column after column, in the order in which the database gives rows."""
        self.tally = Tally()
        for found in self.found:
            yield from self._column(found)

    def _column(self, found: Found) -> Iterator[StoreBatch]:
        reader = _Columns(found)
        folders = self._are_people(found)
        lengths = Lengths(self.tally)
        collections: dict[tuple[str, int], Collection] = {}
        first = 0
        for block in self.database.rows(found.table, reader.columns):
            rows = reader.chosen(block, first)
            first += len(block)
            decoded = decode(rows.column(found.vector), found.templates.encoding, self.limits)
            self.tally.empty += len(decoded.empty)
            for row, why in decoded.bad:
                self.tally.skip(rows.where(row), why)
            people = self._people(found, rows, folders)
            batches = []
            for dim, vectors in decoded.by_dim.items():
                for model, part in _by_model(rows, vectors):
                    if (model, dim) not in collections and len(collections) >= MODELS:
                        model = ""
                    collection = collections.setdefault(
                        (model, dim), _collection(found, dim, model)
                    )
                    batch = _batch(collection, part, decoded, rows, people)
                    batches.append((batch, rows.where(part.rows[0])))
            yield from lengths.sort(batches)
        yield from lengths.rest()

    def _people(self, found: Found, rows: _Block, folders: bool) -> _People:
        """Subjects and names of all rows of a block."""
        templates = found.templates
        nothing: list[str | None] = [None] * len(rows)
        if templates.folders and not folders:
            return _People(nothing, nothing)
        subjects = list(nothing)
        for column in reversed([name for name in templates.subject if found.has(name)]):
            for row, value in enumerate(rows.texts(column)):
                if value is not None and value not in templates.nobody:
                    subjects[row] = value
        if templates.folders:
            subjects = [None if path is None else _folder(path) for path in subjects]
        for hop in templates.path:
            subjects = self._follow(found, hop, subjects) or nothing
        if templates.named or templates.folders:
            return _People(subjects, subjects)
        names = self._follow(found, templates.name, subjects) if templates.name else None
        return _People(subjects, names or nothing)

    def _follow(
        self, found: Found, hop: Hop, keys: Sequence[str | None]
    ) -> list[str | None] | None:
        table = found.table_of(hop)
        if table is None:
            return None
        if (table, hop) not in self._lookups:
            self._lookups[table, hop] = Lookup(self._pairs(found, table, hop), self.limits)
        return self._lookups[table, hop].get(keys)

    def _pairs(self, found: Found, table: str, hop: Hop) -> Iterator[tuple[str | None, str | None]]:
        where = hop.where if hop.where and hop.where[0] in found.columns[table] else None
        columns = list(dict.fromkeys([hop.key, hop.value, *([where[0]] if where else [])]))
        key, value = columns.index(hop.key), columns.index(hop.value)
        later: dict[str, list[tuple[str | None, str | None]]] = {}
        for block in self._readable(table, columns):
            for row in block:
                pair = text(row[key]), text(row[value])
                kind = text(row[columns.index(where[0])]) if where else None
                if where is None or kind == where[1][0]:
                    yield pair
                elif kind in where[1]:
                    later.setdefault(kind or "", []).append(pair)
        for kind in where[1][1:] if where else ():
            yield from later.get(kind, ())

    def _readable(self, table: str, columns: list[str]) -> Iterator[Rows]:
        """Blocks of a table that tells whose templates are: these matter more than it."""
        try:
            yield from self.database.rows(table, columns)
        except StoreError:
            note = f"table {printable(table)} is damaged: not everybody in it is known"
            self._broken[note] = None

    def _are_people(self, found: Found) -> bool:
        """Whether the folders of pictures are those of people: there is more than one."""
        templates = found.templates
        if not templates.folders or not found.has(templates.subject[0]):
            return False
        seen: set[str] = set()
        for block in self._readable(found.table, list(templates.subject[:1])):
            for (path,) in block:
                if (folder := _folder(text(path) or "")) is not None:
                    seen.add(folder)
            if len(seen) > 1:
                return True
        return False


class _People(NamedTuple):
    """Whose the rows of a block are."""

    subjects: list[str | None]
    names: list[str | None]


class _Columns:
    """Which columns of a table are read, and the rows of it that hold templates."""

    def __init__(self, found: Found) -> None:
        templates = found.templates
        self.found = found
        wanted = [found.vector, templates.key, *templates.subject, templates.model]
        wanted += [templates.where[0]] if templates.where else []
        self.columns = list(dict.fromkeys(name for name in wanted if found.has(name)))

    def chosen(self, block: Rows, first: int) -> _Block:
        """The rows that the product means; damaged ones stay, to be counted."""
        numbers = range(first, first + len(block))
        where = self.found.templates.where
        if where is not None and where[0] in self.columns:
            place = self.columns.index(where[0])
            kept = [
                (number, row)
                for number, row in zip(numbers, block, strict=True)
                if isinstance(row[place], Damaged) or text(row[place]) in where[1]
            ]
            return _Block(self.found, self.columns, [r for _, r in kept], [n for n, _ in kept])
        return _Block(self.found, self.columns, block, numbers)


class _Block:
    """Some rows of a table, by column."""

    def __init__(
        self, found: Found, columns: list[str], rows: Rows, numbers: Sequence[int]
    ) -> None:
        self.found, self.numbers = found, numbers
        values = list(zip(*rows, strict=True)) or [()] * len(columns)
        self._columns = dict(zip(columns, values, strict=True))

    def __len__(self) -> int:
        return len(self.numbers)

    def column(self, name: str) -> tuple[Value, ...]:
        return self._columns[name]

    def texts(self, name: str) -> list[str | None]:
        return [text(value) for value in self._columns[name]]

    def where(self, row: int) -> str:
        return f"{printable(self.found.table)} row {self.numbers[row] + 1}"

    @cached_property
    def ids(self) -> list[str]:
        """Of templates: the product's own, or the number of the row."""
        keys = self._columns.get(self.found.templates.key, (None,) * len(self))
        return [text(key) or f"row {n + 1}" for key, n in zip(keys, self.numbers, strict=True)]

    @cached_property
    def models(self) -> list[str] | None:
        column = self._columns.get(self.found.templates.model)
        return None if column is None else [printable(text(value) or "") for value in column]


def _by_model(rows: _Block, vectors: Vectors) -> Iterator[tuple[str, Vectors]]:
    models = rows.models
    if models is None:
        yield "", vectors
        return
    places: dict[str, list[int]] = {}
    for place, row in enumerate(vectors.rows):
        places.setdefault(models[row], []).append(place)
    for model, chosen in places.items():
        yield (
            model,
            Vectors(
                vectors.vectors[chosen],
                [vectors.rows[i] for i in chosen],
                [vectors.parts[i] for i in chosen],
            ),
        )


def _collection(found: Found, dim: int, model: str) -> Collection:
    return Collection(found.name, dim, found.stored_as, found.templates.mean, model)


def _batch(
    collection: Collection, part: Vectors, decoded: Decoded, rows: _Block, people: _People
) -> StoreBatch:
    ids = rows.ids
    several = decoded.several
    return make_batch(
        collection,
        part.vectors,
        [
            f"{ids[row]}/{k}" if row in several else ids[row]
            for row, k in zip(part.rows, part.parts, strict=True)
        ],
        [people.subjects[row] for row in part.rows],
        [people.names[row] for row in part.rows],
    )


def _folder(path: str) -> str | None:
    """The folder that a picture lies in, of a path of any system."""
    parts = re.split(r"[\\/]", path)
    return (parts[-2] or None) if len(parts) > 1 else None
