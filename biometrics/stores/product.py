"""How a product keeps templates, as data: tables, columns, and the way from a template to the name
of a person; and where that is found in a database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from biometrics.stores.cells import Encoding
from biometrics.stores.relational import Database, Table, printable


@dataclass(frozen=True)
class Hop:
    """From a key to what stands beside it in another table.

    Attributes:
        tables: names of the table; the first that is there is taken.
        key: column of the key.
        value: column of what is wanted.
        where: a column and what it has to be, the best first; not looked at where that column is
            missing.
    """

    tables: tuple[str, ...]
    key: str
    value: str
    where: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Templates:
    """A column of templates.

    Attributes:
        table: regular expression of the table's name, whole and in any case.
        vector: names of the column; the first that is there is taken.
        encoding: of its values.
        key: column that identifies a template; empty: rows are counted.
        subject: columns that lead to the person, the first that says something counts.
        path: from there to the subject; empty: that is the subject.
        name: from the subject to a readable name.
        named: whether the subject itself is a readable name.
        folders: whether ``subject`` holds paths: the folder is the person, unless all lie in one.
        where: a column and what it has to be for a row to hold a template.
        model: column that says what made it.
        mean: whether these are means.
        nobody: what stands for no person in ``subject``, besides nothing.
        needs: further columns that tell this table from others.
        lacks: columns that it does not have.
        optional: whether the product is there without it.
    """

    table: str
    vector: tuple[str, ...]
    encoding: Encoding = Encoding.NUMBERS
    key: str = "id"
    subject: tuple[str, ...] = ()
    path: tuple[Hop, ...] = ()
    name: Hop | None = None
    named: bool = False
    folders: bool = False
    where: tuple[str, tuple[str, ...]] | None = None
    model: str = ""
    mean: bool = False
    nobody: tuple[str, ...] = ("-1", "0")
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Product:
    """What is known of a product.

    Attributes:
        name: its id.
        family: which of its versions write so.
        model: what makes its templates, in words.
        templates: where they are.
        pictures: table (regular expression) and column of pictures beside them.
        backbones: names of faceleak's backbones of that model, best first.
        notes: for the reader of a report.
    """

    name: str
    family: str
    model: str
    templates: tuple[Templates, ...]
    pictures: tuple[tuple[str, str], ...] = ()
    backbones: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


PREFIX = r"(?P<prefix>\w*_)?"
"""Before the name of a table of a product that is installed with a prefix, such as Nextcloud."""

IDENTITY = Hop(("identityattributes",), "id", "value", ("attribute", ("fullName", "name")))
"""How digiKam names people."""


@dataclass(frozen=True)
class Found:
    """Templates of a product in a database.

    Attributes:
        templates: as they are described.
        table: key of the table in the database.
        vector: the column.
        declared: its type.
        near: key in the database by name of the tables of the same schema and prefix.
        columns: of every one of these.
    """

    templates: Templates
    table: str
    vector: str
    declared: str
    near: dict[str, str]
    columns: dict[str, frozenset[str]]

    @property
    def name(self) -> str:
        """Table and column, safe to print."""
        return f"{printable(self.table)}.{printable(self.vector)}"

    @property
    def evidence(self) -> str:
        """What it was recognised by."""
        kind = f" {printable(self.declared, 40)}" if self.declared else ""
        return f"table {printable(self.table)} with a column {printable(self.vector)}{kind}"

    @property
    def stored_as(self) -> str:
        """How vectors are written."""
        kind = self.declared.strip().lower()
        array = "vector" in kind or kind.endswith("[]")
        return printable(kind, 40) if array else self.templates.encoding.value

    def has(self, column: str) -> bool:
        """Whether the table of templates has a column."""
        return column in self.columns[self.table]

    def table_of(self, hop: Hop) -> str | None:
        """The table of a hop; None where it is not in this database."""
        for name in hop.tables:
            key = self.near.get(name.lower())
            if key is not None and {hop.key, hop.value} <= self.columns[key]:
                return key
        return None


def match(product: Product, database: Database) -> tuple[Found, ...]:
    """Where a product's templates are in a database; nothing where it is not that product's."""
    found: list[Found] = []
    for templates in product.templates:
        here = list(_places(templates, database))
        if not here and not templates.optional:
            return ()
        found += here
    return tuple(found)


def matching(pattern: str, database: Database) -> Iterator[tuple[str, Table, str]]:
    """Keys and tables whose name fits, and the prefix of that name."""
    wanted = re.compile(pattern, re.IGNORECASE)
    for key, table in database.tables.items():
        if (hit := wanted.fullmatch(table.name)) is not None:
            yield key, table, hit.groupdict().get("prefix") or ""


def _places(templates: Templates, database: Database) -> Iterator[Found]:
    for key, table, prefix in matching(templates.table, database):
        vector = next((name for name in templates.vector if name in table.columns), None)
        if vector is None or not set(templates.needs) <= set(table.columns):
            continue
        if set(templates.lacks) & set(table.columns):
            continue
        near, columns = {}, {}
        for other_key, other in database.tables.items():
            name = other.name.lower()
            if other.schema == table.schema and name.startswith(prefix.lower()):
                near[name[len(prefix) :]] = other_key
                columns[other_key] = frozenset(other.columns)
        yield Found(templates, key, vector, table.columns[vector], near, columns)
