"""Templates read from files, and turned into marked pictures."""

from __future__ import annotations

import csv
import json
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit import trained
from audit.store_vectors import read_vectors
from audit.trained import invert_store
from audit.watch import Watch
from biometrics.errors import InputError, OutputError
from biometrics.faces.resize import to_canonical
from biometrics.stores.base import open_store
from biometrics.templates import TemplateSet
from reports.pictures import is_marked
from tests.attacks.kept import DIM, linear, vectors
from tests.attacks.test_saved import SIDE
from tests.audit.kept import ABOVE_THE_BAND, pictures, stored
from tests.biometrics.stores.made import dlib_people
from tests.biometrics.stores.made_product import write_sqlite
from tests.biometrics.stores.products import PRODUCTS

pytestmark = pytest.mark.usefixtures("small_appearance")


# --- reading templates


WIDE = 20
"""Shorter rows in a file of several arrays are not taken for templates."""


def read(path: Path, dim: int = DIM) -> Any:
    with open_store(str(path)) as store:
        return read_vectors(store, dim)


def test_templates_of_any_store_are_read_in_its_order(tmp_path: Path) -> None:
    known = np.random.default_rng(5).standard_normal((3, WIDE)).astype(np.float32)
    table = pd.DataFrame({"template_id": list("abc"), "subject_id": list("xyz")})
    TemplateSet(known, table, "dlib", False, "a test").save(tmp_path / "a.parquet")
    np.save(tmp_path / "b.npy", known.astype(np.float64))
    np.savez(tmp_path / "c.npz", known)
    np.savez_compressed(tmp_path / "d.NPZ.npz", names=np.arange(3), vectors=known)
    np.save(tmp_path / "e.npy", (known * 100).astype(np.int8))
    np.savez(tmp_path / "f.npz", a=known, b=np.random.default_rng(6).random((9, WIDE + 1)))
    (tmp_path / "g.npy").write_bytes((tmp_path / "c.npz").read_bytes())  # told by content
    for name in ("a.parquet", "b.npy", "c.npz", "d.NPZ.npz", "f.npz", "g.npy"):
        found = read(tmp_path / name, WIDE)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, known)
    assert read(tmp_path / "e.npy", WIDE).tolist() == (known * 100).astype(np.int8).tolist()


def test_databases_and_pickles_are_read_too(tmp_path: Path) -> None:
    """A photo library keeps means of clusters beside the faces: these are left out."""
    people = dlib_people()
    library = write_sqlite(PRODUCTS["librephotos"].tables, tmp_path / "a.sqlite3")
    np.testing.assert_allclose(read(library, 128), people.vectors, rtol=1e-6)
    path = tmp_path / "encodings.pickle"
    path.write_bytes(pickle.dumps({"encodings": list(people.vectors), "names": ["x"] * 36}))
    np.testing.assert_array_equal(read(path, 128), people.vectors)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((0, DIM)), "0 templates, of which none is there"),
        (np.zeros((1, 2, 2)), "store.npy"),
        (np.array([["a", "b"]]), "store.npy"),
        (np.zeros((2, DIM + 1)), "fitted on templates of 4 values, got 5"),
        (np.array([[0, 1, 1, 1], [np.nan] * 4]), "1 of 2 templates hold NaN .*first: row 1"),
        (np.array([[np.inf, 1.0, 1, 1]]), "1 of 1 templates hold NaN"),
        (np.array([[1e300, 1.0, 1, 1]]), "1 of 1 templates hold NaN or infinite"),
    ],
    ids=["none", "cube", "text", "another", "nan", "inf", "too large"],
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path: Path, values: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(stored(tmp_path, values))


def test_what_is_cut_short_or_stands_twice_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, vectors(20))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"store\.npy: 3 rows cannot be read"):
        read(path)
    wide = list(np.random.default_rng(5).standard_normal((30, WIDE)))
    pd.DataFrame({"face": wide, "voice": wide}).to_parquet(tmp_path / "two.parquet")
    with pytest.raises(InputError, match=r"holds 2 collections of templates \(face, voice\)"):
        read(tmp_path / "two.parquet", WIDE)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.npy")
    (tmp_path / "letter.txt").write_text("Dear Sir")
    with pytest.raises(InputError, match=r"letter\.txt"):
        read(tmp_path / "letter.txt")


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
        (np.zeros((2, DIM + 1)), "fitted on templates of 4 values, got 5"),
        (np.full((2, DIM), np.nan), "2 of 2 templates hold NaN"),
        (np.zeros((0, DIM)), "0 templates, of which none is there"),
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
