"""dlib's face-recognition ResNet (the model behind the package ``face_recognition``) in PyTorch.

The weights are read from the file that ``face_recognition_models`` carries; that package is never
imported (its import wants the removed ``pkg_resources``). The affine layers, which stand where
training had batch normalisation, are folded into the convolutions in front of them.

Architecture: ``anet_type`` of dlib's example ``dnn_face_recognition_ex.cpp`` (D. King, 2017), a
ResNet-34 with half the filters and three blocks fewer. Its oddities are kept, and the file's own
strides and paddings are checked against them: convolutions of stride 2 have no padding, and an
addition of unequal sizes fills the smaller operand with zeros, on the right, below and behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone, BackboneSpec, crop_to_points, register_backbone
from biometrics.backbones.dlib_format import Layer, read_layers
from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import WeightsError

NAME = "dlib"
FILE_NAME = "dlib_face_recognition_resnet_model_v1.dat"
SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
PIXEL_MEAN = (122.782, 117.001, 104.298)
"""Mean R, G, B on the 0-255 scale that the network subtracts before it divides by 256."""

CHIP_POINTS = np.array(
    [(47.02, 46.11), (99.98, 46.18), (73.52, 75.46), (49.60, 104.56), (97.59, 104.76)]
)
"""Where the five points lie on average in dlib's 150x150 chip (padding .25), measured on LFW."""

BLOCKS = (
    *((32, False),) * 3,
    *((64, True), (64, False), (64, False), (64, False)),
    *((128, True), (128, False), (128, False)),
    *((256, True), (256, False), (256, False)),
    (256, True),
)
"""(filters, halves the size) of each residual block, from the input on."""

STAGE_ENDS = (3, 7, 10, 13)
"""Number of blocks behind which each inner stage ends: 32, 64, 128 and 256 filters."""

SPEC = BackboneSpec(
    name=NAME,
    dim=128,
    input_size=(150, 150),
    crop=crop_to_points(CHIP_POINTS),
    similarity="l2",
    licence="CC0",
    origin="dlib.net, packaged in face_recognition_models",
    sha256=SHA256,
    differentiable=True,
    may_be_unseen_judge=True,
    customary_threshold=-0.6,
    bf16_measured=True,
)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity, or beside a 2x2 mean where the size is halved."""

    def __init__(self, channels: int, filters: int, down: bool) -> None:
        super().__init__()
        self.down = down
        stride, padding = (2, 0) if down else (1, 1)
        self.first = nn.Conv2d(channels, filters, 3, stride=stride, padding=padding)
        self.second = nn.Conv2d(filters, filters, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, filters, H', W'], never negative."""
        main = self.second(F.relu(self.first(x), inplace=True))
        if not self.down:
            return F.relu(main + x, inplace=True)
        return F.relu(add_zero_filled(main, F.avg_pool2d(x, 2)), inplace=True)


def add_zero_filled(a: Tensor, b: Tensor) -> Tensor:
    """Sum of two [N, C, H, W] whose C, H and W may differ; the result has the larger of each."""
    size = [max(pair) for pair in zip(a.shape[1:], b.shape[1:], strict=True)]
    return _fill(a, size) + _fill(b, size)


def _fill(x: Tensor, size: Sequence[int]) -> Tensor:
    missing = [want - have for want, have in zip(size, x.shape[1:], strict=True)]
    if not any(missing):
        return x
    channels, rows, columns = missing
    return F.pad(x, (0, columns, 0, rows, 0, channels))


class DlibResNet(Backbone):
    """The network; its weights come from :func:`fill_weights`."""

    pixel_mean: Tensor

    def __init__(self, spec: BackboneSpec = SPEC) -> None:
        super().__init__(spec)
        mean = torch.tensor(PIXEL_MEAN).reshape(1, 3, 1, 1)
        self.register_buffer("pixel_mean", mean, persistent=False)
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        widths = pairwise([32, *(filters for filters, _ in BLOCKS)])
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(before, after, down)
                for (before, after), (_, down) in zip(widths, BLOCKS, strict=True)
            )
        )
        self.head = nn.Linear(256, spec.dim, bias=False)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, 128] of chips [N, 3, 150, 150], RGB in [0, 1]; not of unit length."""
        x = self.blocks[STAGE_ENDS[-1] :](self._stages(inputs)[-1])
        templates: Tensor = self.head(x.mean(dim=(2, 3)))
        return templates

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Four stages: [N, 32, 35, 35], [N, 64, 17, 17], [N, 128, 8, 8], [N, 256, 4, 4]."""
        return self._stages(self.to_input(crops))

    def _stages(self, inputs: Tensor) -> tuple[Tensor, ...]:
        x = (inputs * 255.0 - self.pixel_mean) / 256.0
        x = F.max_pool2d(F.relu(self.stem(x), inplace=True), 3, stride=2)
        stages = []
        for start, end in pairwise((0, *STAGE_ENDS)):
            x = self.blocks[start:end](x)
            stages.append(x)
        return tuple(stages)

    def convolutions(self) -> list[nn.Conv2d]:
        """All convolutions in the order of computation, which is that of the file."""
        return [module for module in self.modules() if isinstance(module, nn.Conv2d)]


