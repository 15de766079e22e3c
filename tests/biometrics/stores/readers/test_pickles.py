"""Pickles as tutorials, small projects and deepface write them."""

from __future__ import annotations

import contextlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from biometrics.errors import FaceleakError, StoreError
from biometrics.stores.base import Store, open_store
from tests.biometrics.stores.fuzz import mutations
from tests.biometrics.stores.made import drawn_people

PEOPLE = drawn_people(128, people=5, pictures=3, norm=1.4)
VECTORS = [vector.astype(np.float64) for vector in PEOPLE.vectors]
NAMES = [PEOPLE.names[person] for person in PEOPLE.person]
DEEPFACE = "ds_model_facenet512_detector_opencv_aligned_normalization_base_expand_0.pkl"


def opened(folder: Path, value: Any, name: str = "store.pickle", protocol: int = 4) -> Store:
    path = folder / name
    path.write_bytes(pickle.dumps(value, protocol))
    return open_store(str(path))


def by_name() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, vector in zip(NAMES, VECTORS, strict=True):
        found.setdefault(name, []).append(vector)
    return found


SHAPES: dict[str, tuple[Any, bool]] = {
    "encodings and names": ({"encodings": VECTORS, "names": NAMES}, True),
    "encodings and name": ({"encodings": VECTORS, "name": NAMES}, True),
    "encodings, names and ids": (
        {"ids": list(range(15)), "encodings": VECTORS, "names": NAMES}, True),
    "lists of floats": ({"encodings": [v.tolist() for v in VECTORS], "names": NAMES}, True),
    "names as NumPy texts": ({"encodings": VECTORS, "names": np.array(NAMES)}, True),
    "one matrix and names": ({"encodings": np.stack(VECTORS), "names": NAMES}, True),
    "several by name": (by_name(), True),
    "a matrix by name": ({name: np.stack(found) for name, found in by_name().items()}, True),
    "names, encodings": ((NAMES, VECTORS), True),
    "encodings, names": ([VECTORS, NAMES], True),
    "a list": (VECTORS, False),
    "a matrix": (np.stack(VECTORS), False),
    "an array of objects": (np.array([*VECTORS, None], object)[:15], False),
    "records": ([{"name": n, "encoding": v} for n, v in zip(NAMES, VECTORS, strict=True)], True),
    "pairs": (list(zip(NAMES, VECTORS, strict=True)), True),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_common_shape_is_read(shape: str, tmp_path: Path) -> None:
    value, named = SHAPES[shape]
    with opened(tmp_path, value) as store:
        (batch,) = store.batches()
        facts = store.facts
        assert (store.tally.read, store.tally.lost, store.tally.empty) == (15, 0, 0)
    np.testing.assert_array_equal(batch.vectors, PEOPLE.vectors)
    assert batch.texts("name") == (NAMES if named else [None] * 15)
    assert batch.texts("subject_id") == (NAMES if named else [None] * 15)
    assert len(set(batch.texts("template_id"))) == 15
    assert (facts.product, facts.executable) == ("file", True)
    assert sum(facts.rows.values()) == 15
    assert "whoever can write this file runs code" in facts.notes[0]


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_recognised_and_read(protocol: int, tmp_path: Path) -> None:
    value = {"encodings": VECTORS, "names": NAMES}
    with opened(tmp_path, value, protocol=protocol) as store:
        (batch,) = store.batches()
    np.testing.assert_array_equal(batch.vectors, PEOPLE.vectors)


def test_reading_again_starts_again(tmp_path: Path) -> None:
    with opened(tmp_path, VECTORS) as store:
        assert [len(batch) for batch in store.batches()] == [15]
        assert [len(batch) for batch in store.batches()] == [15]
        assert store.tally.read == 15


def test_rows_that_are_no_template_are_counted(tmp_path: Path) -> None:
    with opened(tmp_path, [*VECTORS[:4], None, "x", *VECTORS[4:]]) as store:
        (batch,) = store.batches()
    assert len(batch) == 15
    assert (store.tally.empty, store.tally.lost) == (1, 1)


def test_paths_become_the_folder_that_they_end_in(tmp_path: Path) -> None:
    value = [[f"/srv/secret/db/{n}/1.jpg", v] for n, v in zip(NAMES, VECTORS, strict=True)]
    with opened(tmp_path, value) as store:
        (batch,) = store.batches()
    assert batch.texts("name") == NAMES
    assert "secret" not in str(batch.rows.to_pydict())


def test_two_thousand_faces_take_less_than_two_seconds(tmp_path: Path) -> None:
    people = drawn_people(128, people=500, pictures=4)
    value = {
        "encodings": list(people.vectors.astype(np.float64)),
        "names": [people.names[person] for person in people.person],
    }
    start = sum(os.times()[:4])  # with that of the process of its own
    with opened(tmp_path, value) as store:
        rows = sum(len(batch) for batch in store.batches())
    assert rows == 2000
    assert sum(os.times()[:4]) - start < 2


@pytest.mark.parametrize("value", [{}, [], "text", {"a": 1}, None, 5, {"names": ["a", "b"]}])
def test_a_pickle_without_templates_says_so(value: Any, tmp_path: Path) -> None:
    with opened(tmp_path, value) as store, pytest.raises(StoreError, match="without templates"):
        list(store.batches())


def faces(folders: list[str], missing: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    return [
        {
            "identity": f"/srv/secret/db/{folder}/{number}.jpg",
            "hash": f"{number:040x}",
            "embedding": None if number in missing else vector.tolist(),
            "target_x": 1, "target_y": 2, "target_w": 3, "target_h": 4,
        }
        for number, (folder, vector) in enumerate(zip(folders, VECTORS, strict=True))
    ]  # fmt: skip


def test_deepfaces_pickle(tmp_path: Path) -> None:
    with opened(tmp_path, faces(NAMES, missing=(1, 7)), DEEPFACE) as store:
        (batch,) = store.batches()
        facts = store.facts
    kept = [number for number in range(15) if number not in (1, 7)]
    np.testing.assert_array_equal(batch.vectors, PEOPLE.vectors[kept])
    assert batch.texts("name") == [NAMES[number] for number in kept]
    assert batch.texts("template_id") == [str(number) for number in kept]
    assert (store.tally.read, store.tally.empty, store.tally.lost) == (13, 2, 0)
    assert (facts.product, facts.executable) == ("deepface-pickle", True)
    assert facts.model == batch.collection.model == "deepface facenet512"
    assert facts.rows == {"faces": 15}
    assert "secret" not in str(batch.rows.to_pydict()) + str(facts)


def test_deepfaces_pickle_is_told_by_content(tmp_path: Path) -> None:
    with opened(tmp_path, faces(NAMES), "anything.bin") as store:
        list(store.batches())
        assert store.facts.product == "deepface-pickle"
        assert store.facts.model == ""
    with opened(tmp_path, VECTORS, DEEPFACE) as store:
        assert store.facts.product == "file"


def test_one_folder_for_all_tells_nobody_apart(tmp_path: Path) -> None:
    with opened(tmp_path, faces(["photos"] * 15), DEEPFACE) as store:
        (batch,) = store.batches()
    assert batch.texts("name") == [None] * 15


def test_damaged_faces_are_counted(tmp_path: Path) -> None:
    rows: list[Any] = faces(NAMES)
    rows[3], rows[4]["embedding"] = "x", "none"
    with opened(tmp_path, rows, DEEPFACE) as store:
        (batch,) = store.batches()
    assert len(batch) == 13
    assert store.tally.lost == 2


def test_the_keys_of_a_face_alone_are_no_list_of_faces(tmp_path: Path) -> None:
    store = opened(tmp_path, {"identity": 1, "hash": 2, "embedding": 3, "target_x": 4})
    with store, pytest.raises(StoreError, match="is no list of faces"):
        list(store.batches())


FUZZED = pickle.dumps({"encodings": VECTORS, "names": NAMES}, 4)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=mutations(FUZZED))
def test_damaged_stores_raise_typed_errors_alone(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    path.write_bytes(data)
    with contextlib.suppress(FaceleakError), open_store(str(path)) as store:
        assert sum(len(batch) for batch in store.batches()) <= 15
