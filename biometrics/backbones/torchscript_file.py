"""``torchscript:FILE``: a recognition model as a TorchScript file, with its record beside it.

A TorchScript file is a program. It runs inside PyTorch's own interpreter, which was never meant to
hold a hostile one: load only what you trust.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from biometrics.backbones.base import Backbone, BackboneFactory, register_backbone_family
from biometrics.backbones.own_model import (
    TorchModel,
    line_of,
    named_file,
    origin_of,
    settled,
)
from biometrics.backbones.own_record import OwnRecord, read_record, record_beside
from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import WeightsError

PREFIX = "torchscript"


def load_torchscript(path: Path, record: OwnRecord, name: str) -> TorchModel:
    """The backbone of a TorchScript file, tried out on seeded noise.

    Raises:
        WeightsError: one line with the path, where the file is not usable or does not fit the
            record.
    """
    data, sha256 = read_weight_file(path)
    spec = record.spec(name, origin=origin_of(path), sha256=sha256, differentiable=True)
    return settled(TorchModel(spec, record, _network(data, path)))


def _network(data: bytes, path: Path) -> nn.Module:
    try:
        with warnings.catch_warnings():
            # PyTorch advises other formats; the file is what the user has.
            warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated")
            network: nn.Module = torch.jit.load(io.BytesIO(data), map_location="cpu")
    except Exception as error:  # hostile bytes make it raise anything
        raise WeightsError(f"{path} is no TorchScript file: {line_of(error)}") from error
    return network


@register_backbone_family(PREFIX, "FILE")
def torchscript_backbone(rest: str) -> BackboneFactory:
    """The backbone ``torchscript:FILE``; ``weights["torchscript:FILE"]`` may say where it lies."""
    name = f"{PREFIX}:{rest}"

    def load(weights: Mapping[str, str]) -> Backbone:
        path = named_file(name, rest, weights)
        return load_torchscript(path, read_record(record_beside(path)), name)

    return load
