"""MobileFaceNet: a small network that makes an unseen judge for attacks on a larger one.

Architecture: S. Chen, Y. Liu, X. Gao, Z. Han, "MobileFaceNets: Efficient CNNs for Accurate
Real-Time Face Verification on Mobile Devices", 2018, table 1, for inputs of 112x96. The module
names are those of the public checkpoint (Xiaoccer/MobileFaceNet_Pytorch, trained on
CASIA-WebFace), so that it loads strictly; afterwards batch normalisation is folded into the
convolutions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from biometrics.backbones.base import Backbone, BackboneSpec, crop_to_points, register_backbone
from biometrics.backbones.state import fold_batch_norm, read_state, state_problem
from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import WeightsError
from biometrics.weights import missing_weight, weight_path

NAME = "mobilefacenet"
VARIABLE = "FACELEAK_MOBILEFACENET"
STATE_KEY = "net_state_dict"
SHA256 = "e839247cdbdfc023fb7cadeaf53a4549d50c8fc24ad154c02e35920ea8910d99"

INPUT_POINTS = np.array(
    [
        (30.2946, 51.6963),
        (65.5318, 51.5014),
        (48.0252, 71.7366),
        (33.5493, 92.3655),
        (62.7299, 92.2041),
    ]
)
"""Eye centres, nose tip and mouth corners in the 112x96 input on which it was trained."""

STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""(expansion t, channels c, repeats n, first stride s) of the bottleneck stages, table 1."""

STAGE_ENDS = (5, 12, 15)
"""Number of bottlenecks behind which each inner stage ends, at a quarter, an eighth and a sixteenth
of the input's size."""

SPEC = BackboneSpec(
    name=NAME,
    dim=128,
    input_size=(112, 96),
    crop=crop_to_points(INPUT_POINTS),
    similarity="cosine",
    licence="weights: terms not stated, trained on CASIA-WebFace (research use)",
    origin="github.com/Xiaoccer/MobileFaceNet_Pytorch",
    sha256=SHA256,
    differentiable=True,
    may_be_unseen_judge=True,
    customary_threshold=None,
)


class ConvUnit(nn.Module):
    """Convolution, batch normalisation and, except in linear units, PReLU."""

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(filters)
        self.prelu = nn.Identity() if linear else nn.PReLU(filters)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to [N, filters, H', W']."""
        y: Tensor = self.prelu(self.bn(self.conv(x)))
        return y


class Bottleneck(nn.Module):
    """Widen by 1x1, filter depthwise by 3x3, narrow linearly by 1x1; residual where sizes agree."""

    def __init__(self, channels: int, filters: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.residual = stride == 1 and channels == filters
        self.conv = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, filters, 1, bias=False),
            nn.BatchNorm2d(filters),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to [N, filters, H / stride, W / stride]."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileFaceNet(Backbone):
    """The network; templates come without unit length, as its makers leave them."""

    def __init__(self, spec: BackboneSpec = SPEC) -> None:
        super().__init__(spec)
        self.conv1 = ConvUnit(3, 64, 3, stride=2, padding=1)
        self.dw_conv1 = ConvUnit(64, 64, 3, padding=1, groups=64)
        self.blocks = nn.Sequential(*bottlenecks(64))
        self.conv2 = ConvUnit(128, 512, 1)
        self.linear7 = ConvUnit(512, 512, (7, 6), groups=512, linear=True)
        self.linear1 = ConvUnit(512, spec.dim, 1, linear=True)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, 128] of aligned faces [N, 3, 112, 96], RGB in [0, 1]."""
        x = self.linear1(self.linear7(self.conv2(self._stages(inputs)[-1])))
        templates: Tensor = x.flatten(1)
        return templates  # [N, 128, 1, 1] -> [N, 128]

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Four stages: [N, 64, 56, 48], [N, 64, 28, 24], [N, 128, 14, 12], [N, 128, 7, 6]."""
        return self._stages(self.to_input(crops))

    def _stages(self, inputs: Tensor) -> tuple[Tensor, ...]:
        x = self.dw_conv1(self.conv1((inputs * 255.0 - 127.5) / 128.0))
        stages = [x]
        for start, end in pairwise((0, *STAGE_ENDS)):
            x = self.blocks[start:end](x)
            stages.append(x)
        return tuple(stages)


def bottlenecks(channels: int) -> list[Bottleneck]:
    """The 15 bottlenecks of :data:`STAGES`; only the first of a stage has its stride."""
    blocks: list[Bottleneck] = []
    for expansion, filters, repeats, stride in STAGES:
        for repeat in range(repeats):
            blocks.append(Bottleneck(channels, filters, 1 if repeat else stride, expansion))
            channels = filters
    return blocks


def load_mobilefacenet(path: Path) -> MobileFaceNet:
    """The network with the weights of a checkpoint ``{"net_state_dict": {...}}``.

    Nothing in the file is executed: only tensors and plain containers are unpickled.

    Raises:
        WeightsError: one line with the path, where the file is not usable.
    """
    data, digest = read_weight_file(path)
    state = read_state(data, path, under=STATE_KEY)
    network = MobileFaceNet(SPEC if digest == SHA256 else SPEC.of_user_file(path, digest))
    if problem := state_problem(network.state_dict(), state):
        raise WeightsError(f"{path} does not fit MobileFaceNet: {problem}")
    network.load_state_dict(state)
    network.eval()
    fold_batch_norm(network)
    return network


@register_backbone(NAME)
def mobilefacenet_backbone(weights: Mapping[str, str]) -> Backbone:
    """MobileFaceNet from ``weights["mobilefacenet"]`` or ``FACELEAK_MOBILEFACENET``, or else from
    the file that was pulled."""
    if path := weights.get(NAME) or os.environ.get(VARIABLE):
        return load_mobilefacenet(Path(path))
    if missing_weight(NAME) is None:
        return load_mobilefacenet(weight_path(NAME))
    raise WeightsError(
        f"weights {NAME} missing: give the checkpoint as weights.{NAME} or in {VARIABLE}, "
        f"or faceleak weights pull {NAME}"
    )
