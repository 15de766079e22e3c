from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from biometrics.backbones.base import BACKBONES, Backbone, Fittable, load_backbone
from biometrics.backbones.mobilefacenet import MobileFaceNet, load_mobilefacenet
from biometrics.backbones.state import environment_name
from tests.biometrics.backbones.own_models import export_mobilefacenet
from tests.biometrics.backbones.pictures import smooth_pictures
from tests.biometrics.backbones.published import State, published_files
from tests.one_thread import one_thread  # noqa: F401

OWN = "onnx:exported"
"""The network of MobileFaceNet again, as somebody's own file."""

ADAPTER = f"adapter:{OWN}->mobilefacenet"
"""Between two that agree: of random weights, few pictures would give hardly more than the mean."""


@pytest.fixture(autouse=True)
def no_weights_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint in the environment or among the pulled ones must not change what a test sees."""
    for name in BACKBONES.names():
        monkeypatch.delenv(environment_name(name), raising=False)
    monkeypatch.setenv("FACELEAK_WEIGHTS_DIR", "/nowhere")


@pytest.fixture(scope="session")
def crops() -> NDArray[np.uint8]:
    return smooth_pictures(24)


@pytest.fixture(scope="session")
def random_state(crops: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
    """MobileFaceNet's tensors with random weights, and the batch statistics that belong to them."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = MobileFaceNet()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, std=0.3)
                module.momentum = None  # plain average: after one batch, that batch's statistics
        with torch.no_grad():
            network.train()(torch.from_numpy(crops).permute(0, 3, 1, 2) / 255.0)
    return {key: value.clone() for key, value in network.state_dict().items()}


@pytest.fixture(scope="session")
def weights(
    tmp_path_factory: pytest.TempPathFactory,
    crops: NDArray[np.uint8],
    random_state: dict[str, torch.Tensor],
) -> dict[str, str]:
    """Weights for every backbone that ships: random, or fitted on generated pictures; and for
    one of the user's own."""
    folder: Path = tmp_path_factory.mktemp("weights")
    checkpoint = folder / "mobilefacenet.ckpt"
    torch.save({"epoch": 0, "net_state_dict": random_state}, checkpoint)
    network = load_mobilefacenet(checkpoint)
    paths = {
        "mobilefacenet": str(checkpoint),
        OWN: str(export_mobilefacenet(network, folder / "exported.onnx")),
        **published_files(folder, crops),
    }
    people = np.array([f"p{i}" for i in range(len(crops))])
    for number, name in enumerate([*BACKBONES.names(), ADAPTER]):
        factory = BACKBONES.get(name)
        if isinstance(factory, Fittable):
            file = folder / f"fitted-{number}.safetensors"
            factory.fit(crops, file, subjects=people, weights=paths)
            paths[name] = str(file)
    return paths


@pytest.fixture(scope="module")
def backbone(request: pytest.FixtureRequest, weights: dict[str, str]) -> Backbone:
    """The backbone that a test module is about, its ``NAME``."""
    return load_backbone(request.module.NAME, weights)


@pytest.fixture(scope="module")
def state(request: pytest.FixtureRequest, weights: dict[str, str]) -> State:
    """What the weight file of the module's ``NAME`` holds."""
    loaded: State = torch.load(weights[request.module.NAME], weights_only=True)
    return loaded
