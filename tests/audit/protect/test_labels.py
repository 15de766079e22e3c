"""Labels of pictures: from a file, from landmarks, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.protect.labels import read_attributes
from audit.protect.settings import ProtectSettings
from biometrics.errors import InputError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.shipped import shipped_model_path
from biometrics.faces.traits import mouth_open


def people() -> Any:
    rng = np.random.default_rng(0)
    shape = AppearanceModel.load(shipped_model_path()).mean_shape
    table = pd.DataFrame({"face_id": ["a/1", "a/2", "b/1"], "subject_id": ["a", "a", "b"]})
    landmarks = shape + rng.normal(size=(3, 68, 2)).astype(np.float32)
    faces = SimpleNamespace(
        table=table, landmarks=landmarks, subject_ids=table["subject_id"].to_numpy(dtype=str)
    )
    return SimpleNamespace(faces=faces)


def test_nothing_is_known_without_labels() -> None:
    assert read_attributes(ProtectSettings(), people()) == {}


def test_landmarks_tell_of_mouth_and_smile() -> None:
    somebody = people()
    found = read_attributes(ProtectSettings(labels="landmarks"), somebody)
    assert set(found) == {"mouth open", "smile"}
    assert np.array_equal(found["mouth open"], mouth_open(somebody.faces.landmarks))


def test_a_file_by_picture_or_by_person(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("template_id,glasses,hat\na/1,yes,0\nb/1,No,1\na/2,true,0\n")
    found = read_attributes(ProtectSettings(labels=file), people())
    assert found["glasses"].tolist() == [True, True, False]
    assert found["hat"].tolist() == [False, False, True]
    file.write_text("subject_id,old\nb,1\na,0\n")
    assert read_attributes(ProtectSettings(labels=file), people())["old"].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("template_id,glasses\na/1,yes\n", "2 of 3 pictures have no 'glasses'"),
        ("subject_id,glasses\na,perhaps\nb,no\n", "must be yes or no .* not 'perhaps'"),
    ],
)
def test_what_is_no_label_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_attributes(ProtectSettings(labels=file), people())
    assert "\n" not in str(caught.value)
