"""``faceleak embed``: a folder of faces becomes one file of templates, whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from audit import embedding
from audit.embedding import Embedded, embed_folder
from audit.precision import PrecisionChoice, chosen_precision
from audit.store_vectors import read_vectors
from audit.synthesis import generate_faces
from audit.watch import Watch
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed_faces
from biometrics.errors import FaceleakError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import read_folder
from biometrics.stores.base import open_store
from biometrics.templates import TemplateSet
from tests.audit.conftest import Faceleak

PART = 4
OUT = Path("t.parquet")


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """Nine aligned faces of three people who do not exist."""
    return generate_faces(3, 3, seed=5)


@pytest.fixture
def aligned(faces: FaceSet, faceleak: Faceleak) -> Path:
    """They in a folder, in the working directory."""
    folder = Path("aligned")
    folder.mkdir()
    faces.save(folder)
    return folder


@pytest.fixture
def parts_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "PART", PART)


def photographs(faces: FaceSet, folder: Path) -> Path:
    """The faces as pictures, and two files that show none."""
    for crop, name in zip(faces.crops, faces.table["face_id"], strict=True):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(path)
    Image.new("RGB", (64, 64)).save(folder / "person-00001" / "black.png")
    (folder / "person-00003" / "notes.txt").write_text("no picture")
    return folder


def here() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def count_calls(monkeypatch: pytest.MonkeyPatch, stop_at: int = 0) -> list[int]:
    """Sizes of the parts that were embedded; Ctrl-C is pressed at one of them."""
    sizes: list[int] = []
    true = embedding.embed

    def counted(*given: Any, **named: Any) -> NDArray[np.float32]:
        sizes.append(len(given[1]))
        if len(sizes) == stop_at:
            raise KeyboardInterrupt
        return true(*given, **named)

    monkeypatch.setattr(embedding, "embed", counted)
    return sizes


def run(folder: Path, out: Path = OUT, **weights: str) -> Embedded:
    return embed_folder(folder, "dlib", out, Watch.quiet(), weights=weights)


def interrupt(folder: Path, monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
    with monkeypatch.context() as patched:
        count_calls(patched, stop_at=at)
        with pytest.raises(KeyboardInterrupt):
            run(folder)


# --- what is written


@pytest.mark.usefixtures("parts_of_four")
def test_pictures_become_the_templates_that_an_audit_makes(
    faces: FaceSet, faceleak: Faceleak, tmp_path: Path
) -> None:
    photographs(faces, Path("in"))
    ended = faceleak("embed", "in", "--backbone", "dlib", "--out", OUT)
    assert ended.code == 0, ended.err
    found = TemplateSet.load(OUT)
    (tmp_path / "audit").mkdir()
    expected = embed_faces(load_backbone("dlib"), read_folder(Path("in"), tmp_path / "audit").faces)
    assert found.table.to_dict("list") == expected.table.to_dict("list")
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-6)
    assert (found.backbone, found.normalised, found.source) == (
        expected.backbone,
        expected.normalised,
        expected.source,
    )
    assert ended.out.splitlines() == [
        f"{len(found)} templates of 3 subjects by dlib in t.parquet",
        "  128 numbers each",
        "  skipped, no face found: 1" if len(found) == 9 else ended.out.splitlines()[2],
        "  skipped, not a picture: 1",
    ]
    assert here() == ["in", "t.parquet"]
    assert stat.S_IMODE(OUT.stat().st_mode) == 0o600
    with open_store(str(OUT)) as store:  # as faceleak invert does
        np.testing.assert_array_equal(read_vectors(store, 128), found.vectors)


@pytest.mark.usefixtures("parts_of_four")
def test_aligned_faces_in_parts_are_as_in_one_go(
    aligned: Path, faces: FaceSet, monkeypatch: pytest.MonkeyPatch, faceleak: Faceleak
) -> None:
    sizes = count_calls(monkeypatch)
    monkeypatch.setattr(embedding, "ROW_GROUP", 2 * PART)
    done = json.loads(faceleak("embed", aligned, "--backbone", "dlib", "-o", OUT, "--json").out)
    assert sizes == [4, 4, 1]
    expected = embed_faces(load_backbone("dlib"), faces)
    found = TemplateSet.load(OUT)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-6)
    assert found.table.to_dict("list") == expected.table.to_dict("list")
    whole = pq.ParquetFile(OUT)
    assert [whole.metadata.row_group(i).num_rows for i in range(2)] == [8, 1]
    expected.save(Path("saved.parquet"))
    assert whole.schema_arrow.equals(pq.read_schema("saved.parquet"), check_metadata=True)
    assert done == {
        "file": "t.parquet",
        "backbone": "dlib",
        "dim": 128,
        "normalised": False,
        "precision": "float32",
        "pictures": 9,
        "templates": 9,
        "subjects": 3,
        "skipped": {},
        "resumed": 0,
    }


def test_unit_length_is_told_by_all_parts(
    aligned: Path, monkeypatch: pytest.MonkeyPatch, parts_of_four: None
) -> None:
    unit = np.eye(128, dtype=np.float32)
    made = iter([unit[:4], unit[:4], unit[:1]])
    monkeypatch.setattr(embedding, "embed", lambda *_, **__: next(made))
    assert run(aligned).normalised
    assert TemplateSet.load(OUT).normalised
    made = iter([unit[:4], 2 * unit[:4], unit[:1]])
    assert not run(aligned, Path("u.parquet")).normalised


# --- interrupted


@pytest.mark.usefixtures("parts_of_four")
@pytest.mark.parametrize("kind", ["pictures", "aligned"])
def test_an_interrupted_run_goes_on_where_it_stopped(
    kind: str, aligned: Path, faces: FaceSet, monkeypatch: pytest.MonkeyPatch, faceleak: Faceleak
) -> None:
    folder = aligned if kind == "aligned" else photographs(faces, Path("in"))
    argv = ("embed", folder, "--backbone", "dlib", "--out", OUT)
    with monkeypatch.context() as patched:
        count_calls(patched, stop_at=2)
        ended = faceleak(*argv)
    assert (ended.code, OUT.exists()) == (130, False)
    assert "give the same command again to go on" in ended.err
    (kept,) = Path(".t.parquet.parts").glob("*.parquet")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with monkeypatch.context() as patched:
        sizes = count_calls(patched)
        ended = faceleak(*argv)
    assert ended.code == 0, ended.err
    assert "  kept from the interrupted run: 4 pictures" in ended.out
    assert not Path(".t.parquet.parts").exists()
    run(folder, Path("u.parquet"))
    one, other = TemplateSet.load(OUT), TemplateSet.load(Path("u.parquet"))
    assert sum(sizes) < len(one)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert one.table.to_dict("list") == other.table.to_dict("list")
    assert one.source == other.source


def touched(folder: Path) -> None:
    os.utime(folder / "crops.npy", ns=(1, 1))


def other_names(folder: Path) -> None:
    faces = FaceSet.load(folder)
    table = faces.table.assign(face_id=[f"x/{n}" for n in range(len(faces))])
    table.to_parquet(folder / "faces.parquet", index=False)


@pytest.mark.usefixtures("parts_of_four")
@pytest.mark.parametrize("change", [touched, other_names], ids=lambda change: change.__name__)
def test_what_changed_since_is_done_again(
    change: Callable[[Path], None], aligned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(aligned, monkeypatch, at=3)
    change(aligned)
    sizes = count_calls(monkeypatch)
    assert run(aligned).resumed == 0
    assert sizes == [4, 4, 1]


@pytest.mark.usefixtures("parts_of_four")
def test_parts_of_another_model_are_dropped(aligned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(aligned, monkeypatch, at=3)
    monkeypatch.setattr(embedding, "identity", lambda *_: ["dlib", "other"])
    interrupt(aligned, monkeypatch, at=2)
    assert len(list(Path(".t.parquet.parts").glob("*.parquet"))) == 1


@pytest.mark.usefixtures("parts_of_four")
def test_a_damaged_part_is_done_again(aligned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(aligned, monkeypatch, at=3)
    first, _ = sorted(Path(".t.parquet.parts").glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:100])
    sizes = count_calls(monkeypatch)
    assert run(aligned).resumed == 4
    assert sizes == [4, 1]


# --- what cannot be done


def test_no_face_at_all_is_one_line_and_nothing_is_left(faceleak: Faceleak) -> None:
    Path("in", "a").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save("in/a/black.png")
    ended = faceleak("embed", "in", "--backbone", "dlib", "--out", OUT)
    assert (ended.code, ended.out) == (2, "")
    assert ended.error == "faceleak: error: no face found in any of the 1 pictures"
    assert here() == ["in"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("nowhere --backbone dlib -o t.parquet", "no such folder: nowhere"),
        ("empty --backbone dlib -o t.parquet", "empty holds no pictures"),
        ("damaged --backbone dlib -o t.parquet", "damaged holds no readable faces"),
        ("aligned --backbone dlib -o t.npy", "--out t.npy: expected a file in an existing folder"),
        ("aligned --backbone dlib -o no/t.parquet", "--out no/t.parquet: expected a file in an"),
        ("aligned --backbone dlib -o there.parquet", "there.parquet exists; choose another --out"),
        ("aligned --backbone dlip -o t.parquet", "unknown backbone 'dlip' (did you mean 'dlib'?)"),
        ("aligned --backbone eigenfaces -o t.parquet", "eigenfaces"),
        ("aligned --backbone dlib -o t.parquet --weights x", "--weights takes NAME=PATH"),
        ("aligned --backbone dlib -o t.parquet --weights dlip=x", "unknown backbone 'dlip'"),
        ("aligned --backbone dlib -o t.parquet --weights dlib=x", "x"),
    ],
)
def test_bad_input_is_one_line_and_leaves_everything_as_it_was(
    argv: str, said: str, aligned: Path, faceleak: Faceleak
) -> None:
    Path("empty").mkdir()
    Path("damaged").mkdir()
    Path("damaged/crops.npy").write_bytes(b"no array")
    Path("there.parquet").write_text("mine")
    before = here()
    ended = faceleak("embed", *argv.split())
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.error
    assert here() == before
    assert Path("there.parquet").read_text() == "mine"


@pytest.mark.usefixtures("parts_of_four")
def test_templates_that_are_no_numbers_stop_it(
    aligned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise FaceleakError("gave NaN")

    monkeypatch.setattr(embedding, "embed", fail)
    with pytest.raises(FaceleakError, match="gave NaN"):
        run(aligned)
    assert here() == ["aligned"]


# --- precision


def test_bf16_is_what_was_asked_for(aligned: Path, faceleak: Faceleak) -> None:
    dlib = ("embed", "aligned", "--backbone", "dlib")
    ended = faceleak(*dlib, "-o", "b.parquet", "--precision", "bf16")
    assert "128 numbers each, computed in bf16" in ended.out
    ended = faceleak(*dlib, "-o", "f.parquet", "--json")
    assert json.loads(ended.out)["precision"] == "float32"
    half, full = (TemplateSet.load(Path(name)) for name in ("b.parquet", "f.parquet"))
    moved = np.linalg.norm(half.vectors - full.vectors, axis=1)
    assert moved.min() > 1e-4
    assert moved.max() < 0.05  # bf16 has 8 bits, and two templates of a person differ by 0.4
    assert half.source.endswith("by dlib in bf16")
    assert full.source.endswith("by dlib")


def test_float32_parts_are_not_gone_on_with_in_bf16(
    aligned: Path, parts_of_four: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(aligned, monkeypatch, at=3)
    made = embed_folder(
        aligned, "dlib", OUT, Watch.quiet(), weights={}, precision=PrecisionChoice.BF16
    )
    assert (made.resumed, made.precision) == (0, "bf16")


@pytest.mark.parametrize("measured", [True, False])
def test_auto_is_bf16_on_a_gpu_where_it_was_measured(measured: bool) -> None:
    backbone = load_backbone("dlib")
    backbone.spec = replace(backbone.spec, bf16_measured=measured)
    assert chosen_precision(PrecisionChoice.AUTO, backbone) == "float32"
    backbone.to("meta")  # any device that is no CPU
    expected = "bf16" if measured else "float32"
    assert chosen_precision(PrecisionChoice.AUTO, backbone) == expected
    assert chosen_precision(PrecisionChoice.FLOAT32, backbone) == "float32"


def test_a_precision_that_would_not_be_heeded_is_refused(
    aligned: Path, faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = ("embed", "aligned", "--backbone", "dlib", "-o", "t.parquet", "--precision")
    ended = faceleak(*rest, "half")
    assert ended.code == 2
    assert "'half' is not one of 'auto'" in ended.err
    monkeypatch.setattr(Backbone, "runs_in_torch", False)
    ended = faceleak(*rest, "bf16")
    assert ended.code == 2
    assert "is not computed by PyTorch here, so not in bf16; use float32" in ended.error
    assert here() == ["aligned"]


def test_two_at_once_do_not_write_one_file(aligned: Path, faceleak: Faceleak) -> None:
    parts = Path(".t.parquet.parts")
    parts.mkdir()
    with (parts / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = faceleak("embed", aligned, "--backbone", "dlib", "--out", OUT)
    assert (ended.code, "another faceleak is writing" in ended.error) == (2, True)
    assert parts.is_dir()
