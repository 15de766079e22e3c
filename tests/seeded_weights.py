"""Weight files in their makers' formats and with their makers' keys, but random numbers.

What the metrics do not use (the classifiers, most of a file) is stored as one number spread over
the right shape, so that a file of half a gigabyte takes 59 MB.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from biometrics import weights
from biometrics.metrics.inception import _empty_network
from biometrics.weights_pull import MIRROR_VARIABLE

Change = Callable[[dict[str, Tensor]], None]


def trunk_state(constructor: str, seed: int) -> dict[str, Tensor]:
    """The state of a torchvision classifier with random convolutions."""
    import torchvision

    with torch.device("meta"):
        network = getattr(torchvision.models, constructor)(weights=None)
    return _random(network, seed, unused="classifier")


def inception_state(seed: int) -> dict[str, Tensor]:
    """The state of pytorch-fid's network, batch statistics away from 0 and 1."""
    return _random(_empty_network(), seed, unused="fc.")


def _random(network: nn.Module, seed: int, unused: str) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in network.state_dict().items():
        shape = tuple(value.shape)
        if key.startswith(unused):
            state[key] = torch.zeros(1).expand(shape)
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(0)
        elif len(shape) == 4:
            spread = (2.0 / (shape[1] * shape[2] * shape[3])) ** 0.5
            state[key] = torch.randn(shape, generator=draw) * spread
        elif key.endswith(("running_var", "bn.weight")):
            state[key] = 0.8 + 0.4 * torch.rand(shape, generator=draw)
        else:
            state[key] = 0.1 * torch.randn(shape, generator=draw)
    return state


class WeightsFolder:
    """A folder of known weights in which the hashes are those of what was put there."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self._monkeypatch = path, monkeypatch
        monkeypatch.setenv(weights.FOLDER_VARIABLE, str(path))
        monkeypatch.delenv(MIRROR_VARIABLE, raising=False)

    def add(self, name: str, content: Any, change: Change | None = None) -> Path:
        """Save an object under a known name, after an optional change to a copy of it."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / weights.known(name).file
        if change is not None:
            content = dict(content)
            change(content)
        torch.save(content, path)
        self.pin(name, path.read_bytes())
        return path

    def pin(self, name: str, content: bytes, size: int | None = None) -> None:
        """Let the registry expect this content."""
        digest = hashlib.sha256(content).hexdigest()
        records = tuple(
            dataclasses.replace(r, sha256=digest, size=size) if r.name == name else r
            for r in weights.KNOWN
        )
        self._monkeypatch.setattr(weights, "KNOWN", records)

    def unpin(self, name: str) -> None:
        """Let the registry know no hash of this file."""
        records = tuple(
            dataclasses.replace(r, sha256="", published="", size=None) if r.name == name else r
            for r in weights.KNOWN
        )
        self._monkeypatch.setattr(weights, "KNOWN", records)


@pytest.fixture
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsFolder:
    return WeightsFolder(tmp_path / "weights", monkeypatch)
