"""ResNet-50 trained on VGGFace2, under two classifiers: SoftMax and ArcFace.

Architecture: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", 2016,
as in Caffe: a block halves the size in its first 1x1, not in its 3x3, and the first maximum has no
padding but looks at what is left over at the right and below. Trained by Q. Cao, L. Shen, W. Xie,
O. Parkhi, A. Zisserman, "VGGFace2: A dataset for recognising faces across pose and age", 2018. The
templates are the 2,048 means in front of the classifier.

Key names: those of the public conversion cydonia999/VGGFace2-pytorch, which are also torchvision's
(``layer1.0.conv1.weight``). A file is such a state dictionary as ``torch.save`` writes it; the
conversion's own pickles of NumPy arrays are not read, since reading them can execute anything.

``resnet50-vggface2`` is the network under the SoftMax classifier ``fc``, and
``resnet50-vggface2-arcface`` the same under ArcFace's class centres ``head.weight`` (J. Deng et
al., 2019), the two whose reconstructions Križaj et al. 2024 compare in figure 4. Either classifier
may stand in the file and is not used.

The makers cut faces by MTCNN's box, 0.3 larger, bring the shorter side to 256 pixels and take the
224 in the middle. One fixed box stands for MTCNN's here; see
:mod:`biometrics.backbones.mtcnn_box` for how far off that is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone, BackboneSpec, register_backbone
from biometrics.backbones.mtcnn_box import MTCNN_BOX
from biometrics.backbones.state import PublishedNetwork

INPUT_SIZE = 224
PIXEL_MEAN_BGR = (91.4953, 103.8827, 131.0912)
"""Mean B, G, R on the 0-255 scale that is subtracted from every pixel."""

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""(filters inside, blocks, stride of the first block) of the four stages."""

EXPANSION = 4
"""How many times its inner filters a block gives."""


class Bottleneck(nn.Module):
    """Narrow by 1x1, filter by 3x3, widen by 1x1, beside an identity or a 1x1."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        wide = filters * EXPANSION
        self.conv1 = nn.Conv2d(channels, filters, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.conv3 = nn.Conv2d(filters, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != wide:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, wide, 1, stride, bias=False), nn.BatchNorm2d(wide)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to [N, 4 filters, H / stride, W / stride], never negative."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50(Backbone):
    """The network; templates are never negative and not of unit length."""

    pixel_mean: Tensor

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__(spec)
        # never on the meta device: it is no part of the file
        mean = torch.tensor(PIXEL_MEAN_BGR, device="cpu").reshape(1, 3, 1, 1)
        self.register_buffer("pixel_mean", mean, persistent=False)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for number, (filters, count, stride) in enumerate(STAGES, start=1):
            self.add_module(f"layer{number}", _stage(channels, filters, count, stride))
            channels = filters * EXPANSION

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, 2048] of faces [N, 3, 224, 224], RGB in [0, 1]."""
        return self._stages(inputs)[-1].mean(dim=(2, 3))

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Four stages: [N, 256, 56, 56], [N, 512, 28, 28], [N, 1024, 14, 14], [N, 2048, 7, 7]."""
        return self._stages(self.to_input(crops))

    def _stages(self, inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs.flip(1) * 255.0 - self.pixel_mean  # R G B -> B G R
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, ceil_mode=True)
        stages = []
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
            stages.append(x)
        return tuple(stages)


def _stage(channels: int, filters: int, count: int, stride: int) -> nn.Sequential:
    first = Bottleneck(channels, filters, stride)
    return nn.Sequential(
        first, *(Bottleneck(filters * EXPANSION, filters, 1) for _ in range(count - 1))
    )


def published(name: str, origin: str, head: tuple[str, ...]) -> PublishedNetwork:
    """The factory of the network under one classifier, whose keys are ``head``."""
    spec = BackboneSpec(
        name=name,
        dim=2048,
        input_size=(INPUT_SIZE, INPUT_SIZE),
        crop=MTCNN_BOX.enlarged(1.3).squared().enlarged(INPUT_SIZE / 256).crop(INPUT_SIZE),
        similarity="cosine",
        licence="weights: terms of their maker; trained on VGGFace2 (research use)",
        origin=origin,
        sha256=None,
        differentiable=True,
        may_be_unseen_judge=True,
        customary_threshold=None,
        ignored_keys=head,
    )
    return PublishedNetwork(spec, ResNet50, weights=name, pulled=False)


register_backbone("resnet50-vggface2")(
    published(
        "resnet50-vggface2",
        "github.com/cydonia999/VGGFace2-pytorch, resnet50_ft or resnet50_scratch",
        ("fc.weight", "fc.bias"),
    )
)
register_backbone("resnet50-vggface2-arcface")(
    published("resnet50-vggface2-arcface", "no published file", ("head.weight",))
)
