"""``faceleak faces``: align a folder, make people who do not exist."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from PIL import Image

from audit.faces_tools import average_folder, contact_sheet, filter_folder, morph_folder
from audit.synthesis import generate_faces
from audit.watch import Watch
from biometrics.errors import InputError, WeightsError
from biometrics.faces.faceset import FaceSet
from tests.audit.conftest import Faceleak


def test_made_people_can_be_aligned_again(faceleak: Faceleak, tmp_path: Path) -> None:
    made = faceleak(
        "faces", "synth", "--subjects", 3, "--pictures", 2, "-o", "p", "--sheet", "s.png"
    )
    assert made.code == 0, made.err
    assert made.out.splitlines() == [
        "6 pictures of 3 people who do not exist in p",
        "contact sheet: s.png",
    ]
    with Image.open("s.png") as sheet:
        assert sheet.size == (2 * 112, 3 * 112)
    assert len(list(Path("p").glob("person-*/person-*.png"))) == 6
    aligned = faceleak("faces", "align", "p", "--out", "faces")
    assert aligned.code == 0, aligned.err
    faces = FaceSet.load(Path("faces"))
    assert len(faces) >= 5
    assert f"{len(faces)} faces of 3 subjects in faces" in aligned.out
    for path in [*Path("faces").iterdir(), *Path("p").rglob("*.png")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_seed_makes_the_people(tmp_path: Path) -> None:
    one, same, other = (generate_faces(2, 1, seed).crops for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_a_sheet_has_a_row_for_each_of_the_first_people() -> None:
    assert contact_sheet(generate_faces(14, 1, seed=1), 1).size == (112, 12 * 112)


@pytest.mark.parametrize("sheet", ["s.txt", "nowhere/s.png", "s"])
def test_a_sheet_that_cannot_be_written_is_found_first(faceleak: Faceleak, sheet: str) -> None:
    ended = faceleak("faces", "synth", "--subjects", 2, "--out", "p", "--sheet", sheet)
    assert f"--sheet {sheet}: expected a file in an existing folder" in ended.error
    assert ended.code == 2
    assert not Path("p").exists()


def test_a_folder_in_use_is_left_alone(faceleak: Faceleak) -> None:
    Path("p").mkdir()
    Path("p", "mine").touch()
    ended = faceleak("faces", "synth", "--subjects", 2, "--out", "p")
    assert (ended.code, "p is not empty" in ended.error) == (2, True)
    assert [p.name for p in Path("p").iterdir()] == ["mine"]


def test_after_a_failure_one_can_try_again(faceleak: Faceleak) -> None:
    Path("in", "a").mkdir(parents=True)
    Path("in", "a", "x.txt").write_text("no picture")
    ended = faceleak("faces", "align", "in", "--out", "deep/out")
    assert "no face found in any of the 1 pictures" in ended.error
    assert ended.code == 2
    assert not Path("deep", "out").exists()


def test_an_installation_without_its_model_says_so(
    faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biometrics.faces.shipped.SHIPPED_MODEL", "gone.safetensors")
    with pytest.raises(WeightsError, match=r"lacks gone\.safetensors; install faceleak again"):
        generate_faces(1, 1, seed=1)
    ended = faceleak("faces", "synth", "--subjects", 2, "--out", "p")
    assert "lacks gone.safetensors" in ended.error
    assert not Path("p").exists()


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine aligned faces of three people who do not exist."""
    folder = tmp_path_factory.mktemp("aligned")
    generate_faces(3, 3, 5).save(folder)
    return folder


def test_a_filter_counts_and_writes_what_it_keeps(aligned: Path, tmp_path: Path) -> None:
    text = filter_folder(aligned, None, Watch.quiet())
    kept = re.match(r"(\d+) of 9 faces kept", text)
    assert kept
    assert re.search(r"^yaw +\d+ +\d+$", text, re.MULTILINE)
    assert "eyeglasses: approximated by" in text
    assert max(map(len, text.splitlines())) < 80
    assert list(tmp_path.iterdir()) == []
    count = int(kept[1])
    if count == 0:
        with pytest.raises(InputError, match="no faces to write"):
            filter_folder(aligned, tmp_path / "kept", Watch.quiet())
        return
    assert "kept faces" in filter_folder(aligned, tmp_path / "kept", Watch.quiet())
    assert len(FaceSet.load(tmp_path / "kept")) == count


def test_morphs_are_made_with_a_sheet(aligned: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "m", tmp_path / "sheet.png"
    text = morph_folder(aligned, out, 4, 1, "seamless", sheet, Watch.quiet())
    assert text.splitlines() == [f"4 morphs of 9 faces in {out}", f"contact sheet: {sheet}"]
    assert len(FaceSet.load(out)) == 4
    with Image.open(sheet) as picture:
        assert picture.width > picture.height > 2 * 128  # three beside each other, then one


def test_averages_need_subjects_with_pictures(aligned: Path, tmp_path: Path) -> None:
    text = average_folder(aligned, tmp_path / "a", 3, Watch.quiet())
    assert text == f"averages of 3 subjects (9 pictures) in {tmp_path / 'a'}"
    with pytest.raises(InputError, match=r"has 4 pictures or more \(the most: 3\)"):
        average_folder(aligned, tmp_path / "b", 4, Watch.quiet())


def test_pictures_must_be_aligned_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no aligned faces; make some with: faceleak faces"):
        filter_folder(tmp_path, None, Watch.quiet())
