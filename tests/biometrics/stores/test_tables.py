"""Tables of no known product, and which lengths of vectors belong to a column."""

from __future__ import annotations

import base64
import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biometrics.errors import StoreError
from biometrics.stores.base import open_store
from biometrics.stores.batch import Collection, StoreBatch, Tally, make_batch
from biometrics.stores.lengths import Lengths
from tests.biometrics.stores.made import MadeTable, drawn_people
from tests.biometrics.stores.products import write_sqlite

PEOPLE = drawn_people(128, norm=1.4)
WAYS: dict[str, Callable[[Any], Any]] = {
    "float32": lambda v: v.tobytes(),
    "float64": lambda v: v.astype("<f8").tobytes(),
    "json": lambda v: json.dumps(v.tolist()),
    "base64": lambda v: base64.b64encode(v.tobytes()).decode(),
}


def read(path: Path) -> list[StoreBatch]:
    with open_store(str(path)) as store:
        assert store.facts.product == "file"
        batches = list(store.batches())
        assert store.tally.lost == 0
        return batches


def texts(batches: list[StoreBatch], column: str) -> list[str | None]:
    return [text for batch in batches for text in batch.texts(column)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("table", ["faces", 'a"b;--', "x'); DROP TABLE faces;--"])
def test_a_table_of_faces_is_found_by_its_values(way: str, table: str, tmp_path: Path) -> None:
    rows = [
        (i + 1, PEOPLE.names[p], WAYS[way](v), b"\xff\xd8" * 200, json.dumps([0.5] * 40))
        for i, (p, v) in enumerate(zip(PEOPLE.person, PEOPLE.vectors, strict=True))
    ]
    columns = {
        "id": "INTEGER",
        "name": "TEXT",
        "embedding": "BLOB",
        "image": "BLOB",
        "landmarks": "TEXT",
    }
    other = MadeTable("notes", {"id": "INTEGER", "text": "TEXT"}, [(1, "long enough to be tried")])
    path = write_sqlite([MadeTable(table, columns, list(rows)), other], tmp_path / "leak.db")
    batches = read(path)
    assert {batch.collection.name for batch in batches} == {f"{table}.embedding"}
    found = np.concatenate([batch.vectors for batch in batches])
    np.testing.assert_array_equal(found, PEOPLE.vectors)
    names = [PEOPLE.names[p] for p in PEOPLE.person]
    assert texts(batches, "name") == texts(batches, "subject_id") == names
    assert texts(batches, "template_id") == [str(i + 1) for i in range(36)]


def test_people_in_a_table_of_their_own(tmp_path: Path) -> None:
    faces = [(int(p), v.tobytes()) for p, v in zip(PEOPLE.person, PEOPLE.vectors, strict=True)]
    people = list(enumerate(PEOPLE.names))
    tables = [
        MadeTable("vectors", {"person_id": "INTEGER", "v": "BLOB"}, list(faces)),
        MadeTable("persons", {"id": "INTEGER", "full_name": "TEXT"}, list(people)),
    ]
    batches = read(write_sqlite(tables, tmp_path / "leak.db"))
    assert texts(batches, "subject_id") == [str(p) for p in PEOPLE.person]  # 0 is a person too
    assert texts(batches, "name") == [PEOPLE.names[p] for p in PEOPLE.person]


def test_a_label_and_a_name_in_one_table(tmp_path: Path) -> None:
    rows = [(int(p), PEOPLE.names[p], v.tobytes()) for p, v in zip(*two(), strict=True)]
    columns = {"label": "INTEGER", "name": "TEXT", "v": "BLOB"}
    batches = read(write_sqlite([MadeTable("f", columns, list(rows))], tmp_path / "leak.db"))
    assert texts(batches, "subject_id") == [str(p) for p in PEOPLE.person]
    assert texts(batches, "name") == [PEOPLE.names[p] for p in PEOPLE.person]
    assert len(set(texts(batches, "template_id"))) == 36


def two() -> tuple[Any, Any]:
    return PEOPLE.person, PEOPLE.vectors


def test_a_database_without_templates_says_so(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE notes(id INTEGER, text TEXT)")
        base.executemany("INSERT INTO notes VALUES (?, ?)", [(i, "a note " * 9) for i in range(9)])
        base.execute("CREATE TABLE empty(embedding BLOB)")
        base.commit()
    with pytest.raises(StoreError, match="holds no templates"):
        open_store(str(path))


def batch(count: int, dim: int, model: str = "") -> tuple[StoreBatch, str]:
    collection = Collection("t.v", dim, "text", model=model)
    ids = [str(i) for i in range(count)]
    return make_batch(collection, np.zeros((count, dim), np.float32), ids), f"t row {dim}"


def sorted_dims(*blocks: list[tuple[StoreBatch, str]]) -> tuple[dict[int, int], Tally]:
    tally = Tally()
    lengths = Lengths(tally)
    given = [found for block in blocks for found in lengths.sort(block)]
    given += list(lengths.rest())
    counts: dict[int, int] = {}
    for found in given:
        counts[found.collection.dim] = counts.get(found.collection.dim, 0) + len(found)
    assert tally.read == sum(counts.values())
    return counts, tally


def test_a_few_of_another_length_are_damage() -> None:
    counts, tally = sorted_dims([batch(900, 128), batch(9, 64)], [batch(100, 128), batch(50, 64)])
    assert counts == {128: 1000}
    assert tally.unreadable == {"64 numbers where most have 128": 59}
    assert tally.examples == ["t row 64: 64 numbers where most have 128"] * 2


def test_many_of_another_length_are_a_collection() -> None:
    assert sorted_dims([batch(9_000, 128), batch(60, 64)], [batch(4, 64)])[0] == {128: 9000, 64: 64}


def test_a_share_of_another_length_is_a_collection() -> None:
    assert sorted_dims([batch(100, 128), batch(10, 64)])[0] == {128: 100, 64: 10}
    assert sorted_dims([batch(101, 128), batch(10, 64)])[0] == {128: 101}


def test_the_length_of_later_blocks_may_be_another() -> None:
    assert sorted_dims([batch(100, 128)], [batch(100, 64)])[0] == {128: 100, 64: 100}


def test_each_model_has_its_own_usual_length() -> None:
    counts, _ = sorted_dims([batch(500, 128, "a"), batch(3, 512, "b"), batch(2, 64, "a")])
    assert counts == {128: 500, 512: 3}


def test_short_vectors_are_no_templates_and_hostile_lengths_are_dropped() -> None:
    counts, tally = sorted_dims([batch(100, 15)])
    assert counts == {}
    assert tally.unreadable == {"15 numbers are no template": 100}
    odd = [batch(5, dim) for dim in range(9_000, 9_200)]
    counts, tally = sorted_dims([batch(1000, 128)], odd)
    assert counts == {128: 1000}
    assert tally.lost == 1000
