from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.eigenfaces import SPEC
from biometrics.backbones.embed import embed, embed_faces, to_tensor
from biometrics.errors import ConfigError, FaceleakError, InputError
from biometrics.faces.faceset import FaceSet


class Averages(Backbone):
    """Template: the first pixels of the input, times ``factor``."""

    def __init__(self, factor: float = 1.0, *, unit: bool = False) -> None:
        super().__init__(SPEC)
        self.factor, self.unit = factor, unit

    def embed_input(self, inputs: torch.Tensor) -> torch.Tensor:
        vectors = inputs.flatten(1)[:, : SPEC.dim] * self.factor
        return torch.nn.functional.normalize(vectors) if self.unit else vectors


@pytest.fixture
def faces(crops: NDArray[np.uint8]) -> FaceSet:
    table = pd.DataFrame(
        {
            "face_id": [f"f{i}" for i in range(5)],
            "subject_id": ["a", "a", "b", "", "c"],
            "blur": np.arange(5.0),
        },
        index=range(10, 15),
    )
    return FaceSet(crops[:5], np.zeros((5, 68, 2), np.float32), table)


def test_pixels_become_rgb_between_0_and_1() -> None:
    crop = np.zeros((1, 2, 3, 3), np.uint8)
    crop[0, 1, 2] = (255, 51, 0)
    tensor = to_tensor(crop)
    assert tensor.shape == (1, 3, 2, 3)
    assert tensor[0, :, 1, 2].tolist() == pytest.approx([1.0, 0.2, 0.0])
    assert tensor.is_contiguous(memory_format=torch.channels_last)


def test_crops_on_disk_give_the_same_templates(crops: NDArray[np.uint8], tmp_path: Path) -> None:
    np.save(tmp_path / "crops.npy", crops[:5])
    mapped = np.load(tmp_path / "crops.npy", mmap_mode="r")
    backbone = load_backbone("dlib")
    assert np.array_equal(embed(backbone, mapped), embed(backbone, crops[:5]))


def test_progress_counts_every_crop_once(crops: NDArray[np.uint8]) -> None:
    steps: list[int] = []
    embed(Averages(), crops[:7], batch_size=3, advance=steps.append)
    assert steps == [3, 3, 1]


def test_rows_keep_their_order(crops: NDArray[np.uint8]) -> None:
    templates = embed(Averages(), crops[:7], batch_size=2)
    reversed_ = embed(Averages(), crops[6::-1], batch_size=3)
    assert np.array_equal(templates, reversed_[::-1])
    assert not np.array_equal(templates, reversed_)


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_nan_templates_are_refused(factor: float, crops: NDArray[np.uint8]) -> None:
    with pytest.raises(FaceleakError, match="'eigenfaces' gave NaN or infinite templates"):
        embed(Averages(factor), crops[:1])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 224, 224, 3), np.float32),
        np.zeros((1, 3, 224, 224), np.uint8),
        np.zeros((224, 224, 3), np.uint8),
    ],
    ids=["float", "channels first", "no batch"],
)
def test_other_crops_are_refused(wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match=r"uint8 \[N, 224, 224, 3\] RGB, got"):
        embed(Averages(), wrong)


def test_a_face_set_becomes_a_template_set(faces: FaceSet) -> None:
    templates = embed_faces(Averages(), faces)
    assert templates.table["template_id"].tolist() == ["f0", "f1", "f2", "f3", "f4"]
    assert templates.subject_ids.tolist() == ["a", "a", "b", "", "c"]
    assert list(templates.table.columns) == ["template_id", "subject_id"]
    assert templates.backbone == "eigenfaces"
    assert np.array_equal(templates.vectors, embed(Averages(), faces.crops))


def test_whether_templates_are_normalised_is_measured(faces: FaceSet) -> None:
    assert embed_faces(Averages(unit=True), faces).normalised
    assert not embed_faces(Averages(), faces).normalised
    assert not embed_faces(Averages(unit=True), faces.take([])).normalised


def test_bf16_computes_the_layers_in_bf16_and_the_cut_from_the_crop_in_float32(
    crops: NDArray[np.uint8],
) -> None:
    seen: list[tuple[torch.dtype, torch.dtype]] = []

    class Layered(Averages):
        def embed_input(self, inputs: torch.Tensor) -> torch.Tensor:
            made = torch.nn.functional.conv2d(inputs, torch.ones(1, inputs.shape[1], 1, 1))
            seen.append((inputs.dtype, made.dtype))
            return super().embed_input(made.repeat(1, 3, 1, 1))

    backbone = Layered()
    full = embed(backbone, crops[:3])
    half = embed(backbone, crops[:3], precision="bf16")
    assert seen == [(torch.float32, torch.float32), (torch.float32, torch.bfloat16)]
    assert half.dtype == np.float32
    assert 0 < abs(half - full).max() <= 2 * abs(full).max() * 2**-8  # inputs and sum are rounded
    assert not torch.is_autocast_enabled("cpu")


def test_bf16_of_what_pytorch_does_not_compute_is_refused(crops: NDArray[np.uint8]) -> None:
    class Elsewhere(Averages):
        runs_in_torch = False  # type: ignore[assignment]

    with pytest.raises(ConfigError, match="not computed by PyTorch here"):
        embed(Elsewhere(), crops[:1], precision="bf16")
