"""``faceleak faces``: align a folder, make people who do not exist."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from PIL import Image

from audit.faces_tools import contact_sheet
from audit.synthesis import generate_faces
from biometrics.errors import WeightsError
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
    monkeypatch.setattr("audit.synthesis.SHIPPED_MODEL", "gone.safetensors")
    with pytest.raises(WeightsError, match=r"lacks gone\.safetensors; install faceleak again"):
        generate_faces(1, 1, seed=1)
    ended = faceleak("faces", "synth", "--subjects", 2, "--out", "p")
    assert "lacks gone.safetensors" in ended.error
    assert not Path("p").exists()
