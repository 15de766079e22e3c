"""Where faces come from; the pictures here are never decoded."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import people as people_module
from audit.config import load_config
from audit.people import People, gather_people, hash_files
from audit.run_folder import RunFolder
from audit.split import quick_subjects, role_of, unit_hash
from audit.watch import Watch
from biometrics.errors import InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import FolderFaces, load_folder_faces


def read_without_looking(
    files: Sequence[Path], out: Path, *, advance: object = None
) -> FolderFaces:
    """A face in each file but in those called ``nobody``."""
    good = [f for f in files if f.stem != "nobody"]
    ids = [f"{f.parent.name}/{f.name}" for f in good]
    table = pd.DataFrame({"face_id": ids, "subject_id": [f.parent.name for f in good]})
    table["n_faces"] = [2 if f.stem == "two" else 1 for f in good]
    crops = np.zeros((len(good), 224, 224, 3), dtype=np.uint8)
    FaceSet(crops, np.zeros((len(good), 68, 2), dtype=np.float32), table).save(out)
    skipped = [(str(f), "no face found") for f in files if f.stem == "nobody"]
    pd.DataFrame(skipped, columns=["path", "reason"], dtype=str).to_parquet(out / "skipped.parquet")
    return load_folder_faces(out)


@pytest.fixture(autouse=True)
def _nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_module, "read_pictures", read_without_looking)


def folder_of(path: Path, names: Sequence[str], pictures: Sequence[str] = ("a", "b")) -> Path:
    for name in names:
        for picture in pictures:
            file = path / name / f"{picture}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{name} {picture}")
    return path


def gather(run: Path, *overrides: str) -> People:
    with RunFolder(run) as folder:
        return gather_people(load_config(overrides=overrides), folder, Watch.quiet())


def roles(people: People) -> dict[str, str]:
    """The role of each subject that has one; nobody has two."""
    found: dict[str, str] = {}
    for role in ("attacker", "threshold", "leaked"):
        for name in people.faces.subject_ids[getattr(people.split, role)]:
            assert found.setdefault(str(name), role) == role
    return found


NAMES = [f"p{number:03d}" for number in range(120)]


def test_one_folder_is_split_by_name(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", NAMES)
    found = gather(tmp_path / "run", f"faces.path={photos}")
    assert roles(found) == {name: role_of(name, seed=7) for name in NAMES}
    assert set(found.inputs) == {"faces"}
    assert not found.generated


def test_a_leaked_picture_under_another_name_is_not_learnt_from(tmp_path: Path) -> None:
    """The same photograph filed under two spellings of a name must not bridge the split."""
    own = folder_of(tmp_path / "own", NAMES[:100])
    leaked = folder_of(tmp_path / "leaked", NAMES[100:])
    stolen = sorted((leaked / NAMES[100]).iterdir())[0]
    (own / "other spelling").mkdir()
    shutil.copy(stolen, own / "other spelling" / stolen.name)
    found = gather(tmp_path / "run", f"faces.attacker={own}", f"faces.leaked={leaked}")
    assert "other spelling" not in roles(found)
    assert found.summary.notes[0].endswith("since they leaked too: 1")


def test_quick_keeps_the_roles_of_those_it_keeps(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", NAMES)
    whole = roles(gather(tmp_path / "whole", f"faces.path={photos}"))
    quick = gather(tmp_path / "quick", f"faces.path={photos}", "quick=true")
    kept = quick_subjects(NAMES, seed=7)
    assert roles(quick) == {name: role for name, role in whole.items() if name in kept}
    assert quick.summary.notes == ["quick: a quarter of the subjects and shorter training"]


def test_with_two_folders_nobody_of_the_leaked_one_is_an_attackers(tmp_path: Path) -> None:
    own = folder_of(tmp_path / "own", NAMES[:100])
    leaked = folder_of(tmp_path / "leaked", NAMES[90:])
    found = gather(tmp_path / "run", f"faces.attacker={own}", f"faces.leaked={leaked}")
    by_name = roles(found)
    assert {name for name, role in by_name.items() if role == "leaked"} == set(NAMES[90:])
    assert found.summary.subjects_in_both == 10
    assert found.summary.n_files == 2 * (90 + 30), "their pictures in the other folder are dropped"
    assert found.summary.leaked.pictures == 2 * 30
    assert set(found.inputs) == {"faces.attacker", "faces.leaked"}
    for name in NAMES[:90]:
        fifth = unit_hash(name, purpose="split", seed=7) < 0.2
        assert by_name[name] == ("threshold" if fifth else "attacker")


def test_what_is_not_used_is_counted(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", NAMES, ("a", "nobody", "two"))
    folder_of(photos, NAMES[:1], [f"more{i}" for i in range(20)])
    leaked_first = role_of(NAMES[0], seed=7) != "attacker"
    summary = gather(tmp_path / "run", f"faces.path={photos}").summary
    assert summary.n_files == 3 * 120 + 20
    assert summary.n_faces == 2 * 120 + 20
    assert summary.skipped == {"no face found": 120}
    assert summary.several_faces == 120
    assert summary.capped == (12 if leaked_first else 0)
    used = summary.attacker.pictures + summary.threshold.pictures + summary.leaked.pictures
    assert used + summary.capped == summary.n_faces


def test_another_seed_moves_people_and_with_them_the_key(tmp_path: Path) -> None:
    """The faces stay, so only this key keeps what was fitted on attackers from being reused."""
    photos = folder_of(tmp_path / "photos", NAMES)
    one = gather(tmp_path / "run", f"faces.path={photos}", "seed=1")
    two = gather(tmp_path / "run", f"faces.path={photos}", "seed=2")
    assert one.faces_key == two.faces_key
    assert one.key != two.key
    assert gather(tmp_path / "run", f"faces.path={photos}", "seed=1").key == one.key


def test_a_changed_picture_changes_the_faces(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", NAMES)
    one = gather(tmp_path / "run", f"faces.path={photos}")
    (photos / NAMES[0] / "a.jpg").write_text("another")
    two = gather(tmp_path / "run", f"faces.path={photos}")
    assert one.faces_key != two.faces_key


def test_the_hash_knows_names_and_contents(tmp_path: Path) -> None:
    def hashed(**contents: str) -> str:
        files = []
        for name, content in contents.items():
            file = tmp_path / name / "x.jpg"
            file.parent.mkdir(exist_ok=True)
            file.write_text(content)
            files.append(file)
        return hash_files(files)

    assert hashed(a="1", b="2") == hashed(a="1", b="2")
    assert len({hashed(a="1", b="2"), hashed(a="2", b="1"), hashed(a="1", c="2")}) == 3
    gone = hash_files([tmp_path / "a" / "none.jpg"])
    assert gone == hash_files([tmp_path / "a" / "none.jpg"]) != hash_files([])


@pytest.mark.parametrize(
    ("names", "overrides", "said"),
    [
        (["one"], (), "too few people: 1 subjects"),
        (NAMES[:3], ("quick=true",), "too few people|quick keeps a quarter"),
        ([], (), "holds no pictures; expected one sub-folder"),
    ],
)
def test_too_few_people_are_refused(
    tmp_path: Path, names: list[str], overrides: tuple[str, ...], said: str
) -> None:
    photos = folder_of(tmp_path / "photos", names)
    photos.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=said):
        gather(tmp_path / "run", f"faces.path={photos}", *overrides)


def test_the_saved_split_can_be_read_again(tmp_path: Path) -> None:
    photos = folder_of(tmp_path / "photos", NAMES)
    found = gather(tmp_path / "run", f"faces.path={photos}")
    table: Any = pd.read_csv(tmp_path / "run" / "split.csv", comment="#", dtype=str)
    for role in ("attacker", "threshold", "leaked"):
        rows = np.flatnonzero(table["role"] == role)
        assert rows.tolist() == getattr(found.split, role).tolist()
    assert table["face_id"].tolist() == found.faces.table["face_id"].tolist()


def test_a_quick_run_of_generated_people_keeps_enough_to_set_thresholds(tmp_path: Path) -> None:
    """A quarter of the demo's threshold subjects would leave no FMR at all."""
    synth = "faces.synth={subjects: 8, attacker_subjects: 80, threshold_subjects: 12, pictures: 1}"
    found = gather(tmp_path / "run", synth, "quick=true")
    summary = found.summary
    counts = [c.subjects for c in (summary.attacker, summary.threshold, summary.leaked)]
    assert counts == [20, 12, 2]
    assert found.generated
    assert summary.generated


