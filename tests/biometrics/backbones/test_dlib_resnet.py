from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import dlib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from biometrics.backbones import dlib_resnet
from biometrics.backbones.base import load_backbone
from biometrics.backbones.dlib_format import Layer, read_layers
from biometrics.backbones.dlib_resnet import (
    CHIP_POINTS,
    SHA256,
    DlibResNet,
    add_zero_filled,
    fill_weights,
    load_dlib,
    packaged_file,
)
from biometrics.backbones.embed import to_tensor
from biometrics.errors import WeightsError
from biometrics.faces.geometry import CANONICAL_POINTS, apply_affine
from tests.biometrics.backbones.pictures import smooth_pictures


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    return read_layers(packaged_file().read_bytes())


def test_it_equals_dlib_on_its_own_chips() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (6, 150, 150, 3), dtype=np.uint8)
    flat = np.stack([np.full((150, 150, 3), grey, np.uint8) for grey in (0, 128, 255, 17)])
    chips = np.concatenate([noise, flat, smooth_pictures(14, size=150)])
    theirs = dlib_descriptors(chips)
    with torch.inference_mode():
        ours = load_backbone("dlib").embed_input(to_tensor(chips)).numpy()
    assert len(chips) == 24
    assert np.ptp(theirs, axis=0).max() > 0.1
    assert abs(ours - theirs).max() <= 1e-5


def dlib_descriptors(chips: NDArray[np.uint8]) -> NDArray[np.float64]:
    model = dlib.face_recognition_model_v1(str(packaged_file()))
    return np.array(model.compute_face_descriptor(list(chips), 0))


def test_the_canonical_points_land_on_the_points_of_dlibs_chip() -> None:
    landed = apply_affine(np.asarray(dlib_resnet.SPEC.crop), CANONICAL_POINTS)
    assert abs(landed - CHIP_POINTS).max() < 0.1


def test_addition_fills_the_smaller_operand_with_zeros() -> None:
    a, b = torch.ones(1, 2, 1, 1), torch.full((1, 1, 2, 2), 10.0)
    expected = torch.tensor([[[[11.0, 10.0], [10.0, 10.0]], [[1.0, 0.0], [0.0, 0.0]]]])
    assert torch.equal(add_zero_filled(a, b), expected)


def test_the_known_file_keeps_its_record() -> None:
    assert load_backbone("dlib").spec.sha256 == SHA256
    by_path = load_backbone("dlib", {"dlib": str(packaged_file())})
    assert by_path.spec == dlib_resnet.SPEC


def test_a_changed_packaged_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    changed = bytearray(packaged_file().read_bytes())
    changed[1000] ^= 1
    (folder / dlib_resnet.FILE_NAME).write_bytes(changed)
    found = ModuleSpec("face_recognition_models", None, is_package=True)
    found.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(dlib_resnet, "find_spec", lambda _name: found)
    with pytest.raises(WeightsError, match=r"not the published .*sha256 .*reinstall"):
        load_backbone("dlib")
    # given as the user's own it loads, but the published terms are not claimed for it
    own = load_backbone("dlib", {"dlib": str(folder / dlib_resnet.FILE_NAME)}).spec
    assert own.licence == "not known"
    assert own.customary_threshold is None
    assert (own.bf16_measured, dlib_resnet.SPEC.bf16_measured) == (False, True)
    assert own.sha256 not in (None, SHA256)


@pytest.mark.parametrize("installed", [True, False])
def test_an_absent_file_says_how_to_get_it(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ModuleSpec("face_recognition_models", None, is_package=True)
    found.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(dlib_resnet, "find_spec", lambda _name: found if installed else None)
    with pytest.raises(WeightsError, match="pip install face_recognition_models"):
        load_backbone("dlib")


def test_an_unreadable_path_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.dat"):
        with pytest.raises(WeightsError, match="cannot be read") as raised:
            load_dlib(path, pinned=False)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"\x01\x05con_4", b"\x00" * 4096])
def test_a_foreign_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.dat"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"foreign\.dat is not a face-recognition ResNet") as e:
        load_dlib(path, pinned=False)
    assert "\n" not in str(e.value)


def test_another_dlib_network_is_refused() -> None:
    detector = packaged_file().with_name("mmod_human_face_detector.dat")
    with pytest.raises(WeightsError, match="is not a face-recognition ResNet of dlib: expected 29"):
        load_dlib(detector, pinned=False)


@pytest.mark.parametrize("cut", [200, 5_000, 1_000_000, 22_400_000])
def test_a_truncated_file_is_refused(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "short.dat"
    path.write_bytes(packaged_file().read_bytes()[:cut])
    with pytest.raises(WeightsError, match=r"short\.dat"):
        load_dlib(path, pinned=False)


def test_layers_of_another_architecture_are_refused(layers: list[Layer]) -> None:
    network = DlibResNet()
    with pytest.raises(WeightsError, match=r"expected 29 convolutions .* 28 con"):
        fill_weights(network, layers[2:])
    with pytest.raises(WeightsError, match="convolution 0: expected"):
        fill_weights(network, [layers[2], *layers[1:]])
    with pytest.raises(WeightsError, match="convolution 0, affine: expected 64"):
        fill_weights(network, [layers[0], layers[-2], *layers[2:]])
    head = Layer("fc", layers[-1].values, (64, 256))
    with pytest.raises(WeightsError, match=r"fc: expected \(128, 256\), got \(64, 256\)"):
        fill_weights(network, [*layers[:-1], head])
    short = Layer("fc", layers[-1].values[:-1], (128, 256))
    with pytest.raises(WeightsError, match="fc, parameters"):
        fill_weights(network, [*layers[:-1], short])


def test_the_inner_stages_are_those_of_the_record() -> None:
    """32, 64, 128 and 256 filters: the output before each halving, at the sizes of 150x150."""
    crops = to_tensor(smooth_pictures(2))
    with torch.inference_mode():
        shapes = [tuple(stage.shape) for stage in load_backbone("dlib").features(crops)]
    assert shapes == [(2, 32, 35, 35), (2, 64, 17, 17), (2, 128, 8, 8), (2, 256, 4, 4)]
