"""Weight files in their makers' formats and with their makers' keys, but random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from biometrics.backbones import vggface
from biometrics.backbones.base import BACKBONES, Backbone
from biometrics.backbones.embed import to_tensor
from biometrics.backbones.state import PublishedNetwork

State = dict[str, Tensor]

HEADS: dict[str, dict[str, tuple[int, ...]]] = {
    "facenet-vggface2": {"logits.weight": (8631, 512), "logits.bias": (8631,)},
    "facenet-casia": {"logits.weight": (10575, 512), "logits.bias": (10575,)},
    "vggface": {"fc8.weight": (2622, 4096), "fc8.bias": (2622,)},
    "resnet50-vggface2": {"fc.weight": (8631, 2048), "fc.bias": (8631,)},
    "resnet50-vggface2-arcface": {"head.weight": (8631, 2048)},
}
"""The classifiers that the makers' files hold, by the name under which a file is given."""

NARROW = (8, 16, 32, 64, 512)
"""Filters of the stages of a VGG-16 that computes in a twentieth of the time."""


def published(name: str) -> PublishedNetwork:
    factory = BACKBONES.get(name)
    assert isinstance(factory, PublishedNetwork)
    return factory


def empty(name: str) -> Backbone:
    """The architecture without weights, on the ``meta`` device."""
    factory = published(name)
    with torch.device("meta"):
        return factory.build(factory.spec)


def heads(shapes: dict[str, tuple[int, ...]]) -> State:
    """Classifiers that nobody reads: one number spread over each shape keeps files small."""
    return {key: torch.zeros(1).expand(shape) for key, shape in shapes.items()}


def random_state(network: nn.Module, seed: int) -> State:
    """Random numbers for a network without weights, of a size that keeps its layers alive.

    The rows of a large layer overlap in one short sequence: no two are equal, the file is small.
    """
    draw = torch.Generator().manual_seed(seed)
    state: State = {}
    for key, value in network.state_dict().items():
        shape = tuple(value.shape)
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(0)
        elif len(shape) >= 2:
            state[key] = _weights(shape, (2.0 / value[0].numel()) ** 0.5, draw)
        elif key.endswith(("running_var", "bn.weight", "bn1.weight", "bn2.weight", "bn3.weight")):
            state[key] = 0.5 + torch.rand(shape, generator=draw)
        else:
            state[key] = 0.1 * torch.randn(shape, generator=draw)
    return state


def _weights(shape: tuple[int, ...], spread: float, draw: torch.Generator) -> Tensor:
    if len(shape) == 4:
        return spread * torch.randn(shape, generator=draw)
    rows, columns = shape
    step = 7
    sequence = spread * torch.randn(step * rows + columns, generator=draw)
    return sequence.as_strided(shape, (step, 1))


def settle(network: nn.Module, state: State, crops: NDArray[np.uint8]) -> State:
    """The same state, made to tell these pictures apart in deep layers too.

    Batch normalisation gets the pictures' own statistics; a network without it gets the same effect
    from the scale and bias of its convolutions. The network lies on the ``meta`` device and is
    filled by this.
    """
    network.load_state_dict(state, assign=True)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = None  # plain average: after one batch, that batch's statistics
    if not norms:
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(_centre)
    with torch.no_grad():
        network.train()(to_tensor(crops))
    return {key: value.detach() for key, value in network.state_dict().items()}


def _centre(conv: nn.Conv2d, _inputs: object, outputs: Tensor) -> Tensor:
    """Change the convolution so that its output has mean 0 and deviation 1 in every channel."""
    assert conv.bias is not None
    mean, deviation = outputs.mean(dim=(0, 2, 3)), outputs.std(dim=(0, 2, 3))
    conv.weight.div_(deviation.reshape(-1, 1, 1, 1))
    conv.bias.sub_(mean).div_(deviation)
    return (outputs - mean.reshape(1, -1, 1, 1)) / deviation.reshape(1, -1, 1, 1)


@contextmanager
def narrow_vgg() -> Iterator[None]:
    """Inside, VGG-Face has few filters in all stages but the last; names and layers are the same.

    The whole network is tested once, in ``test_vggface.py``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vggface, "WIDTHS", NARROW)
        yield


def published_state(name: str, crops: NDArray[np.uint8], seed: int = 5) -> State:
    """All tensors of a file, classifier included."""
    network = empty(name)
    state = settle(network, random_state(network, seed), crops)
    return {**state, **heads(HEADS[name])}


def published_files(folder: Path, crops: NDArray[np.uint8]) -> dict[str, str]:
    """A file for every network that is published as a state dictionary."""
    with narrow_vgg():
        states = {
            name: published_state(name, crops[:4])
            for name in ("facenet-vggface2", "vggface", "resnet50-vggface2")
        }
    states["facenet-casia"] = _sibling(states, "facenet-vggface2", "last_linear.weight")
    states["resnet50-vggface2-arcface"] = _sibling(states, "resnet50-vggface2", "conv1.weight")
    for name in ("facenet-casia", "resnet50-vggface2-arcface"):
        states[name] |= heads(HEADS[name])
    paths = {name: str(folder / f"{name}.pt") for name in states}
    for name, state in states.items():
        torch.save(state, paths[name])
    return paths


def _sibling(states: dict[str, State], of: str, turned: str) -> State:
    """The tensors of another file without its classifier, one of them in another order: other
    templates for little work."""
    state = {key: value for key, value in states[of].items() if key not in HEADS[of]}
    return {**state, turned: state[turned].flip(0)}
