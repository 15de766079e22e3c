"""``faceleak doctor``: what an installation can do, for people and for machines."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from audit import doctor
from audit.backbone_check import Check, Outcome
from audit.doctor import OFFLINE, check_record, show_check
from audit.synthesis import generate_faces
from biometrics.backbones.base import BACKBONES
from biometrics.errors import FaceleakError
from biometrics.faces.faceset import FaceSet
from biometrics.metrics.intervals import Interval
from tests.audit.conftest import Faceleak

DECLARED = Outcome("as declared", None, tmr=Interval(0.931, 0.9, 0.96, 80), separation=2.9)
BGR = Outcome(
    "with BGR",
    "colour order",
    tmr=Interval(0.97, 0.95, 0.99, 80),
    gain=Interval(0.039, 0.012, 0.07, 80),
    separation=12.34,
    further=Interval(9.44, 8.1, 10.2, 80),
    better="TMR",
)
BROKEN = Outcome("moved right by 10 %", "crop", why_not="gave NaN")
CHECK = Check("mine", 0.01, 80, 240, (DECLARED, BGR, BROKEN))


def test_all_sections_stand_in_80_columns(faceleak: Faceleak) -> None:
    before = sorted(Path.home().parent.rglob("*"))
    ended = faceleak("doctor")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    for heading in ("Versions", "Machine", "Backbones", "Weight files", "Folders", "Network"):
        assert heading in lines
    folders = lines[lines.index("Folders") + 1 : lines.index("Network") - 1]
    assert [line.split()[0] for line in folders] == ["cache", "weights", "runs"]
    assert all("made when needed" in line for line in folders)
    assert max(len(line) for line in lines if line not in folders) <= 80
    assert lines[-1] == OFFLINE
    assert sorted(Path.home().parent.rglob("*")) == before, "it only looks"


def test_machines_get_the_same(faceleak: Faceleak) -> None:
    found = json.loads(faceleak("doctor", "--json").out)
    assert list(found["versions"])[:2] == ["faceleak", "python"]
    assert all(found["versions"][name] for name in ("torch", "numpy", "opencv", "dlib"))
    assert found["threads"] >= 1
    ready = {line["name"]: line["ready"] for line in found["backbones"]}
    assert ready["dlib"] is True
    assert ready["mobilefacenet"] is False
    assert {line["state"] for line in found["weights"]} == {"missing"}
    assert found["network"] == OFFLINE


def test_folders_are_tried(
    faceleak: Faceleak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("runs").mkdir()
    Path("file").touch()
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(Path("file").absolute()))
    monkeypatch.setenv("FACELEAK_WEIGHTS_DIR", str(Path("file/below").absolute()))
    found = json.loads(faceleak("doctor", "--json").out)["folders"]
    states = {line["name"]: line["state"] for line in found}
    assert states == {"cache": "not writable", "weights": "not writable", "runs": "writable"}


def test_a_missing_package_is_said(faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {"onnxruntime": ("no-such-distribution",)})
    assert "onnxruntime missing" in faceleak("doctor").out


def test_a_broken_plug_in_does_not_end_it(
    faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise FaceleakError("the backbone plug-in 'x' cannot be loaded")

    monkeypatch.setattr(BACKBONES, "names", fail)
    ended = faceleak("doctor")
    assert ended.code == 0
    assert "the backbone plug-in 'x' cannot be loaded" in ended.out


# --- the check of a backbone


def test_the_verdict_and_the_table_fit_80_columns() -> None:
    out = io.StringIO()
    show_check(CHECK, Console(file=out, width=80, highlight=False))
    lines = out.getvalue().splitlines()
    assert lines[0] == "mine: TMR .93 as declared, .97 with BGR: check the colour order"
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if line.startswith("with BGR")]
    assert row.split("  ")[1:] != []
    assert "0.970 [0.950, 0.990]" in row
    assert "+0.039 [+0.012, +0.070]" in row
    assert row.split()[-2:] == ["12.34", "TMR"]
    assert any("moved right" in line and "not measured" in line for line in lines)


def test_its_record() -> None:
    record = check_record(CHECK)
    assert (record["suspect"], record["check"]) == ("with BGR", "colour order")
    assert record["outcomes"][1]["tmr"] == {"value": 0.97, "low": 0.95, "high": 0.99, "n": 80}
    assert record["outcomes"][1]["separation_gain"]["low"] == 8.1
    assert record["outcomes"][1]["better_by"] == "TMR"
    assert record["outcomes"][2]["not_measured"] == "gave NaN"
    assert record["outcomes"][2]["separation"] is None
    sound = Check("mine", 0.01, 80, 240, (DECLARED, BROKEN))
    assert sound.verdict == "as declared is best: .93"
    assert check_record(sound)["suspect"] is None


def test_a_difference_that_is_not_certain_is_not_told_as_one() -> None:
    maybe = replace(BGR, gain=Interval(0.04, -0.01, 0.07, 80), better=None)
    check = Check("mine", 0.01, 80, 240, (DECLARED, maybe))
    assert check.verdict == "TMR .93 as declared: no difference that can be told"


def test_the_tmr_speaks_before_the_separation() -> None:
    apart = replace(BGR, name="enlarged by 1.25", point="crop", separation=20.0)
    apart = replace(apart, better="separation")
    check = Check("mine", 0.01, 80, 240, (DECLARED, apart, BGR))
    assert check.suspect == BGR
    check = Check("mine", 0.01, 80, 240, (DECLARED, apart, BROKEN))
    assert check.verdict == (
        "TMR .93 as declared, .97 enlarged by 1.25, but separation 20.0, not 2.9: check the crop"
    )


def test_people_are_chosen_by_their_names_those_with_two_pictures_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "SUBJECTS", 2)
    monkeypatch.setattr(doctor, "PICTURES", 2)
    assert doctor._chosen(["a", "b", "b", "b", "c", "d", "d"]) == [1, 2, 5, 6]


@pytest.mark.parametrize("kind", ["pictures", "aligned"])
def test_a_folder_is_checked(
    kind: str, faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[FaceSet] = []

    def check(_backbone: object, faces: FaceSet, **_: object) -> Check:
        seen.append(faces)
        return CHECK

    monkeypatch.setattr(doctor, "check_backbone", check)
    if kind == "aligned":
        Path("faces").mkdir()
        generate_faces(2, 2, 1).save(Path("faces"))
    else:
        faceleak("faces", "synth", "--subjects", 2, "--pictures", 2, "-o", "faces")
    argv = ("doctor", "--backbone", "dlib", "--faces", "faces")
    ended = faceleak(*argv)
    assert (ended.code, "check the colour order" in ended.out) == (0, True)
    assert json.loads(faceleak(*argv, "--json").out) == check_record(CHECK)
    assert len(seen[0]) == 4 or kind == "pictures"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("--backbone dlib --faces nowhere", "no such folder: nowhere"),
        ("--backbone dlip --faces two", "did you mean 'dlib'"),
        ("--backbone dlib --faces two", "2 people are too few to measure a TMR"),
        ("--weights dlib", "--weights takes NAME=PATH"),
    ],
)
def test_bad_input_is_one_line(argv: str, said: str, faceleak: Faceleak) -> None:
    Path("two").mkdir()
    generate_faces(2, 1, 1).save(Path("two"))
    ended = faceleak("doctor", *argv.split())
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.error


@pytest.mark.parametrize("argv", ["--backbone dlib", "--faces x"])
def test_a_check_needs_both(argv: str, faceleak: Faceleak) -> None:
    ended = faceleak("doctor", *argv.split())
    assert ended.code == 2
    assert "--backbone and --faces go together" in ended.err
