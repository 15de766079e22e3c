"""``module:package.attr``: a recognition model that Python code of the user's own makes.

``attr`` is a PyTorch module, or a class or function that gives one when it is called without
arguments. Its record is the attribute ``faceleak_record`` of ``attr``, or a YAML file named by
``weights["module:package.attr"]``.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from biometrics.backbones.base import Backbone, BackboneFactory, register_backbone_family
from biometrics.backbones.own_model import TorchModel, line_of, settled
from biometrics.backbones.own_record import OwnRecord, check_record, read_record
from biometrics.errors import WeightsError, did_you_mean

PREFIX = "module"
RECORD = "faceleak_record"


def load_module(place: str, name: str, record_file: Path | None) -> TorchModel:
    """The backbone of ``package.attr``, tried out on seeded noise.

    Raises:
        WeightsError: one line, where it cannot be imported or made or does not fit its record.
    """
    package, maker = _found(place)
    record = _record(maker, place, name, record_file)
    network = _made(maker, place)
    spec = record.spec(
        name,
        origin=f"a module of the user's own, {place}",
        sha256=_digest(network, package),
        differentiable=True,
    )
    return settled(TorchModel(spec, record, network))


def _found(place: str) -> tuple[ModuleType, Any]:
    package, dot, attribute = place.rpartition(".")
    if not dot or not package:
        raise WeightsError(f"{PREFIX}:{place}: expected {PREFIX}:package.attr")
    try:
        module = importlib.import_module(package)
    except Exception as error:  # somebody else's code
        raise WeightsError(f"{package} cannot be imported: {line_of(error)}") from error
    if not hasattr(module, attribute):
        raise WeightsError(
            f"{package} has no '{attribute}'{did_you_mean(attribute, list(vars(module)))}"
        )
    return module, getattr(module, attribute)


def _record(maker: Any, place: str, name: str, file: Path | None) -> OwnRecord:
    if file is not None:
        return read_record(file)
    values = getattr(maker, RECORD, None)
    if values is None:
        raise WeightsError(
            f"{place} has no record: give it the attribute {RECORD}, or name a YAML file "
            f"as weights.{name}"
        )
    return check_record(values, f"{place}.{RECORD}")


def _made(maker: Any, place: str) -> nn.Module:
    if isinstance(maker, nn.Module):
        return copy.deepcopy(maker)  # it is frozen here; the user's own stays as it is
    try:
        network = maker()
    except Exception as error:
        raise WeightsError(f"{place}() failed: {line_of(error)}") from error
    if not isinstance(network, nn.Module):
        raise WeightsError(f"{place}() gave {type(network).__name__}, expected a torch.nn.Module")
    return network


def _digest(network: nn.Module, package: ModuleType) -> str:
    """sha256 over all tensors with their names, and the source of the module that makes it."""
    digest = hashlib.sha256()
    for key, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{key} {values.dtype} {list(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(-1).numpy().tobytes())
    if package.__file__ is not None:
        digest.update(Path(package.__file__).read_bytes())
    return digest.hexdigest()


@register_backbone_family(PREFIX, "PACKAGE.ATTR")
def module_backbone(rest: str) -> BackboneFactory:
    """The backbone ``module:package.attr``."""
    name = f"{PREFIX}:{rest}"

    def load(weights: Mapping[str, str]) -> Backbone:
        record = Path(weights[name]) if name in weights else None
        return load_module(rest, name, record)

    return load