def pictured(path: Path, most: int) -> Path:
    """Everybody with two pictures, the first ``most`` of the attackers-to-be with more."""
    photos = folder_of(path, NAMES)
    rich = [name for name in NAMES if role_of(name, seed=7) != "leaked"][:most]
    for i, name in enumerate(rich):
        folder_of(photos, [name], [f"more{j}" for j in range(12 + i)])
    return photos


def test_those_with_the_most_pictures_leak_whatever_the_split_says(tmp_path: Path) -> None:
    photos = pictured(tmp_path / "photos", 5)
    found = gather(tmp_path / "run", f"faces.path={photos}", "faces.leak_most_pictured=5")
    rich = {f.name for f in photos.iterdir() if len(list(f.iterdir())) > 2}
    assert len(rich) == 5
    assert roles(found) == {
        name: "leaked" if name in rich else role_of(name, seed=7) for name in NAMES
    }
    names = found.faces.subject_ids
    for name in rich:
        assert (names[found.split.leaked] == name).sum() == 10
        assert (names[found.split.capped] == name).sum() == (names == name).sum() - 10
    assert not np.isin(names[found.split.attacker], list(rich)).any()
    assert not np.isin(names[found.split.threshold], list(rich)).any()
    assert found.summary.notes == [
        "the 5 people with the most pictures leaked, whatever the split says of them"
    ]


