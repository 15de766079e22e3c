from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from biometrics import parallel
from biometrics.errors import InputError, OutputError
from biometrics.faces import folder as module
from biometrics.faces.detect import find_face
from biometrics.faces.folder import (
    align,
    list_pictures,
    load_folder_faces,
    read_folder,
    read_pictures,
)
from biometrics.faces.geometry import CANONICAL_POINTS, five_points

Drawn = tuple[NDArray[np.uint8], NDArray[np.float32]]


@pytest.fixture
def people(tmp_path: Path, drawn_faces: Drawn) -> Path:
    """Two subjects with three faces, one of them beside a second face, and five useless files."""
    root = tmp_path / "people"
    for name in ("anna", "Zoë", ".hidden"):
        (root / name).mkdir(parents=True)
    crops = [Image.fromarray(crop) for crop in drawn_faces[0]]
    crops[0].save(root / "anna" / "10.png")
    crops[1].save(root / "anna" / "2.png")
    both = Image.new("RGB", (560, 224), (128, 128, 128))
    both.paste(crops[2], (160, 0))
    both.paste(crops[3], (336 + 48, 0))
    both.save(root / "Zoë" / "both.png")
    (root / "anna" / "notes.txt").write_text("no picture")
    (root / "anna" / "cut.png").write_bytes((root / "anna" / "2.png").read_bytes()[:5000])
    (root / "anna" / "empty.jpg").touch()
    Image.new("RGB", (80, 80), (0, 90, 0)).save(root / "Zoë" / "wall.png")
    Image.new("RGB", (80, 80), (90, 0, 0)).save(root / "Zoë" / "fence.png")
    (root / "anna" / ".DS_Store").write_bytes(b"x")
    crops[4].save(root / ".hidden" / "a.png")
    (root / "readme.txt").write_text("not in a subject's folder")
    (root / "anna" / "folder").mkdir()
    return root


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def no_detection(*_: object, **__: object) -> None:
    raise AssertionError("a face was searched")


def test_pictures_are_listed_by_subject_and_name_without_hidden_ones(people: Path) -> None:
    listed = [path.relative_to(people).as_posix() for path in list_pictures(people)]
    assert listed == [
        "Zoë/both.png",
        "Zoë/fence.png",
        "Zoë/wall.png",
        "anna/10.png",
        "anna/2.png",
        "anna/cut.png",
        "anna/empty.jpg",
        "anna/notes.txt",
    ]


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        list_pictures(tmp_path / "absent")
    (tmp_path / "a.png").touch()
    (tmp_path / "subject").mkdir()
    with pytest.raises(InputError, match="one sub-folder for each subject"):
        list_pictures(tmp_path)


def test_a_folder_becomes_faces_and_every_other_file_a_reason(people: Path, out: Path) -> None:
    seen: list[int] = []
    found = read_folder(people, out, workers=1, advance=seen.append)
    assert found.faces.table["face_id"].tolist() == ["Zoë/both.png", "anna/10.png", "anna/2.png"]
    assert found.faces.subject_ids.tolist() == ["Zoë", "anna", "anna"]
    assert found.faces.table["n_faces"].tolist() == [2, 1, 1]
    assert found.several_faces == 1
    assert found.skipped.to_numpy().tolist() == [
        ["Zoë/fence.png", "no face found"],
        ["Zoë/wall.png", "no face found"],
        ["anna/cut.png", "truncated or damaged"],
        ["anna/empty.jpg", "empty file"],
        ["anna/notes.txt", "not a picture"],
    ]
    assert found.reasons == {
        "empty file": 1,
        "no face found": 2,
        "not a picture": 1,
        "truncated or damaged": 1,
    }
    assert len(seen) == sum(seen) == 8
    assert isinstance(found.faces.crops, np.memmap)


def test_crops_are_canonical_and_landmarks_lie_in_them(
    people: Path, out: Path, drawn_faces: Drawn
) -> None:
    faces = read_folder(people, out, workers=1).faces
    five = five_points(faces.landmarks)
    # A similarity has four degrees of freedom, five points ten: they come close, no more.
    assert np.linalg.norm(five - CANONICAL_POINTS, axis=2).mean() < 6
    np.testing.assert_allclose(
        five.mean(axis=1), np.tile(CANONICAL_POINTS.mean(axis=0), (3, 1)), atol=1e-3
    )
    for row, drawn in ((1, 0), (2, 1)):
        again = find_face(Image.fromarray(np.array(faces.crops[row])))
        assert again is not None
        assert np.linalg.norm(again.landmarks - faces.landmarks[row], axis=1).mean() < 3
        # The eyes of the source are as far apart as the table says.
        eyes = five_points(drawn_faces[1][drawn])[:2]
        true = float(np.linalg.norm(eyes[1] - eyes[0]))
        assert faces.table["inter_eye_px"][row] == pytest.approx(true, rel=0.1)


def test_sharpness_falls_when_a_picture_is_blurred(drawn_faces: Drawn, tmp_path: Path) -> None:
    crop, path = Image.fromarray(drawn_faces[0][1]), tmp_path / "a.png"
    values = []
    for side in (224, 60):
        crop.resize((side, side)).resize((224, 224), Image.Resampling.BICUBIC).save(path)
        values.append(align(path.read_bytes()).sharpness)
    assert values[1] < 0.7 * values[0]


