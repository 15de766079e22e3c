"""Every kind of store in every container that it comes in: made, recognised, read and inspected,
and compared with what its generator knows."""

from __future__ import annotations

import gzip
import pickle
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biometrics.errors import StoreError
from biometrics.stores.base import STORES, open_store
from biometrics.stores.inspection import inspect
from biometrics.stores.product_store import ProductReader
from tests.biometrics.stores.dumps import mysql_dump, pg_dump, sqlite_dump
from tests.biometrics.stores.made import MadeTable
from tests.biometrics.stores.made_pickle import DEEPFACE, deepface_pickle
from tests.biometrics.stores.products import PRODUCTS, write_sqlite
from tests.biometrics.stores.readers_files import people, subjects, valid_files
from tests.biometrics.stores.truths import check_product, groups

Writer = Callable[[list[MadeTable]], bytes]

WRITERS: dict[str, dict[str, Writer]] = {
    "postgresql": {
        "copy": partial(pg_dump, style="copy"),
        "inserts": partial(pg_dump, style="inserts"),
        "column-inserts": partial(pg_dump, style="column-inserts"),
    },
    "mysql": {
        "raw": partial(mysql_dump, rows_per_insert=7),
        "hex": partial(mysql_dump, hex_blob=True),
    },
    "sqlite": {"iterdump": sqlite_dump},
}
ENGINES = {"postgresql": "PostgreSQL", "mysql": "MariaDB", "sqlite": "SQLite"}

KINDS = (
    *("immich", "immich-old", "photoprism", "compreface", "deepstack", "librephotos"),
    *("nextcloud-recognize", "nextcloud-facerecognition", "digikam8", "digikam7", "digikam6"),
    *("deepface-pickle", "deepface-postgres", "deepface-pgvector"),
)


DUMPS = [
    (product, engine, style)
    for product, made in PRODUCTS.items()
    for engine in made.engines
    for style in WRITERS[engine]
]


def test_all_fourteen_kinds_are_read_and_no_other() -> None:
    assert {*PRODUCTS, "deepface-pickle"} == set(KINDS)
    products = {n for n in STORES.names() if isinstance(STORES.get(n), ProductReader)}
    assert products | {"deepface-pickle"} == set(KINDS)


@pytest.mark.parametrize("product", PRODUCTS)
def test_sqlite_file(product: str, tmp_path: Path) -> None:
    made = PRODUCTS[product]
    with open_store(str(write_sqlite(made.tables, tmp_path / "leak.db"))) as store:
        assert store.facts.form == "SQLite database"
        check_product(store, made)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(("product", "engine", "style"), DUMPS)
def test_dump(product: str, engine: str, style: str, packed: bool, tmp_path: Path) -> None:
    made = PRODUCTS[product]
    content = WRITERS[engine][style](made.tables_for(engine))
    path = tmp_path / "leak"  # no ending tells what it is
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    with open_store(str(path)) as store:
        assert store.facts.form == f"{ENGINES[engine]} dump" + (", gzip" if packed else "")
        check_product(store, made)


def test_deepface_pickle(tmp_path: Path) -> None:
    """36 faces of 12 people, one of whom nobody saw: a face without a template."""
    made = people(128, 12)
    path = tmp_path / DEEPFACE.format(model="dlib")
    path.write_bytes(deepface_pickle(made, nothing=1))
    with open_store(str(path)) as store:
        (batch,) = store.batches()
        assert store.facts.product == "deepface-pickle"
        assert store.facts.model == "deepface dlib"
        assert store.facts.executable
        assert (store.tally.read, store.tally.empty, store.tally.lost) == (24, 1, 0)
        (figures,) = inspect(store).collections
    np.testing.assert_array_equal(batch.vectors, made.vectors)
    assert groups(batch.texts("subject_id")) == made.person.tolist()
    assert batch.texts("name") == subjects(made)
    assert (figures.rows, figures.subjects, figures.names) == (24, 12, 12)


@pytest.mark.parametrize("form", valid_files())
def test_loose_file(form: str, tmp_path: Path) -> None:
    made = people(24, 6)
    path = tmp_path / "leak"
    path.write_bytes(valid_files()[form])
    with open_store(str(path)) as store:
        (batch,) = store.batches()
        assert (store.facts.product, store.tally.lost) == ("file", 0)
        assert store.facts.evidence
        (figures,) = inspect(store).collections
    np.testing.assert_array_equal(batch.vectors, made.vectors)
    assert (figures.rows, figures.collection.dim) == (12, 24)
    if form != "npy":  # a bare matrix says of nobody whose it is
        assert groups(batch.texts("subject_id")) == made.person.tolist()


