from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from biometrics.backbones import onnx_file
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.backbones.mobilefacenet import MobileFaceNet, load_mobilefacenet
from biometrics.backbones.onnx_file import OnnxModel
from biometrics.errors import ConfigError, WeightsError
from tests.biometrics.backbones.conftest import OWN
from tests.biometrics.backbones.own_models import (
    DIM,
    SIDE,
    export_mobilefacenet,
    tiny_onnx,
    weights_of_tiny,
    write_record,
)

CHECKPOINT = os.environ.get("FACELEAK_MOBILEFACENET")
Tiny = Callable[..., Path]


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """Writes a tiny model and its record: ``record`` changes the one, keywords the other."""

    def write(record: dict[str, Any] | None = None, **graph: Any) -> Path:
        return write_record(tiny_onnx(tmp_path / "model.onnx", **graph), **(record or {}))

    return write


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as raised:
        load_backbone(f"onnx:{path}")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def length(vectors: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(vectors, axis=1).min())


# --- against the network that was exported


@pytest.fixture(scope="module", params=["random", "published"])
def pair(
    request: pytest.FixtureRequest,
    weights: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[MobileFaceNet, OnnxModel]:
    """MobileFaceNet and its own export."""
    if request.param == "random":
        original = load_mobilefacenet(Path(weights["mobilefacenet"]))
        exported = load_backbone(OWN, weights)
    elif CHECKPOINT is None:
        pytest.skip("FACELEAK_MOBILEFACENET is not set")
    else:
        original = load_mobilefacenet(Path(CHECKPOINT))
        path = tmp_path_factory.mktemp("published") / "model.onnx"
        exported = load_backbone(f"onnx:{export_mobilefacenet(original, path)}")
    assert isinstance(exported, OnnxModel)
    return original.requires_grad_(False), exported


def test_both_ways_agree_with_the_exported_network(
    pair: tuple[MobileFaceNet, OnnxModel], crops: NDArray[np.uint8]
) -> None:
    original, exported = pair
    wanted = embed(original, crops[:4])
    by_torch = exported(to_tensor(crops[:4]).requires_grad_()).detach().numpy()
    for made in (embed(exported, crops[:4]), by_torch):
        assert np.abs(made - wanted).max() < 1e-4 * length(wanted)
    assert np.abs(wanted[0] - wanted[1]).max() > 0.01 * length(wanted)
    assert "onnxruntime and onnx2torch agree to" in exported.note


def test_the_gradient_at_the_crop_is_that_of_the_exported_network(
    pair: tuple[MobileFaceNet, OnnxModel], crops: NDArray[np.uint8]
) -> None:
    gradients = []
    for backbone in pair:
        crop = to_tensor(crops[:2]).requires_grad_()
        direction = torch.linspace(-1, 1, backbone.spec.dim)
        (gradient,) = torch.autograd.grad((backbone(crop) @ direction).sum(), crop)
        gradients.append(gradient)
    wanted, made = gradients
    assert float(wanted.norm()) > 0
    assert float((made - wanted).norm() / wanted.norm()) < 1e-3


def test_the_record_of_the_backbone_is_the_users(weights: dict[str, str]) -> None:
    spec = load_backbone(OWN, weights).spec
    assert (spec.name, spec.dim, spec.input_size) == (OWN, 128, (112, 96))
    assert spec.crop == load_mobilefacenet(Path(weights["mobilefacenet"])).spec.crop
    assert spec.sha256 == hashlib.sha256(Path(weights[OWN]).read_bytes()).hexdigest()
    assert spec.origin == "a file of the user's own, exported.onnx"
    assert spec.differentiable


def test_no_gradient_means_onnxruntime(weights: dict[str, str], crops: NDArray[np.uint8]) -> None:
    backbone = load_backbone(OWN, weights)
    assert isinstance(backbone, OnnxModel)
    assert backbone.network is not None
    calls: list[int] = []
    backbone.network.register_forward_hook(lambda *_: calls.append(1))
    embed(backbone, crops[:1])
    with torch.no_grad():
        backbone(to_tensor(crops[:1]).requires_grad_())
    assert not calls
    backbone(to_tensor(crops[:1]).requires_grad_())
    assert calls == [1]
    assert not backbone.runs_in_torch
    with pytest.raises(ConfigError, match=r"not computed by PyTorch here.*use float32"):
        embed(backbone, crops[:1], precision="bf16")


# --- what the network is given, against an independent computation


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize(
    ("pixel_range", "mean", "std"),
    [(1, 0.5, 0.25), (255, [129.0, 105.0, 94.0], [1.0, 2.0, 3.0])],
)
def test_colour_order_range_and_layout(
    tiny: Tiny, layout: str, colour: str, pixel_range: int, mean: Any, std: Any
) -> None:
    size = (3, SIDE, SIDE) if layout == "nchw" else (SIDE, SIDE, 3)
    given = {"layout": layout, "colour": colour, "pixel_range": pixel_range}
    path = tiny({**given, "mean": mean, "std": std}, shape=("n", *size))
    backbone = load_backbone(f"onnx:{path}")
    pixels = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3))  # N H W RGB
    channels = [0, 1, 2] if colour == "rgb" else [2, 1, 0]
    shifts = np.broadcast_to(np.asarray(mean, float), 3)
    scales = np.broadcast_to(np.asarray(std, float), 3)
    planes = [
        (pixels[..., c] * (pixel_range / 255) - shifts[i]) / scales[i]
        for i, c in enumerate(channels)
    ]
    wanted = np.stack(planes, axis=1 if layout == "nchw" else -1).reshape(2, -1)
    inputs = torch.from_numpy(pixels / 255.0).float().permute(0, 3, 1, 2)
    expected = wanted @ weights_of_tiny().astype(float)
    for asked in (False, True):
        made = backbone.embed_input(inputs.clone().requires_grad_(asked)).detach().numpy()
        assert made == pytest.approx(expected, rel=1e-4, abs=1e-4 * np.abs(expected).max())


