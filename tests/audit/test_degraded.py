"""Templates of degraded pictures: what may be asked for, and that only what leaked is degraded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from audit.degraded import Leaked, LeakSettings, leaked_templates
from audit.run_folder import RunFolder
from audit.watch import Watch
from biometrics.backbones.base import Backbone, BackboneSpec
from biometrics.backbones.embed import embed_faces
from biometrics.faces.degrade import Occlusion, degrade
from biometrics.faces.faceset import FaceSet
from tests.biometrics.faces.drawn import random_faces

ROWS = np.array([1, 4, 5])


class Colours(Backbone):
    """Mean colours of the picture's four quarters."""

    def __init__(self) -> None:
        super().__init__(
            BackboneSpec(
                name="colours",
                dim=12,
                input_size=(224, 224),
                crop=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
                similarity="l2",
                licence="none",
                origin="a test",
                sha256=None,
                differentiable=True,
                may_be_unseen_judge=True,
                customary_threshold=None,
            )
        )

    def embed_input(self, inputs: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(inputs, 2).flatten(1)


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return random_faces(3, 2)


class Audit:
    """As much of an audit as the stage needs; it may be run again in the same folder."""

    def __init__(self, faces: FaceSet, folder: Path) -> None:
        self.folder, self.backbone = folder, Colours()
        self.templates = embed_faces(self.backbone, faces)
        split = SimpleNamespace(leaked=ROWS)
        self.people: Any = SimpleNamespace(faces=faces, split=split, key="people")

    def run(self, **leak: Any) -> Leaked:
        with RunFolder(self.folder) as run:
            return leaked_templates(
                LeakSettings(**leak),
                {"colours": self.backbone, "borrowed": self.backbone},
                {"colours": self.templates},
                {"colours": "templates"},
                self.people,
                run,
                Watch.quiet(),
            )

    @property
    def stages(self) -> list[str]:
        return sorted(p.parent.name for p in self.folder.rglob("stage.json"))


@pytest.fixture
def audit(faces: FaceSet, tmp_path: Path) -> Audit:
    return Audit(faces, tmp_path / "run")


def test_clean_pictures_need_no_stage(audit: Audit) -> None:
    leaked = audit.run()
    assert leaked.keys == {}
    assert list(leaked.vectors) == ["colours"]
    assert np.array_equal(leaked.vectors["colours"], audit.templates.vectors[ROWS])
    assert audit.stages == []


@pytest.mark.parametrize(
    "leak", [{"occlude": "eyes"}, {"resolution": 16}, {"occlude": "mouth", "resolution": 30}]
)
def test_what_leaked_are_the_templates_of_the_degraded_pictures(
    audit: Audit, faces: FaceSet, leak: dict[str, Any]
) -> None:
    leaked = audit.run(**leak)
    assert audit.stages == ["colours"]  # a model that is no judge embeds nothing
    some = faces.take(ROWS)
    expected = embed_faces(
        audit.backbone, FaceSet(degrade(some.crops, some.landmarks, **leak), *clean(some))
    )
    np.testing.assert_allclose(leaked.vectors["colours"], expected.vectors, atol=1e-6)
    assert not np.allclose(expected.vectors, audit.templates.vectors[ROWS], atol=1e-6)


def clean(faces: FaceSet) -> tuple[Any, Any]:
    return faces.landmarks, faces.table


def test_a_finished_stage_is_used_again_until_the_pictures_degrade_otherwise(
    audit: Audit,
) -> None:
    one = audit.run(occlude="eyes")
    stamp = next(audit.folder.rglob("templates.parquet")).stat().st_mtime_ns
    again = audit.run(occlude="eyes")
    assert next(audit.folder.rglob("templates.parquet")).stat().st_mtime_ns == stamp
    assert again.keys == one.keys
    other = audit.run(occlude="mouth")
    assert other.keys != one.keys
    assert not np.array_equal(other.vectors["colours"], one.vectors["colours"])
    assert audit.run(occlude="mouth", resolution=50).keys != other.keys


@pytest.mark.parametrize(
    "leak", [{"occlude": "nose"}, {"resolution": 3}, {"resolution": 224}, {"blur": 2}]
)
def test_other_settings_are_refused(leak: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LeakSettings(**leak)


def test_the_note_says_what_had_happened() -> None:
    assert LeakSettings().clean
    assert LeakSettings().note() == ""
    both = LeakSettings(occlude="eyes", resolution=32)
    assert not both.clean
    assert "(a grey block over the eyes and 32 px instead of 224)" in both.note()
    assert not LeakSettings(resolution=32).clean
    assert "(32 px instead of 224)" in LeakSettings(resolution=32).note()


def test_every_part_that_can_be_covered_can_be_asked_for() -> None:
    field = LeakSettings.model_fields["occlude"].annotation
    assert get_args(field) == get_args(Occlusion)
