"""What a backbone's layers are computed in, when nobody or somebody asks."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line must not import torch
    from biometrics.backbones.base import Backbone
    from biometrics.backbones.embed import Precision


class PrecisionChoice(StrEnum):
    """``auto`` is bf16 on a GPU for backbones of which it was measured that they bear it, else
    float32: where the processor has no bf16, it takes longer."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BF16 = "bf16"


def chosen_precision(asked: PrecisionChoice, backbone: Backbone) -> Precision:
    """What ``asked`` means for a backbone where it lies.

    Raises:
        ConfigError: bf16 is asked of a backbone that PyTorch does not compute.
    """
    from biometrics.backbones.embed import check_precision

    if asked is PrecisionChoice.AUTO:
        on_gpu = backbone.grid.device.type != "cpu"
        may = on_gpu and backbone.spec.bf16_measured and backbone.runs_in_torch
        return "bf16" if may else "float32"
    precision: Precision = "bf16" if asked is PrecisionChoice.BF16 else "float32"
    check_precision(backbone, precision)
    return precision
