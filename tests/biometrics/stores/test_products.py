"""Every relational kind of store, generated, read, and compared with what the generator knows."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biometrics.errors import StoreError
from biometrics.stores.base import STORES, open_store
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.product import match
from biometrics.stores.product_store import ProductReader, ProductStore
from biometrics.stores.relational import Damaged, Database, Rows, Table
from biometrics.stores.source import FileSource
from tests.biometrics.stores import made_albums, made_servers
from tests.biometrics.stores.made import MadeTable
from tests.biometrics.stores.products import PRODUCTS, write_sqlite
from tests.biometrics.stores.truths import check, texts


class FakeDatabase(Database):
    """Tables in memory, with values as a live driver gives them, five rows a block."""

    name, form, engine, stock_password = "fake", "PostgreSQL", "postgresql", True

    def __init__(self, tables: Sequence[MadeTable]) -> None:
        self._made = {table.name: table for table in tables}

    @property
    def tables(self) -> dict[str, Table]:
        return {
            name: Table(name, table.columns, schema=table.schema)
            for name, table in self._made.items()
        }

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Rows]:
        made = self._made[table]
        places = [list(made.columns).index(column) for column in columns]
        for start in range(0, len(made.rows), 5):
            yield [tuple(row[i] for i in places) for row in made.rows[start : start + 5]]

    def count(self, table: str, column: str | None = None) -> int:
        made = self._made[table]
        place = None if column is None else list(made.columns).index(column)
        return sum(place is None or row[place] is not None for row in made.rows)

    def close(self) -> None:
        pass


@pytest.fixture
def file(tmp_path: Path) -> FileSource:
    path = tmp_path / "any"
    path.write_bytes(b"any")
    return FileSource(path, DEFAULT_LIMITS)


def store_in(database: Database, product: str, source: FileSource) -> ProductStore:
    reader = STORES.get(product)
    assert isinstance(reader, ProductReader)
    found = match(reader.product, database)
    return ProductStore(source, DEFAULT_LIMITS, reader.product, database, found)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_is_recognised_and_read_from_sqlite(product: str, tmp_path: Path) -> None:
    made = PRODUCTS[product]
    with open_store(str(write_sqlite(made.tables, tmp_path / "leak.db"))) as store:
        facts = store.facts
        assert (facts.product, facts.form) == (product, "SQLite database")
        assert facts.evidence
        assert facts.family
        assert facts.model
        assert sum(facts.pictures.values()) == made.made.pictures
        check(store, made.truth)
        assert store.tally.empty == made.made.empty
        check(store, made.truth)  # a second time from the beginning


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_is_read_from_any_database(product: str, file: FileSource) -> None:
    made = PRODUCTS[product]
    store = store_in(FakeDatabase(made.tables), product, file)
    assert store.facts.stock_password is True
    assert sum(store.facts.pictures.values()) == made.made.pictures
    check(store, made.truth)


@pytest.mark.parametrize("product", PRODUCTS)
def test_only_one_product_claims_a_store(product: str) -> None:
    database = FakeDatabase(PRODUCTS[product].tables)
    readers = [r for name in STORES.names() if isinstance(r := STORES.get(name), ProductReader)]
    assert [r.name for r in readers if match(r.product, database)] == [product]


def test_thirteen_kinds_are_made_and_read() -> None:
    products = {n for n in STORES.names() if isinstance(STORES.get(n), ProductReader)}
    assert products == set(PRODUCTS)
    assert len(products) == 13


@pytest.mark.parametrize(
    ("product", "built"),
    [
        ("immich-old", made_servers.immich_old("real[]")),
        ("nextcloud-recognize", made_albums.nextcloud_recognize("vector")),
        ("nextcloud-facerecognition", made_albums.nextcloud_facerecognition("my_cloud_")),
        ("nextcloud-facerecognition", made_albums.nextcloud_facerecognition("")),
    ],
)
def test_other_versions_and_prefixes(product: str, built: Any, file: FileSource) -> None:
    check(store_in(FakeDatabase(built.tables), product, file), built.truth)


def changed(product: str, table: str, change: Any) -> FakeDatabase:
    """A product's tables, one of them with other rows."""
    tables = copy.deepcopy(PRODUCTS[product].tables)
    for made in tables:
        if made.name == table:
            made.rows[:] = change(made.rows)
    return FakeDatabase(tables)