def test_pictures_only(tmp_path: Path) -> None:
    for person, count in (("ann", 2), ("bob", 1)):
        folder = tmp_path / "faces" / person
        folder.mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8)).save(folder / f"{number}.webp")
    with open_store(str(tmp_path / "faces")) as store:
        facts, batches = store.facts, list(store.batches())
    assert (facts.product, facts.form, batches) == ("pictures-only", "folder of pictures", [])
    assert facts.pictures == {"files": 3, "people": 2}
    assert any("audit these as faces" in note for note in facts.notes)
    assert not any("ann" in note or "bob" in note for note in facts.notes)


def other_tables(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE people (id INTEGER, name TEXT)")
    base.execute("INSERT INTO people VALUES (1, 'Quorn')")
    base.commit()
    base.close()


UNKNOWN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "it is empty"),
    "noise": (lambda path: path.write_bytes(bytes(range(255, 0, -1))), "its form is not known"),
    "words": (lambda path: path.write_text("Quorn was here\n"), "it is text without templates"),
    "tables": (other_tables, "it is a SQLite database without a table of templates"),
    "dump": (
        lambda path: path.write_bytes(pg_dump([MadeTable("t", {"name": "text"}, [("Quorn",)])])),
        "it is an SQL dump without a table of templates",
    ),
    "custom dump": (lambda path: path.write_bytes(b"PGDMP\x01\x0e"), "pg_restore -f -"),
    "json": (
        lambda path: path.write_text('{"name": "Quorn"}'),
        "no lists of numbers in it are templates",
    ),
    "csv": (lambda path: path.write_text("name,age\nQuorn,7\n"), "a table as text"),
    "pickle": (
        lambda path: path.write_bytes(pickle.dumps({"name": "Quorn"})),
        "is a pickle without templates",
    ),
    "encrypted": (lambda path: path.write_bytes(b"Salted__" + bytes(64)), "decrypt it first"),
    "folder": (lambda path: path.mkdir(), "it is an empty folder"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_holds_no_templates_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    write, words = UNKNOWN[kind]
    write(tmp_path / "leak")
    with pytest.raises(StoreError, match=words) as told, open_store(str(tmp_path / "leak")) as s:
        list(s.batches())
    assert len(str(told.value).splitlines()) == 1
    assert "Quorn" not in str(told.value)


@pytest.mark.parametrize("product", ["compreface", "digikam6", "immich"])
def test_a_product_in_a_folder_among_other_files(product: str, tmp_path: Path) -> None:
    made = PRODUCTS[product]
    write_sqlite(made.tables, tmp_path / "leak.db")
    (tmp_path / "README.md").write_text("a copy\n")
    with open_store(str(tmp_path)) as store:
        assert store.facts.form == "SQLite database in a folder"
        check_product(store, made)
        assert sum(store.facts.pictures.values()) == made.made.pictures  # once all is read, too


def test_backups_of_several_days_are_one_product(tmp_path: Path) -> None:
    """As Immich leaves them; pictures and rows are of all of them."""
    made = PRODUCTS["compreface"]
    for day in range(3):
        content = pg_dump(made.tables)
        packed = gzip.compress(content, 1) if day else content
        (tmp_path / f"backup-{day}").write_bytes(packed)
    with open_store(str(tmp_path)) as store:
        figures = inspect(store).collections
        facts = store.facts
    assert facts.product == "compreface"
    assert facts.form == "PostgreSQL dump and PostgreSQL dump, gzip in a folder"
    assert facts.rows == {"embedding": 3 * made.rows, "files": 3}
    assert facts.pictures == {"img.content": 3 * made.made.pictures}
    assert [(c.rows, c.duplicates, c.subjects) for c in figures] == [(108, 72, 12)] * 2


def test_two_products_in_one_folder_are_files(tmp_path: Path) -> None:
    for product in ("compreface", "digikam6"):
        write_sqlite(PRODUCTS[product].tables, tmp_path / f"{product}.db")
    with open_store(str(tmp_path)) as store:
        (*_, last) = inspect(store).collections
        facts = store.facts
    assert (facts.product, facts.form, facts.backbones) == ("file", "folder", ())
    assert facts.pictures == {"img.content": 36, "FaceMatrices.data": 36}
    assert facts.rows == {"files": 2}
    assert last.names == 11
