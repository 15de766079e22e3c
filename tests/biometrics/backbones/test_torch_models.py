"""TorchScript files and Python modules of a user's own."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn

from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.errors import ConfigError, WeightsError
from tests.biometrics.backbones.own_models import (
    DIM,
    RECORD,
    SIDE,
    weights_of_tiny,
    write_record,
)


class Tiny(nn.Module):
    """The tiny ONNX model again."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.from_numpy(weights_of_tiny()))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.matrix


class Steps(Tiny):
    """Its templates are whole numbers: no gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).round()


class Detached(Tiny):
    """No gradient either, and PyTorch says so."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


def script(network: nn.Module, path: Path, **record: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the format is old
        traced = torch.jit.trace(network.eval(), torch.zeros(2, 3, SIDE, SIDE))
        torch.jit.save(traced, str(path))
    return write_record(path, **record)


def expected(backbone: Backbone, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(x - 0.5) / 0.25 times the matrix, apart from the backbone's own code."""
    inputs = backbone.to_input(to_tensor(crops)).numpy()
    made: NDArray[np.float32] = (inputs * 4 - 2).reshape(len(crops), -1) @ weights_of_tiny()
    return made


def has_gradient(backbone: Backbone, crops: NDArray[np.uint8]) -> bool:
    crop = to_tensor(crops[:1]).requires_grad_()
    (gradient,) = torch.autograd.grad(backbone(crop).square().sum(), crop)
    return bool(gradient.any())


def refusal(name: str, weights: dict[str, str] | None = None) -> str:
    with pytest.raises(WeightsError) as raised:
        load_backbone(name, weights)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# --- torchscript:FILE


def test_a_torchscript_file_is_a_backbone(tmp_path: Path, crops: NDArray[np.uint8]) -> None:
    path = script(Tiny(), tmp_path / "model.pt")
    backbone = load_backbone(f"torchscript:{path}")
    assert embed(backbone, crops[:3]) == pytest.approx(expected(backbone, crops[:3]), abs=1e-4)
    assert backbone.spec.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert backbone.spec.differentiable
    assert has_gradient(backbone, crops)
    with pytest.raises(ConfigError, match="shows no inner layers"):
        backbone.features(to_tensor(crops[:1]))


@pytest.mark.parametrize("network", [Steps, Detached])
def test_a_model_without_a_gradient_says_so(network: type[nn.Module], tmp_path: Path) -> None:
    backbone = load_backbone(f"torchscript:{script(network(), tmp_path / 'model.pt')}")
    assert not backbone.spec.differentiable
    assert backbone.note.startswith("no gradient: ")


def test_a_torchscript_file_that_is_not_usable_is_refused(tmp_path: Path) -> None:
    path = script(Tiny(), tmp_path / "model.pt", dim=DIM + 1)
    assert f"gives [3, {DIM}] for 3 faces, its record says dim: {DIM + 1}" in refusal(
        f"torchscript:{path}"
    )
    path.write_bytes(path.read_bytes()[:100])
    assert "is no TorchScript file" in refusal(f"torchscript:{path}")
    path.with_suffix(".yaml").unlink()
    assert "the record" in refusal(f"torchscript:{path}")
    assert "no such file" in refusal(f"torchscript:{tmp_path / 'nothing.pt'}")


# --- module:package.attr


SOURCE = f"""\
import torch
from torch import nn

class Network(nn.Module):
    faceleak_record = {dict(RECORD)!r}

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.convolve = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.again = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.last = nn.Linear(8 * 16, {DIM})

    def forward(self, x):
        return self.last(torch.relu(self.again(torch.relu(self.convolve(x)))).flatten(1))

def without_record():
    return Network()

def no_module():
    return 1
no_module.faceleak_record = Network.faceleak_record

def broken():
    raise RuntimeError("no\\nmemory")
broken.faceleak_record = Network.faceleak_record

ready = Network()
misspelt = Network()
misspelt.faceleak_record = {{**Network.faceleak_record, "color": "rgb"}}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that can be imported, under a name of its own."""
    name = "own_model_under_test"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


@pytest.mark.parametrize("attribute", ["Network", "ready"])
def test_python_code_is_a_backbone(package: str, attribute: str, crops: NDArray[np.uint8]) -> None:
    backbone = load_backbone(f"module:{package}.{attribute}")
    own = getattr(sys.modules[package], attribute)
    own = own() if isinstance(own, type) else own
    inputs = backbone.to_input(to_tensor(crops[:3])) * 4 - 2
    with torch.inference_mode():
        wanted = own.eval()(inputs).numpy()
    assert embed(backbone, crops[:3]) == pytest.approx(wanted, abs=1e-5)
    assert has_gradient(backbone, crops)
    assert all(parameter.requires_grad for parameter in own.parameters())
    stages = backbone.features(to_tensor(crops[:2]))
    assert [tuple(stage.shape) for stage in stages] == [(2, 8, 8, 8), (2, 8, 4, 4)]


def test_its_hash_follows_weights_and_source(package: str, tmp_path: Path) -> None:
    first = load_backbone(f"module:{package}.ready").spec.sha256
    assert load_backbone(f"module:{package}.ready").spec.sha256 == first
    with torch.no_grad():
        sys.modules[package].ready.last.bias[0] += 1  # type: ignore[attr-defined]
    second = load_backbone(f"module:{package}.ready").spec.sha256
    (tmp_path / f"{package}.py").write_text(SOURCE + "# changed\n")
    third = load_backbone(f"module:{package}.ready").spec.sha256
    assert len({first, second, third}) == 3


def test_a_yaml_record_in_weights_serves_too(package: str, tmp_path: Path) -> None:
    name = f"module:{package}.without_record"
    text = refusal(name)
    assert "has no record: give it the attribute faceleak_record, or name a YAML" in text
    assert text.endswith(f"as weights.{name}")
    record = tmp_path / "record.yaml"
    record.write_text(yaml.safe_dump(dict(RECORD)))
    assert load_backbone(name, {name: str(record)}).spec.dim == DIM


def test_code_that_gives_no_model_is_refused(package: str) -> None:
    assert "() gave int, expected a torch.nn.Module" in refusal(f"module:{package}.no_module")
    assert "() failed: RuntimeError: no" in refusal(f"module:{package}.broken")
    assert "unknown key 'color' (did you mean 'colour'?)" in refusal(f"module:{package}.misspelt")
    assert "has no 'reddy' (did you mean 'ready'?)" in refusal(f"module:{package}.reddy")
    assert "cannot be imported: ModuleNotFoundError" in refusal("module:no_such_package.x")
    assert "expected module:package.attr" in refusal("module:alone")