def test_clip_vectors_are_not_read(file: FileSource) -> None:
    store = store_in(FakeDatabase(PRODUCTS["immich"].tables), "immich", file)
    assert {batch.collection.name for batch in store.batches()} == {"face_search.embedding"}


def test_a_missing_table_of_people_is_said(file: FileSource) -> None:
    tables = [t for t in PRODUCTS["immich"].tables if t.name not in ("person", "asset_face")]
    store = store_in(FakeDatabase(tables), "immich", file)
    batches = list(store.batches())
    assert store.tally.read == 36
    assert set(texts(batches, "subject_id")) == {None}
    assert any("no table asset_face" in note for note in store.facts.notes)
    assert any("no table person" in note for note in store.facts.notes)


def test_damaged_rows_are_counted_with_where_they_are_and_without_names(file: FileSource) -> None:
    def damage(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        rows[3] = (rows[3][0], [1.0] * 7)
        rows[4] = (rows[4][0], "[1,2")
        rows[5] = (Damaged("cut"), Damaged("cut"))
        rows[6] = (rows[6][0], [1.0] * 511)
        rows[7] = (rows[7][0], None)
        return rows

    store = store_in(changed("immich", "face_search", damage), "immich", file)
    kept = sum(len(batch) for batch in store.batches())
    assert (kept, store.tally.read, store.tally.empty) == (31, 31, 1)
    assert store.tally.unreadable == {
        "7 numbers are no template": 1,
        "a list that is cut off": 1,
        "cut": 1,
        "511 numbers where most have 512": 1,
    }
    assert "face_search row 5: a list that is cut off" in store.tally.examples


def test_a_column_that_truly_mixes_lengths_gives_two_collections(file: FileSource) -> None:
    def mix(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(key, vector[:128] if i >= 30 else vector) for i, (key, vector) in enumerate(rows)]

    store = store_in(changed("immich", "face_search", mix), "immich", file)
    found = {batch.collection.dim: 0 for batch in store.batches()}
    for batch in store.batches():
        found[batch.collection.dim] += len(batch)
    assert found == {512: 30, 128: 6}
    assert store.tally.lost == 0


def test_many_models_do_not_make_collections_without_end(file: FileSource) -> None:
    def rename(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(*row[:3], f"calculator {i}", row[4]) for i, row in enumerate(rows * 3)]

    store = store_in(changed("compreface", "embedding", rename), "compreface", file)
    assert len({batch.collection for batch in store.batches()}) <= 102
    assert store.tally.read == 216


def test_pictures_of_one_folder_are_not_one_person(file: FileSource) -> None:
    def flatten(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [(row[0], f"faces/{row[0]}.jpg", *row[2:]) for row in rows]

    store = store_in(changed("deepface-postgres", "embeddings", flatten), "deepface-postgres", file)
    assert set(texts(list(store.batches()), "subject_id")) == {None}


def test_a_live_driver_may_give_arrays_and_bytes_for_text(file: FileSource) -> None:
    def driven(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return [
            tuple(v.encode() if isinstance(v, str) else v for v in row)  # MySQL's VARBINARY
            for row in rows
        ]

    made = PRODUCTS["photoprism"]
    database = changed("photoprism", "markers", driven)
    check(store_in(database, "photoprism", file), made.truth)
    database = changed(
        "immich", "face_search", lambda rows: [(k, np.array(v, "f4")) for k, v in rows]
    )
    check(store_in(database, "immich", file), PRODUCTS["immich"].truth)


class Broken(FakeDatabase):
    """Breaks after the first block."""

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Rows]:
        yield next(super().rows(table, columns))
        raise StoreError("the rest cannot be read")

    def count(self, table: str, column: str | None = None) -> int:
        raise StoreError("cannot be counted")


def test_what_comes_before_damage_is_given(file: FileSource) -> None:
    store = store_in(Broken(PRODUCTS["digikam8"].tables), "digikam8", file)
    batches = store.batches()
    first = next(batches)
    assert len(first) == 5
    assert first.texts("name")[3] == "Person 1 O'Neil"
    with pytest.raises(StoreError, match="the rest cannot be read"):
        next(batches)
    assert store.tally.read == 5
    assert store.facts.rows == {}
    assert any("not all rows are counted" in note for note in store.facts.notes)
    assert any("not everybody in it is known" in note for note in store.facts.notes)
