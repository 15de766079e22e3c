from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.faces.faceset import CropWriter, FaceSet


def crops(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, 224, 224, 3), dtype=np.uint8)


def faces(n: int = 3) -> FaceSet:
    table = pd.DataFrame(
        {
            "face_id": [f"s{i % 2}/é{i}.jpg" for i in range(n)],
            "subject_id": [f"s{i % 2}" for i in range(n)],
            "sharpness": np.linspace(0, 1, n),
        }
    )
    points = np.random.default_rng(1).random((n, 68, 2), dtype=np.float32)
    return FaceSet(crops(n), points, table)


def test_a_face_set_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    before = faces()
    before.save(tmp_path)
    after = FaceSet.load(tmp_path)
    assert isinstance(after.crops, np.memmap)
    np.testing.assert_array_equal(after.crops, before.crops)
    np.testing.assert_array_equal(after.landmarks, before.landmarks)
    pd.testing.assert_frame_equal(after.table, before.table)
    assert after.subject_ids.tolist() == ["s0", "s1", "s0"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "crops.npy",
        "faces.parquet",
        "landmarks.npy",
    ]


def test_saving_over_the_file_that_the_crops_are_mapped_from_is_safe(tmp_path: Path) -> None:
    faces().save(tmp_path)
    mapped = FaceSet.load(tmp_path)
    FaceSet(mapped.crops[1:], mapped.landmarks[1:], mapped.table[1:]).save(tmp_path)
    np.testing.assert_array_equal(mapped.crops, faces().crops)
    np.testing.assert_array_equal(FaceSet.load(tmp_path).crops, faces().crops[1:])


def test_taking_rows_keeps_order_and_repeats() -> None:
    whole = faces()
    some = whole.take([2, 0, 2])
    assert some.table["face_id"].tolist() == ["s0/é2.jpg", "s0/é0.jpg", "s0/é2.jpg"]
    assert some.table.index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(some.crops[1], whole.crops[0])
    np.testing.assert_array_equal(some.landmarks[0], whole.landmarks[2])
    assert len(whole.take([])) == 0


def test_parts_that_disagree_are_refused() -> None:
    good = faces()
    with pytest.raises(InputError, match=r"crops must be uint8 \[3, 224, 224, 3\], got uint8 \[2"):
        FaceSet(good.crops[:2], good.landmarks, good.table)
    with pytest.raises(InputError, match="got float32"):
        FaceSet(good.crops.astype(np.float32), good.landmarks, good.table)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"landmarks must be \[3, 68, 2\], got \[3, 5, 2\]"):
        FaceSet(good.crops, good.landmarks[:, :5], good.table)
    with pytest.raises(InputError, match=r"lacks the column\(s\) subject_id"):
        FaceSet(good.crops, good.landmarks, good.table.drop(columns="subject_id"))


@pytest.mark.parametrize("file", ["crops.npy", "landmarks.npy", "faces.parquet"])
@pytest.mark.parametrize("how", ["absent", "empty", "truncated", "text"])
def test_absent_and_damaged_files_are_an_input_error(tmp_path: Path, file: str, how: str) -> None:
    faces().save(tmp_path)
    path = tmp_path / file
    content = path.read_bytes()
    path.unlink()
    if how != "absent":
        path.write_bytes(
            {"empty": b"", "text": b"hello" * 99}.get(how, content[: len(content) // 2])
        )
    with pytest.raises(InputError, match="holds no readable faces"):
        FaceSet.load(tmp_path)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
def test_streamed_crops_are_an_ordinary_array_file(tmp_path: Path, count: int) -> None:
    writer, expected = CropWriter(tmp_path / "c.npy"), crops(count)
    for crop in expected:
        writer.append(crop[:, ::-1])  # a view that is not contiguous
    writer.close()
    got = np.load(tmp_path / "c.npy", allow_pickle=False)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, expected[:, :, ::-1])


def test_streaming_over_a_mapped_file_leaves_the_mapping_whole(tmp_path: Path) -> None:
    path = tmp_path / "c.npy"
    np.save(path, crops(2))
    mapped = np.load(path, mmap_mode="r")
    CropWriter(path).close()
    np.testing.assert_array_equal(mapped, crops(2))
    assert len(np.load(path)) == 0
