"""Templates as text: tables, JSON, JSON lines and the exports of vector databases."""

from __future__ import annotations

import base64
import json
import os
import pickle

import numpy as np
import pytest

from biometrics.stores.base import open_store
from biometrics.stores.texts import raw_vector, text_vector
from tests.biometrics.stores import readers_files as files

MADE = files.people()
VECTORS, NAMES = MADE.vectors, files.subjects(MADE)
LISTS = VECTORS.tolist()


def read(path, data):
    """Vectors, texts, the store and its collections."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with open_store(str(path)) as store:
        batches = list(store.batches())
        texts = {
            name: [text for batch in batches for text in batch.texts(name)]
            for name in ("template_id", "subject_id", "name")
        }
        dims = {batch.collection.dim for batch in batches}
        vectors = [batch.vectors for batch in batches]
        together = np.concatenate(vectors) if len(dims) == 1 else vectors
        return together, texts, store, [batch.collection for batch in batches]


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
@pytest.mark.parametrize("write", [files.csv_columns, files.csv_cells])
def test_tables_with_every_mark(mark, write, tmp_path):
    vectors, texts, store, _ = read(tmp_path / "a.csv", write(MADE, mark))
    assert np.array_equal(vectors, VECTORS)
    assert texts["template_id"] == [f"t{i}" for i in range(16)]
    assert texts["name"] == texts["subject_id"] == NAMES
    assert store.facts.product == "file"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("head", [None, [*range(64)], [f"embedding_{i}" for i in range(64)]])
def test_columns_with_and_without_a_header_in_any_encoding(encoding, head, tmp_path):
    text = files.csv_text([head, *LISTS] if head else LISTS)
    vectors, _, store, _ = read(tmp_path / "a.csv", text.encode(encoding))
    assert np.array_equal(vectors, VECTORS)
    assert store.tally.lost == 0


def test_a_column_of_text_without_a_header_is_the_name(tmp_path):
    text = files.csv_text([[name, *row] for name, row in zip(NAMES, LISTS, strict=True)])
    vectors, texts, _, _ = read(tmp_path / "a.csv", text)
    assert np.array_equal(vectors, VECTORS)
    assert texts["name"] == NAMES


def test_decimal_commas(tmp_path):
    text = "\n".join(";".join(str(x).replace(".", ",") for x in row) for row in LISTS)
    assert np.array_equal(read(tmp_path / "a.csv", text)[0], VECTORS)


def test_names_with_quotes_marks_and_line_breaks_stay_whole(tmp_path):
    nasty = [f"\"; DROP TABLE x;\r\n--{i}, '" for i in range(16)]
    head = ["name", *[f"v{i}" for i in range(64)]]
    body = [[name, *row] for name, row in zip(nasty, LISTS, strict=True)]
    vectors, texts, _, _ = read(tmp_path / "a.csv", files.csv_text([head, *body]))
    assert np.array_equal(vectors, VECTORS)
    assert texts["name"] == [name.strip() for name in nasty]


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda row: "{" + ",".join(map(str, row)) + "}",
        lambda row: " ".join(map(str, row)),
        lambda row: f"array({row})",
        lambda row: str(np.array(row)),
        lambda row: base64.b64encode(np.array(row, "<f4").tobytes()).decode(),
    ],
)
def test_a_template_in_one_cell(write, tmp_path):
    rows = [["face", "embedding"], *[[f"f{i}", write(row)] for i, row in enumerate(LISTS)]]
    vectors, _, store, _ = read(tmp_path / "a.csv", files.csv_text(rows))
    np.testing.assert_allclose(vectors, VECTORS, rtol=1e-6, atol=1e-7)
    assert store.tally.lost == 0


def test_rows_that_are_no_templates_are_counted_by_reason(tmp_path):
    rows = [list(map(str, row)) for row in LISTS]
    rows[3][5] = "Alice"
    rows[4] = rows[4][:50]
    rows[5].append("7")
    rows[6][0], rows[6][1], rows[6][2], rows[6][3] = "nan", "-inf", "", "2e74"
    vectors, _, store, _ = read(tmp_path / "a.csv", files.csv_text(rows))
    assert len(vectors) == 13
    assert store.tally.unreadable == {
        "holds something that is no number": 1,
        "has fewer cells than the others (64)": 1,
        "has more cells than the others (64)": 1,
    }
    assert store.tally.examples[0] == "row 3: holds something that is no number"
    assert np.isnan(vectors[3, [0, 2]]).all()
    assert np.isneginf(vectors[3, 1])
    assert np.isposinf(vectors[3, 3])  # too large for single precision


NAMED = [
    {"name": n, "vec": row, "uuid": f"u{i}"}
    for i, (n, row) in enumerate(zip(NAMES, LISTS, strict=True))
]
POINTS = [
    {"id": i, "vector": r, "payload": {"name": n}}
    for i, (n, r) in enumerate(zip(NAMES, LISTS, strict=True))
]
WEAVIATE = [
    {"class": "Face", "id": f"{i}", "vector": r, "properties": {"name": n}}
    for i, (n, r) in enumerate(zip(NAMES, LISTS, strict=True))
]
GRAPHQL = [
    {"name": n, "_additional": {"id": f"{i}", "vector": r}}
    for i, (n, r) in enumerate(zip(NAMES, LISTS, strict=True))
]
JAVASCRIPT = [
    {"label": n, "name": n, "descriptors": [{str(k): x for k, x in enumerate(r)}]}
    for n, r in zip(NAMES, LISTS, strict=True)
]
BY_NAME = {n: [r for m, r in zip(NAMES, LISTS, strict=True) if m == n] for n in NAMES}
SHAPES = {
    "records": NAMED,
    "pairs": {"encodings": LISTS, "names": NAMES},
    "two lists": [NAMES, LISTS],
    "list of pairs": [[n, r] for n, r in zip(NAMES, LISTS, strict=True)],
    "by name": BY_NAME,
    "records by name": {n: [{"embedding": r} for r in rows] for n, rows in BY_NAME.items()},
    "Qdrant scroll": {"result": {"points": POINTS, "next_page_offset": None}, "status": "ok"},
    "Qdrant list": {"result": POINTS},
    "Milvus rows": {"rows": NAMED},
    "Milvus data": {"code": 200, "data": NAMED},
    "Weaviate": {"objects": WEAVIATE},
    "Weaviate, GraphQL": {"data": {"Get": {"Face": GRAPHQL}}},
    "typed arrays": JAVASCRIPT,
    "text": [{"name": n, "embedding": str(r)} for n, r in zip(NAMES, LISTS, strict=True)],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_of_every_shape(shape, indent, tmp_path):
    data = json.dumps(SHAPES[shape], indent=indent)
    vectors, texts, store, found = read(tmp_path / "a.json", data)
    assert np.array_equal(vectors, VECTORS)
    assert texts["name"] == texts["subject_id"] == NAMES
    assert len(set(texts["template_id"])) == 16
    assert store.tally.lost == store.tally.empty == 0
    assert not any(name in repr((store.facts, found)) for name in NAMES)


def test_json_lists_alone_have_no_names(tmp_path):
    vectors, texts, _, _ = read(tmp_path / "a.json", json.dumps(LISTS))
    assert np.array_equal(vectors, VECTORS)
    assert texts["name"] == texts["subject_id"] == [None] * 16


def test_named_vectors_are_collections_of_their_own(tmp_path):
    points = [{"id": i, "vector": {"a": r, "b": r[:32]}} for i, r in enumerate(LISTS)]
    (first, second), _, _, found = read(tmp_path / "a.json", json.dumps({"result": points}))
    assert np.array_equal(first, VECTORS)
    assert np.array_equal(second, VECTORS[:, :32])
    assert [one.name for one in found] == ["result.vector.a", "result.vector.b"]


def test_fields_of_deepface(tmp_path):
    rows = [
        {"identity": f"db/{n}/{i}.jpg", "embedding": r, "model_name": "Facenet", "face": [1, 2]}
        for i, (n, r) in enumerate(zip(NAMES, LISTS, strict=True))
    ]
    rows[0]["embedding"] = None
    vectors, texts, store, _ = read(tmp_path / "a.json", json.dumps(rows))
    assert np.array_equal(vectors, VECTORS[1:])
    assert texts["name"] == NAMES[1:]
    assert store.facts.model == "Facenet"
    assert store.facts.pictures == {"face": 16}
    assert store.tally.empty == 1


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", ">f8"])
def test_base64_of_floats(dtype, tmp_path):
    texts = [base64.b64encode(row.astype(dtype).tobytes()).decode() for row in VECTORS]
    rows = [{"id": i, "face_encoding": text} for i, text in enumerate(texts)]
    vectors, _, _, found = read(tmp_path / "a.json", json.dumps(rows))
    assert np.array_equal(vectors, VECTORS)
    kind = np.dtype(dtype).newbyteorder("=").name + (", big-endian" if dtype[0] == ">" else "")
    assert found[0].stored_as == f"base64 of {kind}"


def test_pickles_in_base64_are_read_by_the_allow_list(tmp_path):
    packed = [pickle.dumps(row.astype(np.float64), protocol=4) for row in VECTORS]
    packed[2] = pickle.dumps([os.system, list(VECTORS[2])], protocol=4)
    rows = [{"id": i, "encoding": base64.b64encode(one).decode()} for i, one in enumerate(packed)]
    vectors, _, store, _ = read(tmp_path / "a.json", json.dumps(rows))
    assert np.array_equal(vectors, np.delete(VECTORS, 2, axis=0))
    assert store.tally.lost == 1
    assert store.facts.executable
    assert any("runs them as code" in note for note in store.facts.notes)
    plain = [{"id": i, "encoding": row} for i, row in enumerate(LISTS)]
    assert not read(tmp_path / "b.json", json.dumps(plain))[2].facts.executable


def test_json_values_that_are_no_numbers(tmp_path):
    rows = [list(row) for row in LISTS]
    rows[1][1], rows[1][2], rows[1][3] = float("nan"), float("inf"), None
    rows[2][9] = "x"
    rows[3] = rows[3][:60]
    vectors, _, store, _ = read(tmp_path / "a.json", json.dumps(rows))
    assert len(vectors) == 14
    assert np.isnan(vectors[1, [1, 3]]).all()
    assert np.isinf(vectors[1, 2])
    assert store.tally.unreadable == {
        "holds something that is no number": 1,
        "has another length than the others (64 numbers)": 1,
    }


def test_a_name_that_stands_twice_is_counted(tmp_path):
    text = "{" + ",".join(f'"Ann": {row}' for row in LISTS[:3]) + f', "Bob": {LISTS[3]}}}'
    vectors, _, store, _ = read(tmp_path / "a.json", text)
    assert np.array_equal(vectors, VECTORS[2:4])
    assert store.tally.lost == 2


@pytest.mark.parametrize("lists", [False, True])
def test_json_lines_with_a_damaged_line(lists, tmp_path):
    lines = [json.dumps(row) for row in (LISTS if lists else files.records(MADE))]
    lines[5] = lines[5][:-9]
    lines.insert(9, "")
    vectors, texts, store, _ = read(tmp_path / "a.jsonl", "\n".join(lines))
    assert np.array_equal(vectors, np.delete(VECTORS, 5, axis=0))
    assert store.tally.unreadable == {"is no JSON": 1}
    assert store.tally.examples == ["line 6: is no JSON"]
    assert store.facts.form == "JSON lines"
    if not lists:
        assert texts["name"] == NAMES[:5] + NAMES[6:]


def test_texts_that_are_no_template():
    for text in ("", "[]", "[1, 2, x]", "Ann", "[0.1 0.2 ... 0.3 0.4]", "[[1,2],[3,4]]"):
        assert text_vector(text) is None, text
    assert raw_vector(b"\x00" * 7) is None
    assert raw_vector(b"\xff" * 512) is None