def fill_weights(network: DlibResNet, layers: Sequence[Layer]) -> None:
    """Put the file's layers into the network, each affine layer folded into its convolution.

    Raises:
        WeightsError: where number, order or shape of the layers are not this architecture's.
    """
    convolutions = network.convolutions()
    kinds = [layer.kind for layer in layers]
    if kinds != ["con", "affine"] * len(convolutions) + ["fc"]:
        raise WeightsError(
            f"expected {len(convolutions)} convolutions with affine layers and one fc, got "
            f"{kinds.count('con')} con, {kinds.count('affine')} affine, {kinds.count('fc')} fc"
        )
    pairs = zip(layers[0:-1:2], layers[1:-1:2], strict=True)
    for number, (conv, (con, affine)) in enumerate(zip(convolutions, pairs, strict=True)):
        _fill_convolution(conv, con, affine, f"convolution {number}")
    _fill_head(network.head, layers[-1])


def _fill_convolution(conv: nn.Conv2d, con: Layer, affine: Layer, where: str) -> None:
    assert conv.bias is not None
    filters = conv.out_channels
    shape = (filters, *conv.kernel_size, *conv.stride, *map(int, conv.padding))
    _expect(where, con.shape, shape)
    _expect(f"{where}, parameters", con.values.size, conv.weight.numel() + filters)
    _expect(f"{where}, affine", affine.values.size, 2 * filters)
    values, scales = torch.from_numpy(con.values), torch.from_numpy(affine.values)
    scale, shift = scales[:filters], scales[filters:]
    weight, bias = values[:-filters].reshape(conv.weight.shape), values[-filters:]
    with torch.no_grad():
        conv.weight.copy_(weight * scale.reshape(-1, 1, 1, 1))
        conv.bias.copy_(bias * scale + shift)


def _fill_head(head: nn.Linear, fc: Layer) -> None:
    _expect("fc", fc.shape, (head.out_features, head.in_features))
    _expect("fc, parameters", fc.values.size, head.weight.numel())
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(fc.values).reshape(head.in_features, -1).T)


def _expect(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise WeightsError(f"{what}: expected {expected}, got {got}")


def packaged_file() -> Path:
    """The weight file inside the installed package ``face_recognition_models``.

    Raises:
        WeightsError: where the package or the file is absent.
    """
    package = find_spec("face_recognition_models")
    folders = list(package.submodule_search_locations or []) if package else []
    path = Path(folders[0], "models", FILE_NAME) if folders else None
    if path is None or not path.is_file():
        raise WeightsError(
            f"{FILE_NAME} is missing: pip install face_recognition_models, "
            f"or give the file as weights.{NAME}"
        )
    return path


def load_dlib(path: Path, *, pinned: bool) -> DlibResNet:
    """The network with the weights of a ``.dat`` file of dlib.

    Args:
        path: the file.
        pinned: whether it must be the known file; a file of the user's own may differ.

    Raises:
        WeightsError: one line with the path, where the file is not usable.
    """
    data, digest = read_weight_file(path)
    known = digest == SHA256
    if pinned and not known:
        raise WeightsError(
            f"{path} is not the published {FILE_NAME} (sha256 {digest[:12]}…, expected "
            f"{SHA256[:12]}…): reinstall face_recognition_models, or give your own file "
            f"as weights.{NAME}"
        )
    network = DlibResNet(SPEC if known else SPEC.of_user_file(path, digest))
    try:
        fill_weights(network, read_layers(data))
    except WeightsError as error:
        raise WeightsError(f"{path} is not a face-recognition ResNet of dlib: {error}") from error
    return network


@register_backbone(NAME)
def dlib_backbone(weights: Mapping[str, str]) -> Backbone:
    """The ResNet of dlib, from the packaged file or from ``weights["dlib"]``."""
    if NAME in weights:
        return load_dlib(Path(weights[NAME]), pinned=False)
    return load_dlib(packaged_file(), pinned=True)
