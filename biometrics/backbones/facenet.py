"""FaceNet as most people have it: the Inception-ResNet-v1 of the package facenet-pytorch.

Architecture: C. Szegedy, S. Ioffe, V. Vanhoucke, A. Alemi, "Inception-v4, Inception-ResNet and the
Impact of Residual Connections on Learning", 2016, in the form of D. Sandberg's facenet (2018) with
the residuals scaled down, whose weights T. Esler's facenet-pytorch carries over. The module names
are that package's, so that its files load strictly; the package itself is not needed.

Two layers serve as templates: the 512 numbers of unit length behind the last linear layer, and, as
``-pooled``, the 1,792 means over the face in front of it. The latter is what F. Cole et al.,
"Synthesizing Normalized Faces from Facial Identity Features", 2017, section 3, decode: the lowest
layer that does not vary in space.

Its users cut faces with MTCNN, margin 0, stretched to 160x160. One fixed box stands for that here;
see :mod:`biometrics.backbones.mtcnn_box` for how far off that is.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone, BackboneSpec, register_backbone
from biometrics.backbones.mtcnn_box import MTCNN_BOX
from biometrics.backbones.state import PublishedNetwork

INPUT_SIZE = 160
EPS = 1e-3
"""Added to the variance by every batch normalisation, as in TensorFlow, where it was trained."""

UNIT_DIM = 512
POOLED_DIM = 1792
Size = int | tuple[int, int]


class ConvUnit(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self, channels: int, filters: int, kernel: Size, stride: int = 1, padding: Size = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(filters, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to [N, filters, H', W'], never negative."""
        return F.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """Branches side by side, brought back to the input's channels by 1x1 and added, scaled down.

    Args:
        channels: of input and output.
        branches: each [N, channels, H, W] to [N, its filters, H, W].
        wide: the filters of all branches together.
        scale: what the sum of the branches is multiplied by.
        linear: whether the ReLU behind the addition is left out, as in the last block.
    """

    def __init__(
        self,
        channels: int,
        branches: list[nn.Module],
        wide: int,
        scale: float,
        *,
        linear: bool = False,
    ) -> None:
        super().__init__()
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.n_branches, self.scale, self.linear = len(branches), scale, linear
        self.conv2d = nn.Conv2d(wide, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to the same shape."""
        outputs = [self.get_submodule(f"branch{n}")(x) for n in range(self.n_branches)]
        y = x + self.scale * self.conv2d(torch.cat(outputs, dim=1))
        return y if self.linear else F.relu(y)


class Reduction(nn.Module):
    """Branches of stride 2 and a maximum over 3x3, side by side: half the size, more channels."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.n_branches = len(branches)
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C + the branches' filters, (H - 3) // 2 + 1, (W - 3) // 2 + 1]."""
        outputs = [self.get_submodule(f"branch{n}")(x) for n in range(self.n_branches)]
        return torch.cat([*outputs, F.max_pool2d(x, 3, stride=2)], dim=1)


def block35() -> Residual:
    """Inception-ResNet-A, at 17x17 here."""
    branches = [
        ConvUnit(256, 32, 1),
        nn.Sequential(ConvUnit(256, 32, 1), ConvUnit(32, 32, 3, padding=1)),
        nn.Sequential(
            ConvUnit(256, 32, 1), ConvUnit(32, 32, 3, padding=1), ConvUnit(32, 32, 3, padding=1)
        ),
    ]
    return Residual(256, branches, 96, 0.17)


def block17() -> Residual:
    """Inception-ResNet-B, at 8x8 here."""
    branches = [
        ConvUnit(896, 128, 1),
        nn.Sequential(
            ConvUnit(896, 128, 1),
            ConvUnit(128, 128, (1, 7), padding=(0, 3)),
            ConvUnit(128, 128, (7, 1), padding=(3, 0)),
        ),
    ]
    return Residual(896, branches, 256, 0.10)


def block8(*, last: bool = False) -> Residual:
    """Inception-ResNet-C, at 3x3 here; the last one is neither scaled down nor rectified."""
    branches = [
        ConvUnit(1792, 192, 1),
        nn.Sequential(
            ConvUnit(1792, 192, 1),
            ConvUnit(192, 192, (1, 3), padding=(0, 1)),
            ConvUnit(192, 192, (3, 1), padding=(1, 0)),
        ),
    ]
    return Residual(1792, branches, 384, 1.0 if last else 0.20, linear=last)


def reduction_a() -> Reduction:
    """From 256 channels to 384 + 256 + 256 = 896."""
    return Reduction(
        [
            ConvUnit(256, 384, 3, stride=2),
            nn.Sequential(
                ConvUnit(256, 192, 1),
                ConvUnit(192, 192, 3, padding=1),
                ConvUnit(192, 256, 3, stride=2),
            ),
        ]
    )


def reduction_b() -> Reduction:
    """From 896 channels to 384 + 256 + 256 + 896 = 1,792."""
    return Reduction(
        [
            nn.Sequential(ConvUnit(896, 256, 1), ConvUnit(256, 384, 3, stride=2)),
            nn.Sequential(ConvUnit(896, 256, 1), ConvUnit(256, 256, 3, stride=2)),
            nn.Sequential(
                ConvUnit(896, 256, 1),
                ConvUnit(256, 256, 3, padding=1),
                ConvUnit(256, 256, 3, stride=2),
            ),
        ]
    )


class FaceNet(Backbone):
    """The network.

    Args:
        spec: its record.
        pooled: whether the templates are the means over the face, in front of the last layer.
    """

    def __init__(self, spec: BackboneSpec, *, pooled: bool) -> None:
        super().__init__(spec)
        self.pooled = pooled
        self.conv2d_1a = ConvUnit(3, 32, 3, stride=2)
        self.conv2d_2a = ConvUnit(32, 32, 3)
        self.conv2d_2b = ConvUnit(32, 64, 3, padding=1)
        self.conv2d_3b = ConvUnit(64, 80, 1)
        self.conv2d_4a = ConvUnit(80, 192, 3)
        self.conv2d_4b = ConvUnit(192, 256, 3, stride=2)
        self.repeat_1 = nn.Sequential(*(block35() for _ in range(5)))
        self.mixed_6a = reduction_a()
        self.repeat_2 = nn.Sequential(*(block17() for _ in range(10)))
        self.mixed_7a = reduction_b()
        self.repeat_3 = nn.Sequential(*(block8() for _ in range(5)))
        self.block8 = block8(last=True)
        self.last_linear = nn.Linear(POOLED_DIM, UNIT_DIM, bias=False)
        self.last_bn = nn.BatchNorm1d(UNIT_DIM, eps=EPS)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates of faces [N, 3, 160, 160], RGB in [0, 1]: [N, 512] of unit length, or pooled
        [N, 1792] of any length and sign."""
        pooled: Tensor = self.block8(self._stages(inputs)[-1]).mean(dim=(2, 3))
        if self.pooled:
            return pooled
        return F.normalize(self.last_bn(self.last_linear(pooled)), dim=1)

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Five stages: [N, 64, 77, 77], [N, 192, 36, 36], [N, 256, 17, 17], [N, 896, 8, 8] and
        [N, 1792, 3, 3]."""
        return self._stages(self.to_input(crops))

    def _stages(self, inputs: Tensor) -> tuple[Tensor, ...]:
        x = (inputs * 255.0 - 127.5) / 128.0
        first = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        second = self.conv2d_4a(self.conv2d_3b(F.max_pool2d(first, 3, stride=2)))
        third = self.repeat_1(self.conv2d_4b(second))
        fourth = self.repeat_2(self.mixed_6a(third))
        return first, second, third, fourth, self.repeat_3(self.mixed_7a(fourth))


class Release(NamedTuple):
    """One file of facenet-pytorch's release 2.2.9 and the name of the backbone that it makes."""

    backbone: str
    file: str
    trained_on: str
    sha256: str | None


RELEASES = (
    Release(
        backbone="facenet-vggface2",
        file="20180402-114759-vggface2.pt",
        trained_on="VGGFace2",
        sha256="281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
    ),
    Release(
        backbone="facenet-casia",
        file="20180408-102900-casia-webface.pt",
        trained_on="CASIA-WebFace",
        sha256=None,
    ),
)


def published(release: Release, *, pooled: bool) -> PublishedNetwork:
    """The factory of one of the two layers of one release."""
    spec = BackboneSpec(
        name=release.backbone + ("-pooled" if pooled else ""),
        dim=POOLED_DIM if pooled else UNIT_DIM,
        input_size=(INPUT_SIZE, INPUT_SIZE),
        crop=MTCNN_BOX.crop(INPUT_SIZE),
        # its users compare unit lengths by distance; means of any length, by direction
        similarity="cosine" if pooled else "l2",
        licence=f"weights: MIT (facenet-pytorch); trained on {release.trained_on} (research use)",
        origin=f"github.com/timesler/facenet-pytorch, {release.file}",
        sha256=release.sha256,
        differentiable=True,
        may_be_unseen_judge=True,
        customary_threshold=None,
        ignored_keys=("logits.weight", "logits.bias"),
    )
    build = partial(FaceNet, pooled=pooled)
    return PublishedNetwork(spec, build, weights=release.backbone, pulled=True)


for _factory in (published(r, pooled=p) for r in RELEASES for p in (False, True)):
    register_backbone(_factory.spec.name)(_factory)
