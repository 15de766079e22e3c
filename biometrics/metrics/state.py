"""Networks of known weight files: read safely, checked key by key, never downloaded."""

from __future__ import annotations

from torch import Tensor, nn

from biometrics.backbones.state import fill, read_state
from biometrics.weights import read_weight, weight_path


def load_known(network: nn.Module, name: str) -> nn.Module:
    """Put the tensors of a known file into a network, which may lie on the ``meta`` device.

    Raises:
        WeightsError: one line with the path, where the file is missing or does not fit.
    """
    fill(network, known_state(name), f"{weight_path(name)} does not fit {name}")
    return network


def known_state(name: str) -> dict[str, Tensor]:
    """The tensors of a known file, as they are stored.

    Raises:
        WeightsError: where it is missing, not the known file, or holds anything but tensors.
    """
    return read_state(read_weight(name).data, weight_path(name))