def test_unit_brings_templates_to_length_one(tiny: Tiny, crops: NDArray[np.uint8]) -> None:
    plain = embed(load_backbone(f"onnx:{tiny()}"), crops[:3])
    unit = embed(load_backbone(f"onnx:{tiny({'unit': True, 'threshold': 0.4})}"), crops[:3])
    assert np.abs(np.linalg.norm(plain, axis=1) - 1).min() > 0.01
    assert unit == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-6)


def test_a_batch_that_is_fixed_at_one_is_fed_one_by_one(
    tiny: Tiny, crops: NDArray[np.uint8]
) -> None:
    free = embed(load_backbone(f"onnx:{tiny()}"), crops[:3])
    fixed = load_backbone(f"onnx:{tiny(shape=(1, 3, SIDE, SIDE))}")
    assert embed(fixed, crops[:3]) == pytest.approx(free, abs=1e-6)
    by_torch = fixed(to_tensor(crops[:3]).requires_grad_()).detach().numpy()
    assert by_torch == pytest.approx(free, abs=1e-5)
    assert embed(fixed, crops[:0]).shape == (0, DIM)


# --- gradients that cannot be had, or would be wrong


def test_an_operator_that_cannot_be_converted_costs_only_the_gradient(
    tiny: Tiny, crops: NDArray[np.uint8]
) -> None:
    backbone = load_backbone(f"onnx:{tiny(extra='Hardmax')}")
    assert not backbone.spec.differentiable
    assert "no gradient: onnx2torch cannot convert it (NotImplementedError: " in backbone.note
    assert "Hardmax" in backbone.note
    assert embed(backbone, crops[:2]).shape == (2, DIM)
    with pytest.raises(ConfigError, match="gives no gradient: onnx2torch cannot convert"):
        backbone(to_tensor(crops[:1]).requires_grad_())


def test_two_ways_that_disagree_are_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    true = onnx_file.to_torch

    class Off(nn.Module):
        def __init__(self, network: nn.Module, by: float) -> None:
            super().__init__()
            self.network, self.by = network, by

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.network(x)
            return made * (1 + self.by)

    monkeypatch.setattr(onnx_file, "to_torch", lambda model: Off(true(model), 0.01))
    assert "onnxruntime and onnx2torch disagree by" in refusal(tiny())
    monkeypatch.setattr(onnx_file, "to_torch", lambda model: Off(true(model), 1e-4))
    assert "agree to" in load_backbone(f"onnx:{tiny()}").note


# --- files that do not fit


def test_a_template_of_another_length_is_refused(tiny: Tiny) -> None:
    assert f"gives [3, {DIM}] for 3 faces, its record says dim: 6" in refusal(tiny({"dim": 6}))


def test_an_input_of_another_shape_is_refused(tiny: Tiny) -> None:
    text = refusal(tiny({"layout": "nhwc"}))
    assert f"takes tensor(float) ['n', 3, {SIDE}, {SIDE}], its record says" in text
    assert f"[N, {SIDE}, {SIDE}, 3]" in text
    assert "its record says" in refusal(tiny({"input": {"height": SIDE, "width": SIDE + 1}}))
    assert "takes 4 faces at a time" in refusal(tiny(shape=(4, 3, SIDE, SIDE)))


def test_several_outputs_are_refused(tiny: Tiny) -> None:
    text = refusal(tiny(outputs=("template", "second")))
    assert "expected one input and one output, got ['face'] and ['template', 'second']" in text


def test_weights_in_another_file_are_refused(tiny: Tiny) -> None:
    path = tiny()
    model = onnx.load(str(path))
    onnx.save_model(
        model, str(path), save_as_external_data=True, location="model.bin", size_threshold=0
    )
    assert "keeps its weights in another file" in refusal(path)


@pytest.mark.parametrize("keep", [0, 1, 40, -200])
def test_a_damaged_file_is_refused(tiny: Tiny, keep: int) -> None:
    path = tiny()
    path.write_bytes(path.read_bytes()[:keep])
    assert str(path) in refusal(path)


def test_what_is_no_onnx_file_is_refused(tiny: Tiny) -> None:
    path = tiny()
    path.write_bytes(b"\x89PNG\r\n\x1a\n and so on")
    assert str(path) in refusal(path)


def test_an_absent_file_is_named_before_its_record(tmp_path: Path) -> None:
    assert "model.onnx" in refusal(tmp_path / "model.onnx")
    assert "no such file" in refusal(tmp_path / "model.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_an_absent_package_is_named(
    tiny: Tiny, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny()
    monkeypatch.setitem(sys.modules, package, None)
    assert refusal(path) == f"package {package} is not installed: pip install {package}"


def test_without_onnx2torch_only_the_gradient_is_missing(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx2torch", None)
    backbone: Backbone = load_backbone(f"onnx:{tiny()}")
    assert not backbone.spec.differentiable
    assert "onnx2torch" in backbone.note
