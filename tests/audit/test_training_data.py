from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from audit.synthesis import generate_faces
from audit.training_data import build_training_faces, sampled_faces
from audit.training_settings import TrainingSettings
from biometrics.errors import InputError
from biometrics.faces import morph
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet
from biometrics.faces.filter_settings import RULES, FilterSettings
from biometrics.faces.shipped import shipped_model_path

NO_RULES = dict.fromkeys(RULES, False)


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return AppearanceModel.load(shipped_model_path())


@pytest.fixture(scope="module")
def faces(model: AppearanceModel) -> FaceSet:
    return generate_faces(4, 3, 5, model=model)


@pytest.fixture(autouse=True)
def quick_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compositor has tests of its own and takes a second to factorise."""
    monkeypatch.setattr(morph, "make_compositor", lambda *_: lambda face, background: face)


def test_all_kinds_in_one_set(faces: FaceSet, model: AppearanceModel, tmp_path: Path) -> None:
    settings = TrainingSettings(averages=True, morphs=5, samples=3)
    seen: list[int] = []
    made = build_training_faces(faces, settings, model, 1, tmp_path, seen.append)
    origins = made.table["origin"].tolist()
    assert origins == ["photograph"] * 12 + ["average"] * 4 + ["morph"] * 5 + ["sample"] * 3
    np.testing.assert_array_equal(made.crops[:12], faces.crops)
    assert made.subject_ids[12:16].tolist() == sorted(set(faces.subject_ids))
    assert set(made.table["parent_a"][16:21]) <= set(made.table["face_id"][12:16])
    assert made.table["face_id"].is_unique
    assert isinstance(made.crops, np.memmap)
    assert sum(seen) == 12 + len(made)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"crops.npy", "landmarks.npy", "faces.parquet"}


def test_the_seed_makes_the_faces(faces: FaceSet, model: AppearanceModel, tmp_path: Path) -> None:
    settings = TrainingSettings(morphs=4, samples=2)
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        made.append(build_training_faces(faces, settings, model, seed, tmp_path / name))
    assert (made[0].crops == made[1].crops).all()
    for row in range(12, 18):  # each morph and each sample
        assert (made[0].crops[row] != made[2].crops[row]).any()


def test_samples_alone_need_no_photograph(
    faces: FaceSet, model: AppearanceModel, tmp_path: Path
) -> None:
    settings = TrainingSettings(samples=2, only_samples=True)
    made = build_training_faces(faces, settings, model, 1, tmp_path)
    assert made.table["origin"].tolist() == ["sample"] * 2


def test_the_filter_is_recorded(faces: FaceSet, model: AppearanceModel, tmp_path: Path) -> None:
    settings = TrainingSettings(filter=FilterSettings(**{**NO_RULES, "yaw": True}))  # type: ignore[arg-type]
    made = build_training_faces(faces, settings, model, 1, tmp_path)
    record = json.loads((tmp_path / "filter.json").read_text())
    dropped = {rule["name"]: rule["dropped"] for rule in record["rules"]}
    assert (record["faces"], record["kept"]) == (12, len(made))
    assert dropped["yaw"] == 12 - len(made)
    assert dropped["pitch"] is None
    assert 0 < len(made) < 12


def test_a_filter_that_keeps_nothing_says_which_rule(
    faces: FaceSet, model: AppearanceModel, tmp_path: Path
) -> None:
    rules = FilterSettings(**{**NO_RULES, "blurred": True}, min_sharpness=1e9)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"keeps none of 12 faces \(blurred alone drops 12\)"):
        build_training_faces(faces, TrainingSettings(filter=rules), model, 1, tmp_path)
    assert not (tmp_path / ".averages").exists()


def test_the_first_samples_do_not_depend_on_their_number(model: AppearanceModel) -> None:
    few = next(sampled_faces(model, 2, 2, 9))
    many = list(sampled_faces(model, 65, 2, 9))
    assert [len(batch) for batch in many] == [128, 2]
    np.testing.assert_array_equal(few.crops, many[0].crops[:4])
    assert few.table["face_id"].tolist()[1:3] == ["sample-000001/2", "sample-000002/1"]
    assert many[1].subject_ids.tolist() == ["sample-000065"] * 2
    assert (many[1].crops[0] != many[0].crops[0]).any()
    assert list(sampled_faces(model, 0, 1, 9)) == []


def test_settings_that_contradict_are_refused() -> None:
    with pytest.raises(ValidationError, match="only_samples needs samples"):
        TrainingSettings(only_samples=True)
    with pytest.raises(ValidationError, match="uses no photograph"):
        TrainingSettings(only_samples=True, samples=5, morphs=1)
    with pytest.raises(ValidationError, match="morhps"):
        TrainingSettings.model_validate({"morhps": 1})


def test_the_filter_is_a_switch_or_thresholds() -> None:
    assert TrainingSettings().filter_settings is None
    assert TrainingSettings().plain
    assert TrainingSettings(filter=True).filter_settings == FilterSettings()
    given = TrainingSettings.model_validate({"filter": {"max_angle": 9}})
    assert given.filter_settings == FilterSettings(max_angle=9)
    assert not given.plain
    assert TrainingSettings.model_validate(given.model_dump(mode="json")) == given
