"""Networks of known weight files: read safely, checked key by key, never downloaded."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from biometrics.backbones.mobilefacenet import state_problem
from biometrics.errors import WeightsError
from biometrics.weights import read_weight, weight_path

COUNTER = "num_batches_tracked"
"""Batch normalisation counts its batches in training; older files lack it, and nothing reads it."""


def load_known(network: nn.Module, name: str) -> nn.Module:
    """Put the tensors of a known file into a network, which may lie on the ``meta`` device.

    Raises:
        WeightsError: one line with the path, where the file is missing or does not fit.
    """
    expected, state = network.state_dict(), known_state(name)
    for key in expected:
        if key.endswith(COUNTER):
            state.setdefault(key, torch.tensor(0))
    if problem := state_problem(expected, state):
        raise WeightsError(f"{weight_path(name)} does not fit {name}: {problem}")
    network.load_state_dict(state, assign=True)
    return network


def known_state(name: str) -> dict[str, Tensor]:
    """The tensors of a known file, float32 where they are floats.

    Raises:
        WeightsError: where it is missing, not the known file, or holds anything but tensors.
    """
    data = read_weight(name).data
    try:
        state: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # hostile bytes make the restricted unpickler raise anything
        raise WeightsError(
            f"{weight_path(name)} is no PyTorch file of plain tensors ({type(error).__name__})"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{weight_path(name)} holds something else than tensors by name")
    return {str(k): v.float() if v.is_floating_point() else v for k, v in state.items()}
