"""PyTorch weight files: read safely, checked key by key, put into a network.

What every network here shares whose weights somebody publishes as a state dictionary. Nothing in a
file is executed, and a missing or superfluous key is an error that names it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from biometrics.backbones.base import Backbone, BackboneSpec
from biometrics.backbones.weight_file import WeightFile, read_weight_file
from biometrics.errors import WeightsError
from biometrics.weights import read_weight, weight_path

COUNTER = "num_batches_tracked"
"""Batch normalisation counts its batches in training; older files lack it, and nothing reads it."""


def read_state(data: bytes, path: Path, *, under: str | None = None) -> dict[str, Tensor]:
    """The tensors of a PyTorch file by name, as they are stored.

    Args:
        data: the file's content; only tensors and plain containers are unpickled.
        path: for messages.
        under: the key of the file's dictionary below which they lie, or None where they are all
            that the file holds.

    Raises:
        WeightsError: where this is no such file, or it holds anything but tensors.
    """
    layout = "tensors by name" if under is None else f"{{'{under}': tensors}}"
    try:
        content: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # hostile bytes make the restricted unpickler raise anything
        raise WeightsError(
            f"{path} is no PyTorch checkpoint of plain tensors ({type(error).__name__}); "
            f"expected {layout}"
        ) from error
    if under is not None:
        content = content.get(under) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        where = "" if under is None else f" under '{under}'"
        raise WeightsError(f"{path} has no tensors{where}; expected {layout}")
    return {str(key): value for key, value in content.items()}


def state_problem(expected: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> str:
    """What is missing, superfluous, of another shape or not finite; empty where all fits."""
    shared = sorted(set(expected) & set(got))
    faults = {
        "missing": sorted(set(expected) - set(got)),
        "unknown": sorted(map(str, set(got) - set(expected))),
        "wrong shape": [
            f"{key} {list(got[key].shape)} for {list(expected[key].shape)}"
            for key in shared
            if got[key].shape != expected[key].shape
        ],
        # numbers of another shape are not looked at: a few bytes can claim to be any number of them
        "not plain finite numbers": [
            key
            for key in shared
            if got[key].shape == expected[key].shape and not _is_plain(got[key])
        ],
    }
    return "; ".join(f"{fault}: {_short(keys)}" for fault, keys in faults.items() if keys)


def _is_plain(values: Tensor) -> bool:
    plain = values.layout == torch.strided and not (values.is_complex() or values.is_quantized)
    return plain and bool(torch.isfinite(values).all())


def _short(keys: list[str], limit: int = 3) -> str:
    more = f" and {len(keys) - limit} more" if len(keys) > limit else ""
    return ", ".join(keys[:limit]) + more


def fill(
    network: nn.Module, state: Mapping[str, Tensor], what: str, *, ignored: Collection[str] = ()
) -> None:
    """Put exactly these tensors into a network, which may lie on the ``meta`` device.

    Args:
        network: what is filled.
        state: by the network's own keys, floats of any precision; counters of batches may be
            missing.
        what: begins the message, such as "FILE does not fit NAME".
        ignored: keys that the file may hold besides, such as a classifier's.

    Raises:
        WeightsError: one line that lists the keys that are missing, unknown or misshapen.
    """
    expected = network.state_dict()
    counters = {key: torch.tensor(0) for key in expected if key.endswith(COUNTER)}
    wanted = {key: value for key, value in state.items() if key not in ignored}
    if problem := state_problem(expected, {**counters, **wanted}):
        raise WeightsError(f"{what}: {problem}")
    own = {key: _dense(value) for key, value in {**counters, **wanted}.items()}
    network.load_state_dict(own, assign=True)


def _dense(values: Tensor) -> Tensor:
    """Side by side in memory, float32 where they are floats: files hold halves and views too."""
    return (values.float() if values.is_floating_point() else values).contiguous()


def fold_batch_norm(module: nn.Module) -> None:
    """Fold every batch normalisation into the convolution in front of it, in place (eval mode)."""
    for (_, first), (name, second) in pairwise(list(module.named_children())):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(first, second)
            first.weight, first.bias = fused.weight, fused.bias
            setattr(module, name, nn.Identity())
    for child in module.children():
        fold_batch_norm(child)


class Found(NamedTuple):
    """A weight file and whether it is the one that its publisher has."""

    path: Path
    file: WeightFile
    published: bool


@dataclass(frozen=True)
class PublishedNetwork:
    """The factory of a network whose weights are published as a PyTorch state dictionary.

    Attributes:
        spec: the record for the published weights; ``spec.ignored_keys`` may stand in the file.
        build: an empty network for a record, with the file's key names.
        weights: name under which the file is given, ``weights.NAME`` or ``FACELEAK_NAME``; variants
            of one network share it.
        pulled: whether the file is a known one that ``faceleak weights pull`` fetches.
    """

    spec: BackboneSpec
    build: Callable[[BackboneSpec], Backbone]
    weights: str
    pulled: bool

    def __call__(self, weights: Mapping[str, str]) -> Backbone:
        """The network with the weights that the user named, or else those that were pulled.

        Raises:
            WeightsError: they are missing (saying how to provide them), damaged or of another
                network.
        """
        path, (data, digest), published = self._find(weights)
        known = published or digest == self.spec.sha256
        spec = self.spec.of_user_file(path, digest)
        if known:
            spec = replace(self.spec, sha256=digest)
        with torch.device("meta"):
            network = self.build(spec)
        what = f"{path} does not fit {self.spec.name}"
        fill(network, read_state(data, path), what, ignored=spec.ignored_keys)
        network.eval()
        fold_batch_norm(network)
        return network

    def _find(self, weights: Mapping[str, str]) -> Found:
        variable = environment_name(self.weights)
        named = (weights.get(n) for n in (self.spec.name, self.weights))
        if given := next(filter(None, named), None) or os.environ.get(variable):
            return Found(Path(given), read_weight_file(Path(given)), published=False)
        if self.pulled and (path := weight_path(self.weights)).is_file():
            return Found(path, read_weight(self.weights), published=True)
        how = f"give the file as weights.{self.weights} or in {variable}"
        pull = f", or faceleak weights pull {self.weights}" if self.pulled else ""
        raise WeightsError(f"weights {self.weights} missing: {how}{pull}")


def environment_name(name: str) -> str:
    """The environment variable that names a backbone's weight file."""
    return "FACELEAK_" + name.upper().replace("-", "_")