def test_equal_seeds_give_equal_splits_with_them_too(tmp_path: Path) -> None:
    photos = pictured(tmp_path / "photos", 5)
    given = (f"faces.path={photos}", "faces.leak_most_pictured=5")
    one, two = (gather(tmp_path / run, *given, "seed=3") for run in ("one", "two"))
    assert one.key == two.key
    assert one.key != gather(tmp_path / "one", *given, "seed=4").key
    assert one.key != gather(tmp_path / "one", f"faces.path={photos}", "seed=3").key
    assert one.faces_key == gather(tmp_path / "one", f"faces.path={photos}", "seed=3").faces_key


def test_a_quick_run_leaks_those_of_its_quarter(tmp_path: Path) -> None:
    photos = pictured(tmp_path / "photos", 40)
    kept = quick_subjects(NAMES, seed=7)
    found = gather(
        tmp_path / "run", f"faces.path={photos}", "faces.leak_most_pictured=2", "quick=true"
    )
    counts = {name: len(list((photos / name).iterdir())) for name in kept}
    most = sorted(counts, key=lambda name: -counts[name])[:2]
    assert set(roles(found)) == kept
    assert all(roles(found)[name] == "leaked" for name in most)
    assert found.summary.notes == [
        "the 2 people with the most pictures leaked, whatever the split says of them",
        "quick: a quarter of the subjects and shorter training",
    ]


@pytest.mark.parametrize("most", [115, 5000])
def test_more_of_them_than_leave_an_attacker_anybody_are_refused(tmp_path: Path, most: int) -> None:
    photos = folder_of(tmp_path / "photos", NAMES)
    with pytest.raises(InputError, match=r"too few people") as caught:
        gather(tmp_path / "run", f"faces.path={photos}", f"faces.leak_most_pictured={most}")
    message = str(caught.value)
    assert f"{most:,} people were to leak" in message
    assert "set faces.leak_most_pictured lower, in a stress run stress.aggregation" in message
    assert "\n" not in message
