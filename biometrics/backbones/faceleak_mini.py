"""faceleak-mini: a small recognition model of our own, which ships. A judge for fresh machines.

Oriented gradients, brought to the local contrast and gathered in cells, then a small network that
was trained on photographs with a margin between people. No other model was imitated, so it can
judge attacks that never saw it. It is weak beside the models of the field; its card and every
report say how weak. The training is ``benchmarks/lfw/build_mini.py``.

Sources: N. Dalal, B. Triggs, "Histograms of Oriented Gradients for Human Detection", 2005, for the
cells; H. Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", 2018, for the
training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone, BackboneSpec, register_backbone
from biometrics.backbones.state import fill
from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import WeightsError
from biometrics.faces.grey import grey
from biometrics.faces.shipped import shipped_subjects

NAME = "faceleak-mini"
FILE = f"{NAME}.safetensors"
SIZE = 112
DIM = 256
HIDDEN = 768

ORIENTATIONS = 8
CELL = 8
"""Pixels between the middles of cells; a cell reaches over twice as many."""

CELLS = SIZE // CELL
FEATURES = ORIENTATIONS * CELLS * CELLS
CONTRAST = 17
"""Side in pixels of the surroundings whose mean gradient a gradient is divided by."""

FLAT = 0.02
"""Added to that mean: what is nearly flat is not blown up. Of grey levels in [0, 1]."""

SPEC = BackboneSpec(
    name=NAME,
    dim=DIM,
    input_size=(SIZE, SIZE),
    # The 128x128 around eyes and mouth: with more of hair and background it recognised less.
    crop=((0.875, 0.0, -42.0625), (0.0, 0.875, -58.25)),
    similarity="cosine",
    licence="ships with faceleak; trained on a research data set (LFW): for research and audits",
    origin="faceleak (benchmarks/lfw/build_mini.py)",
    sha256=None,
    differentiable=True,
    may_be_unseen_judge=True,
    customary_threshold=None,
)


def oriented_gradients(faces: Tensor) -> Tensor:
    """Roots of the shares of each direction in each cell, [N, 8, 14, 14], of grey ``faces``
    [N, 1, 112, 112] in [0, 1]; differentiable."""
    wide = F.pad(faces, (1, 1, 1, 1), mode="replicate")
    dx = wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]
    dy = wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]
    size = (dx.square() + dy.square() + 1e-8).sqrt()
    # Rows, then columns: the same mean as over squares, in an eighth of the work.
    around = F.avg_pool2d(size, (1, CONTRAST), 1, (0, CONTRAST // 2), count_include_pad=False)
    around = F.avg_pool2d(around, (CONTRAST, 1), 1, (CONTRAST // 2, 0), count_include_pad=False)
    angles = torch.arange(ORIENTATIONS, dtype=faces.dtype, device=faces.device)
    angles = angles.mul(2 * math.pi / ORIENTATIONS).reshape(1, -1, 1, 1)
    along = (dx * angles.cos() + dy * angles.sin()).clamp(min=0).square()
    strength = along / (size * (around + FLAT))
    cells = F.avg_pool2d(strength, 2 * CELL, CELL, CELL // 2, count_include_pad=False)
    # The root of zero has no slope: a flat cell must not send back infinity.
    return (cells + 1e-10).sqrt()


def mirrored(features: Tensor) -> Tensor:
    """What :func:`oriented_gradients` gives for the mirror image: cells from right to left, and
    directions turned about the vertical."""
    turned = [(ORIENTATIONS // 2 - k) % ORIENTATIONS for k in range(ORIENTATIONS)]
    return features[:, turned].flip(3)


class Head(nn.Module):
    """From gradients [N, 1568] to templates [N, 256]: a linear map, and a network beside it.

    ``mean`` is taken off first. ``dropped`` is the share of gradients left out in training.
    """

    mean: Tensor

    def __init__(self, dropped: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.drop = nn.Dropout(dropped)
        self.linear = nn.Linear(FEATURES, DIM, bias=False)
        self.beside = nn.Sequential(
            nn.Linear(FEATURES, HIDDEN),
            nn.PReLU(HIDDEN),
            nn.Dropout(dropped),
            nn.Linear(HIDDEN, DIM),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Templates of gradients."""
        kept = self.drop(features - self.mean)
        templates: Tensor = self.linear(kept) + self.beside(kept)
        return templates


class FaceleakMini(Backbone):
    """Gradients and network; the template is the sum of those of the face and its mirror image."""

    def __init__(self, spec: BackboneSpec = SPEC, head: Head | None = None) -> None:
        super().__init__(spec)
        self.head = head or Head()

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, 256] of faces [N, 3, 112, 112], RGB in [0, 1]; not of unit length."""
        features = oriented_gradients(grey(inputs)[:, None])
        both: Tensor = self.head(features.flatten(1)) + self.head(mirrored(features).flatten(1))
        return both


def shipped_path() -> Path:
    """Where the weights lie."""
    return Path(str(files("biometrics.backbones").joinpath("assets", FILE)))


@register_backbone(NAME)
def faceleak_mini(weights: Mapping[str, str]) -> Backbone:
    """The model that ships, or one that ``benchmarks/lfw/build_mini.py`` wrote elsewhere.

    Raises:
        WeightsError: the file is absent, damaged or of another network.
    """
    path = Path(weights[NAME]) if NAME in weights else shipped_path()
    file = read_weight_file(path)
    try:
        state = safetensors.torch.load(file.data)
    except SafetensorError as error:
        raise WeightsError(f"{path} is no readable safetensors file: {error}") from error
    with torch.device("meta"):
        head = Head()
    fill(head, state, f"{path} does not fit {NAME}")
    if NAME in weights:
        return FaceleakMini(SPEC.of_user_file(path, file.sha256), head)
    backbone = FaceleakMini(replace(SPEC, sha256=file.sha256), head)
    backbone.learnt_from = shipped_subjects()
    return backbone