def test_processes_change_nothing(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "SMALL", 0)
    results = []
    for workers in (1, 2):
        monkeypatch.setenv("FACELEAK_CACHE_DIR", str(tmp_path / f"cache {workers}"))
        folder = tmp_path / f"out {workers}"
        folder.mkdir()
        results.append(read_folder(people, folder, workers=workers))
    one, two = results
    np.testing.assert_array_equal(one.faces.crops, two.faces.crops)
    np.testing.assert_array_equal(one.faces.landmarks, two.faces.landmarks)
    pd.testing.assert_frame_equal(one.faces.table, two.faces.table)
    pd.testing.assert_frame_equal(one.skipped, two.skipped)


def test_a_second_run_searches_no_face_and_gives_the_same(
    people: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_folder(people, out, workers=1)
    monkeypatch.setattr(module, "find_face", no_detection)
    (tmp_path / "again").mkdir()
    second = read_folder(people, tmp_path / "again", workers=1)
    np.testing.assert_array_equal(first.faces.crops, second.faces.crops)
    np.testing.assert_array_equal(first.faces.landmarks, second.faces.landmarks)
    pd.testing.assert_frame_equal(first.faces.table, second.faces.table)
    assert second.reasons == first.reasons
    assert second.several_faces == 1


def test_the_cache_knows_content_and_not_names(
    people: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_folder(people, out, workers=1)
    calls = []

    def counting(picture: Image.Image) -> object:
        calls.append(picture.size)
        return find_face(picture)

    monkeypatch.setattr(module, "find_face", counting)
    (people / "anna" / "10.png").rename(people / "Zoë" / "renamed.png")
    read_folder(people, out, workers=1)
    assert calls == []
    same_name = people / "anna" / "2.png"
    Image.open(same_name).convert("L").save(same_name)
    read_folder(people, out, workers=1)
    assert calls == [(224, 224)]


def test_the_cache_is_private_and_holds_no_picture_and_no_name(
    people: Path, out: Path, own_cache: Path
) -> None:
    read_folder(people, out, workers=1)
    files = list(own_cache.iterdir())
    assert [path.name for path in files] == ["landmarks-1.sqlite"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(own_cache.stat().st_mode) == 0o700
    content = files[0].read_bytes()
    # Five pictures were judged: three faces of 68 x 2 floats and two without a face.
    assert len(content) <= 16384
    for secret in (b"anna", "Zoë".encode(), b"10.png", b"PNG", str(people).encode()):
        assert secret not in content


def test_an_unwritable_cache_is_an_output_error(
    people: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match=r"cannot write the cache .*set FACELEAK_CACHE_DIR"):
        read_folder(people, out, workers=1)


def test_a_folder_without_any_face_is_refused(tmp_path: Path, out: Path) -> None:
    (tmp_path / "p" / "a").mkdir(parents=True)
    Image.new("RGB", (80, 80)).save(tmp_path / "p" / "a" / "1.png")
    with pytest.raises(InputError, match="no face found in any of the 1 pictures"):
        read_folder(tmp_path / "p", out)


def test_one_picture_may_be_a_face_of_several_subjects(people: Path, out: Path) -> None:
    shutil.copy(people / "anna" / "2.png", people / "Zoë" / "copy.png")
    faces = read_pictures([people / "anna" / "2.png", people / "Zoë" / "copy.png"], out).faces
    assert faces.subject_ids.tolist() == ["anna", "Zoë"]
    np.testing.assert_array_equal(faces.crops[0], faces.crops[1])


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX systems only")
def test_names_that_are_no_text_are_counted_and_not_fatal(people: Path, out: Path) -> None:
    odd = os.path.join(os.fsencode(people), b"anna", b"caf\xe9.png")
    shutil.copy(people / "anna" / "2.png", os.fsdecode(odd))
    found = read_folder(people, out, workers=1)
    assert found.reasons["file name is not UTF-8"] == 1
    assert "anna/caf\\xe9.png" in found.skipped["path"].tolist()
    assert len(found.faces) == 3


def test_what_was_read_is_loaded_again(people: Path, out: Path) -> None:
    written = read_folder(people, out, workers=1)
    loaded = load_folder_faces(out)
    np.testing.assert_array_equal(loaded.faces.crops, written.faces.crops)
    pd.testing.assert_frame_equal(loaded.skipped, written.skipped)
    assert loaded.several_faces == 1


def test_nothing_skipped_is_an_empty_table_of_text(people: Path, out: Path) -> None:
    found = read_pictures([people / "anna" / "2.png"], out)
    assert found.reasons == {}
    assert found.skipped.columns.tolist() == ["path", "reason"]
    assert len(load_folder_faces(out).skipped) == 0


def test_real_faces_are_aligned(lfw: Path, out: Path) -> None:
    files = sorted(lfw.glob("B*/*_0001.jpg"))[:40]
    found = read_pictures(files, out, workers=1)
    assert len(found.faces) >= 39
    five = five_points(found.faces.landmarks).mean(axis=0)
    np.testing.assert_allclose(five, CANONICAL_POINTS, atol=2)
