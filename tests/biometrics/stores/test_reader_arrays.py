"""Arrays and tables in binary files: the writers' own values are the oracle."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biometrics.errors import StoreError
from biometrics.stores.base import open_store
from biometrics.templates import TemplateSet
from tests.biometrics.stores import readers_files as files


def rows(path, **columns):
    """All templates of a store with one collection, and its texts."""
    with open_store(str(path)) as store:
        batches = list(store.batches())
        again = list(store.batches())
        assert [len(b) for b in batches] == [len(b) for b in again]
        assert store.tally.read == sum(map(len, batches))
        texts = {
            name: [text for batch in batches for text in batch.texts(name)]
            for name in ("template_id", "subject_id", "name")
        }
        vectors = np.concatenate([batch.vectors for batch in batches])
        return vectors, texts, store, {batch.collection for batch in batches}


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "|i1", "<i8", "|u1"])
@pytest.mark.parametrize("fortran", [False, True])
def test_npy_of_every_type_and_order(dtype, fortran, tmp_path):
    values = (10 * files.people().vectors).astype(dtype)
    np.save(tmp_path / "a.npy", np.asfortranarray(values) if fortran else values)
    vectors, texts, store, found = rows(tmp_path / "a.npy")
    assert np.array_equal(vectors, values.astype(np.float32))
    assert texts["template_id"] == [str(i) for i in range(len(values))]
    assert texts["subject_id"] == [None] * len(values)
    (collection,) = found
    swapped = ", big-endian" if dtype[0] == ">" else ""
    assert collection.stored_as == np.dtype(dtype).newbyteorder("=").name + swapped
    assert store.facts.product == "file"


def test_npy_of_one_template_and_of_axes_of_length_one(tmp_path):
    values = files.people().vectors
    for shape in ((64,), (1, 64), (1, 1, 64)):
        np.save(tmp_path / "a.npy", values[0].reshape(shape))
        assert np.array_equal(rows(tmp_path / "a.npy")[0], values[:1])
    np.save(tmp_path / "a.npy", values.reshape(-1, 1, 64))
    assert np.array_equal(rows(tmp_path / "a.npy")[0], values)


def test_npy_in_gzip_and_in_many_batches(tmp_path, monkeypatch):
    values = files.people().vectors
    (tmp_path / "a.npy.gz").write_bytes(gzip.compress(files.npy(values)))
    monkeypatch.setattr("biometrics.stores.batch.BATCH_BYTES", 5 * 4 * 64)
    vectors, texts, store, _ = rows(tmp_path / "a.npy.gz")
    assert np.array_equal(vectors, values)
    assert texts["template_id"][-1] == "15"
    assert store.facts.form == "NumPy array, gzip"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([{}, "x"], dtype=object), "holds Python objects, which run code"),
        (np.zeros((2, 3, 4), np.float32), "holds no templates"),
        (np.zeros((3, 1), np.float32), "holds no templates"),
        (np.array(["a", "b"]), "holds no templates"),
        (np.zeros(2, dtype=[("a", "<f4")]), "no header of an array of numbers"),
        (np.zeros((2, 20_000), np.float32), "templates of 20,000 numbers"),
        (np.zeros((2, 4), complex), "holds no numbers"),
    ],
)
def test_npy_of_something_else_is_refused(values, said, tmp_path):
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(StoreError, match=said):
        open_store(str(tmp_path / "a.npy"))


def test_npy_cut_short_gives_the_rows_that_are_there(tmp_path):
    values = files.people().vectors
    (tmp_path / "a.npy").write_bytes(files.npy(values)[: -3 * 64 * 4 + 5])
    vectors, _, store, _ = rows(tmp_path / "a.npy")
    assert np.array_equal(vectors, values[:13])
    assert (store.tally.lost, store.tally.coverage) == (3, 13 / 16)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("key", ["names", "face_names", "arr_1", "y"])
def test_npz_with_an_array_of_names(packed, key, tmp_path):
    made = files.people()
    said = np.array(files.subjects(made))
    arrays = {"arr_0": made.vectors, key: said, "other": np.zeros((4, 2, 2))}
    (tmp_path / "a.npz").write_bytes(files.npz(packed=packed, **arrays))
    vectors, texts, store, _ = rows(tmp_path / "a.npz")
    assert np.array_equal(vectors, made.vectors)
    assert texts["name"] == texts["subject_id"] == list(said)
    assert store.facts.rows == {"arr_0": 16}


def test_npz_with_ids_labels_and_bytes(tmp_path):
    made = files.people()
    ids = np.array([f"t{i}" for i in range(16)]).astype("S4")
    data = files.npz(ids=ids, labels=made.person, names=ids, embeddings=made.vectors)
    (tmp_path / "a.npz").write_bytes(data)
    _, texts, _, _ = rows(tmp_path / "a.npz")
    assert texts["template_id"] == texts["name"] == [f"t{i}" for i in range(16)]
    assert texts["subject_id"] == [str(i) for i in made.person]


def test_npz_of_parts_each_with_labels(tmp_path):
    made = files.people()
    said = np.array(files.subjects(made))
    parts = {"arr_0": made.vectors[:6], "arr_1": said[:6]}
    parts |= {"arr_2": made.vectors[6:], "arr_3": said[6:]}
    (tmp_path / "a.npz").write_bytes(files.npz(**parts))
    vectors, texts, _, found = rows(tmp_path / "a.npz")
    assert np.array_equal(vectors, made.vectors)
    assert texts["name"] == list(said)
    assert {collection.name for collection in found} == {"arr_0", "arr_2"}
    assert len(set(texts["template_id"])) == 16


def test_npz_whose_keys_are_people(tmp_path):
    made = files.people()
    data = files.npz(**{"Ann O'Neil": made.vectors[0], "Bob": made.vectors[2:4]})
    (tmp_path / "a.npz").write_bytes(data)
    vectors, texts, store, found = rows(tmp_path / "a.npz")
    assert np.array_equal(vectors, made.vectors[[0, 2, 3]])
    assert texts["name"] == ["Ann O'Neil", "Bob", "Bob"]
    assert "Ann" not in repr((store.facts, found))


def test_npz_with_an_array_of_objects_says_so_and_reads_the_rest(tmp_path):
    made = files.people()
    names = np.array(files.subjects(made), dtype=object)
    (tmp_path / "a.npz").write_bytes(files.npz(embeddings=made.vectors, names=names))
    vectors, texts, store, _ = rows(tmp_path / "a.npz")
    assert np.array_equal(vectors, made.vectors)
    assert texts["name"] == [None] * 16
    assert any("Python objects" in note for note in store.facts.notes)


def test_safetensors_of_every_float(tmp_path):
    values = files.people().vectors
    for dtype in (np.float16, np.float32, np.float64):
        data = files.safetensors(emb=values.astype(dtype), labels=np.arange(16))
        (tmp_path / "a").write_bytes(data)
        vectors, texts, _, found = rows(tmp_path / "a")
        assert np.array_equal(vectors, values.astype(dtype).astype(np.float32))
        assert texts["subject_id"] == [str(i) for i in range(16)]
        assert {one.stored_as for one in found} == {np.dtype(dtype).name}


def test_safetensors_of_bfloat16(tmp_path):
    import torch

    values = torch.from_numpy(files.people().vectors).bfloat16()
    data = files.safetensors(emb=values.view(torch.uint16).numpy())
    (tmp_path / "a").write_bytes(data)
    vectors, _, _, found = rows(tmp_path / "a")
    assert np.array_equal(vectors, values.float().numpy())
    assert {one.stored_as for one in found} == {"bfloat16"}


def test_safetensors_of_a_network_are_no_templates(tmp_path):
    (tmp_path / "a").write_bytes(files.safetensors(**{"fc.weight": np.zeros((64, 64))}))
    with pytest.raises(StoreError, match="none of its tensors is of templates"):
        open_store(str(tmp_path / "a"))


KINDS = [
    pa.list_(pa.float32()),
    pa.list_(pa.float64()),
    pa.list_(pa.float16()),
    pa.large_list(pa.float32()),
    pa.list_(pa.float32(), 64),
    pa.list_(pa.float64(), 64),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("form", ["parquet", "arrow", "stream"])
def test_tables_with_a_list_column(kind, form, tmp_path):
    made = files.people()
    if form == "parquet":
        data = files.parquet(made, kind, row_group_size=5)
    else:
        data = files.arrow(made, kind, stream=form == "stream")
    (tmp_path / "a").write_bytes(data)
    vectors, texts, store, _ = rows(tmp_path / "a")
    exact = made.vectors.astype(np.float16) if "half" in str(kind) else made.vectors
    assert np.array_equal(vectors, exact.astype(np.float32))
    assert texts["template_id"] == [f"t{i}" for i in range(16)]
    assert texts["name"] == texts["subject_id"] == files.subjects(made)
    assert store.tally.lost == 0


def test_parquet_with_a_column_a_number(tmp_path):
    made = files.people()
    frame = pd.DataFrame(made.vectors, columns=[f"emb_{i}" for i in range(64)])
    frame.insert(0, "age", 7)
    frame["person_id"] = made.person
    frame.to_parquet(tmp_path / "a.parquet")
    vectors, texts, _, found = rows(tmp_path / "a.parquet")
    assert np.array_equal(vectors, made.vectors)
    assert texts["subject_id"] == [str(i) for i in made.person]
    assert {(one.name, one.stored_as) for one in found} == {("emb", "columns of float32")}


def test_parquet_of_our_own_names_its_backbone(tmp_path):
    made = files.people()
    frame = pd.DataFrame({"template_id": map(str, range(16)), "subject_id": files.subjects(made)})
    TemplateSet(made.vectors, frame, "dlib", False, "made").save(tmp_path / "a.parquet")
    vectors, texts, store, found = rows(tmp_path / "a.parquet")
    assert np.array_equal(vectors, made.vectors)
    assert texts["subject_id"] == files.subjects(made)
    assert {one.model for one in found} == {"dlib"}
    assert store.facts.model == "dlib"
    assert "generator: faceleak" in store.facts.notes


def test_ragged_lists_null_rows_and_a_second_length(tmp_path):
    values = files.people().vectors.tolist()
    values[2] = values[2][:50]
    values[5] = None
    values[6] = []
    for i in (9, 10, 11):
        values[i] = values[i][:32]
    values[12][3] = None
    pq.write_table(pa.table({"embedding": values}), tmp_path / "a.parquet")
    with open_store(str(tmp_path / "a.parquet")) as store:
        found = {batch.collection.dim: batch for batch in store.batches()}
        assert {dim: len(batch) for dim, batch in found.items()} == {64: 10, 32: 3}
        assert store.tally.empty == 2
        assert list(store.tally.unreadable) == ["has another length than the others (64 numbers)"]
        assert found[32].texts("template_id") == ["9", "10", "11"]
        assert np.isnan(found[64].vectors).sum() == 1


def test_a_damaged_row_group_is_counted_and_the_others_are_read(tmp_path):
    made = files.people()
    data = bytearray(files.parquet(made, pa.list_(pa.float32()), row_group_size=4))
    group = pq.ParquetFile(pa.BufferReader(bytes(data))).metadata.row_group(1)
    start = group.column(2).data_page_offset
    data[start : start + 40] = b"\xff" * 40
    (tmp_path / "a.parquet").write_bytes(data)
    vectors, _, store, _ = rows(tmp_path / "a.parquet")
    assert np.array_equal(vectors, made.vectors[[0, 1, 2, 3, *range(8, 16)]])
    assert store.tally.unreadable == {"is damaged": 4}


def test_tables_without_templates_say_what_was_looked_for(tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(StoreError, match="no column of lists of numbers, nor 16 or more columns"):
        open_store(str(tmp_path / "a.parquet"))


def test_boxes_beside_templates_are_none(tmp_path):
    made = files.people()
    boxes = [[0.1, 0.2, 0.3, 0.4]] * 16
    found = pa.table({"box": boxes, "embedding": made.vectors.tolist()})
    pq.write_table(found.replace_schema_metadata({"x": json.dumps({})}), tmp_path / "a.parquet")
    assert np.array_equal(rows(tmp_path / "a.parquet")[0], made.vectors)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 64)], ids=str)
def test_an_arrow_file_in_many_parts(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("biometrics.stores.batch.BATCH_BYTES", 4 * 4 * 512)
    made = files.people(count=40)
    (tmp_path / "a").write_bytes(files.arrow(made, kind))
    vectors, texts, _, _ = rows(tmp_path / "a")
    assert np.array_equal(vectors, made.vectors)
    assert texts["template_id"] == [f"t{i}" for i in range(80)]
