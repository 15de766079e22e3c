"""Templates read from files, and turned into marked pictures."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit import trained
from audit.trained import (
    invert_store,
    read_vectors,
)
from audit.watch import Watch
from biometrics.errors import InputError, OutputError
from biometrics.faces.resize import to_canonical
from biometrics.templates import TemplateSet
from reports.pictures import is_marked
from tests.attacks.kept import DIM, linear, vectors
from tests.attacks.test_saved import SIDE
from tests.audit.kept import ABOVE_THE_BAND, pictures, stored

pytestmark = pytest.mark.usefixtures("small_appearance")


# --- reading templates


def test_templates_are_read_from_three_kinds_of_files(tmp_path: Path) -> None:
    known = vectors()
    table = pd.DataFrame({"template_id": list("abc"), "subject_id": list("xyz")})
    TemplateSet(known, table, "dlib", False, "a test").save(tmp_path / "a.parquet")
    np.save(tmp_path / "b.npy", known.astype(np.float64))
    np.savez(tmp_path / "c.npz", known)
    np.savez_compressed(tmp_path / "d.NPZ.npz", names=np.arange(3), vectors=known)
    np.save(tmp_path / "e.npy", (known * 100).astype(np.int8))
    for name in ("a.parquet", "b.npy", "c.npz", "d.NPZ.npz"):
        found = read_vectors(tmp_path / name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, known)
    assert read_vectors(tmp_path / "e.npy").tolist() == (known * 100).astype(np.int8).tolist()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((0, DIM)), r"expected numbers \[N, D\], got float64 \[0, 4\]"),
        (np.zeros(DIM), r"got float64 \[4\]"),
        (np.zeros((1, 2, 2)), r"got float64 \[1, 2, 2\]"),
        (np.array([["a", "b"]]), r"expected numbers \[N, D\], got <U1 \[1, 2\]"),
        (np.zeros((2, 2), dtype=complex), "expected numbers"),
        (np.zeros((2, 2), dtype=bool), "expected numbers"),
        (np.array([[0, 1], [np.nan, 1.0]]), "1 of 2 templates hold NaN or infinite values .*row 1"),
        (np.array([[np.inf, 1.0]]), "1 of 1 templates hold NaN"),
        (np.array([[1e300, 1.0]]), "1 of 1 templates hold NaN or infinite"),
    ],
    ids=["none", "one", "cube", "text", "complex", "bool", "nan", "inf", "too large"],
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path: Path, values: Any, said: str) -> None:
    path = stored(tmp_path, values)
    with pytest.raises(InputError, match=said) as caught:
        read_vectors(path)
    assert str(path) in str(caught.value)


def broken(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


def test_damaged_and_foreign_files_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_vectors(tmp_path / "nothing.npy")
    with pytest.raises(InputError, match="no such file"):
        read_vectors(tmp_path)
    text = tmp_path / "a.csv"
    text.write_text("1,2\n")
    with pytest.raises(InputError, match=r"read from \.npy, \.npz or \.parquet files"):
        read_vectors(text)
    for name in ("a.npy", "a.npz", "a.parquet"):
        (tmp_path / name).write_bytes(b"1,2\n3,4\n")
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            read_vectors(tmp_path / name)
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            read_vectors(tmp_path / name)
    np.savez(tmp_path / "cut.npz", vectors())
    with pytest.raises(InputError, match=r"cut\.npz is not a readable \.npz file"):
        read_vectors(broken(tmp_path / "cut.npz"))
    np.save(tmp_path / "cut.npy", vectors(20))
    with pytest.raises(InputError, match=r"cut\.npy is not a readable \.npy file"):
        read_vectors(broken(tmp_path / "cut.npy"))
    np.savez(tmp_path / "two.npz", a=vectors(), b=vectors())
    with pytest.raises(InputError, match=r"one array, or one named 'vectors', got \['a', 'b'\]"):
        read_vectors(tmp_path / "two.npz")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "gone off",))

    objects = np.array([[Bomb()]], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "b.npz", vectors=objects)
    for name in ("a.npy", "b.npz"):
        with pytest.raises(InputError, match="is not a readable"):
            read_vectors(tmp_path / name)
    assert not (tmp_path / "gone off").exists()


def test_a_file_of_the_other_numpy_kind_is_read_by_its_content(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", vectors())
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_vectors(tmp_path / "a.npy"), vectors())
    np.save(tmp_path / "b.npy", vectors())
    (tmp_path / "b.npy").rename(tmp_path / "b.npz")
    np.testing.assert_array_equal(read_vectors(tmp_path / "b.npz"), vectors())


# --- inverting


def test_every_template_becomes_a_marked_private_picture(kept_attack: Path, tmp_path: Path) -> None:
    out, count = tmp_path / "deep" / "out", 60
    done = invert_store(stored(tmp_path, vectors(count)), kept_attack, out, Watch.quiet())
    assert (done.count, done.attack, done.target, done.size) == (count, "linear", "dlib", SIDE)
    assert done.seconds > 0
    assert done.as_record()["templates"] == count
    assert json.loads(json.dumps(done.as_record()))["folder"] == str(out)
    names = [f"{row:06d}.png" for row in range(count)]
    assert sorted(p.name for p in (out / "faces").iterdir()) == names
    assert {p.name for p in out.iterdir()} == {"faces", "index.csv", "journal.jsonl", "sheet.png"}
    for path in out.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert is_marked(picture)
    with Image.open(out / "sheet.png") as sheet:
        # 48 faces in six rows of nine; the band, a ninth of the height, lies below them.
        assert sheet.width == 9 * 112
        assert 6 * 112 <= 0.89 * sheet.height < 6.1 * 112
    with (out / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["picture"]) for row in rows] == [
        (str(i), f"faces/{name}") for i, name in enumerate(names)
    ]


def test_pictures_stand_in_the_order_of_the_store(
    kept_attack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "BATCH", 4)
    known = vectors(9)
    invert_store(stored(tmp_path, known), kept_attack, tmp_path / "out", Watch.quiet())
    found = pictures(tmp_path / "out")
    for row in range(9):
        alone = to_canonical(linear().invert(known[row : row + 1]).rounded())[0]
        difference = np.abs(found[row].astype(int) - alone)[ABOVE_THE_BAND]
        assert difference.max() <= 1, "but for rounding, one by one and in batches are the same"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((2, DIM + 1)), r"fitted on templates of 4 values, got \[2, 5\]"),
        (np.full((2, DIM), np.nan), "2 of 2 templates hold NaN"),
        (np.zeros((0, DIM)), r"got float64 \[0, 4\]"),
    ],
    ids=["dimension", "nan", "empty"],
)
@pytest.mark.parametrize("there", [False, True])
def test_templates_of_another_kind_leave_nothing_behind(
    kept_attack: Path, tmp_path: Path, values: Any, said: str, there: bool
) -> None:
    out = tmp_path / "out"
    if there:
        out.mkdir()
    with pytest.raises(InputError, match=said):
        invert_store(stored(tmp_path, values), kept_attack, out, Watch.quiet())
    assert out.exists() is there
    assert not there or list(out.iterdir()) == []


def test_a_folder_in_use_and_a_file_are_left_alone(kept_attack: Path, tmp_path: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (used / "letter").write_text("mine")
    for out in (used, used / "letter"):
        with pytest.raises(
            InputError, match=r"is not empty; choose another --out|is a file; --out names"
        ):
            invert_store(stored(tmp_path, vectors()), kept_attack, out, Watch.quiet())
    assert (used / "letter").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "raised"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "x"), OutputError)]
)
def test_what_is_cut_short_leaves_nothing_half_written(
    kept_attack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    raised: type[BaseException],
) -> None:
    save, calls = trained.save_reconstruction_png, []

    def fails(picture: Image.Image, path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise error
        save(picture, path)

    monkeypatch.setattr(trained, "save_reconstruction_png", fails)
    with pytest.raises(raised):
        invert_store(stored(tmp_path, vectors(9)), kept_attack, tmp_path / "out", Watch.quiet())
    assert len(calls) == 3
    assert not (tmp_path / "out").exists()
