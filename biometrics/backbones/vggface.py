"""VGG-Face: the 16-layer network whose 4,096 numbers the landmark and texture decoders invert.

Architecture: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", 2015, configuration D, trained on 2,622 celebrities by O. Parkhi, A. Vedaldi and
A. Zisserman, "Deep Face Recognition", 2015. The module names are those of the public PyTorch
conversion ``vgg_face_dag.pth`` (S. Albanie), so that it loads strictly.

Two layers serve as templates. ``vggface``: the layer in front of the classifier, fc7, before its
activation (Nagm et al. 2026, section 3). ``vggface-pooled``: the last convolution, behind its ReLU,
averaged over the face, 512 numbers (Križaj et al. 2024, figure 5).

Convention: the makers' Caffe model takes BGR; the conversion was made from their MatConvNet model,
which takes RGB, and its own record lists the means in that order, red (129) first. So RGB goes in
here, each channel less its own mean. Exchanging the channels of a file made from the Caffe model is
a matter of turning around the second axis of ``conv1_1.weight``.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone, BackboneSpec, register_backbone
from biometrics.backbones.state import PublishedNetwork

NAME = "vggface"
PIXEL_MEAN = (129.1863, 104.7624, 93.5940)
"""Mean R, G, B on the 0-255 scale that is subtracted from every pixel."""

WIDTHS = (64, 128, 256, 512, 512)
"""Filters of the five stages; each ends with a maximum over 2x2."""

DEPTHS = (2, 2, 3, 3, 3)
"""Convolutions of the five stages."""

FC_DIM = 4096
GRID = 7
"""Side of what the fully connected layers see."""


class VggFace(Backbone):
    """The network.

    Args:
        spec: its record.
        pooled: whether the templates are the means of the last convolution.
    """

    pixel_mean: Tensor

    def __init__(self, spec: BackboneSpec, *, pooled: bool) -> None:
        super().__init__(spec)
        self.pooled = pooled
        # never on the meta device: it is no part of the file
        mean = torch.tensor(PIXEL_MEAN, device="cpu").reshape(1, 3, 1, 1)
        self.register_buffer("pixel_mean", mean, persistent=False)
        channels = 3
        for stage, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), start=1):
            for number in range(1, depth + 1):
                conv = nn.Conv2d(channels, width, 3, padding=1)
                self.add_module(f"conv{stage}_{number}", conv)
                channels = width
        self.relu = nn.ReLU()
        self.fc6 = nn.Linear(channels * GRID * GRID, FC_DIM)
        self.fc7 = nn.Linear(FC_DIM, FC_DIM)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, 4096], of any sign, or pooled [N, 512], never negative, of faces
        [N, 3, 224, 224], RGB in [0, 1]; neither of unit length."""
        last = self._stages(inputs)[-1]
        if self.pooled:
            return last.mean(dim=(2, 3))
        flat = F.max_pool2d(last, 2).flatten(1)  # [N, 512, 7, 7] -> [N, 25088]
        templates: Tensor = self.fc7(F.relu(self.fc6(flat)))
        return templates

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Five stages in front of their pooling: [N, 64, 224, 224], [N, 128, 112, 112],
        [N, 256, 56, 56], [N, 512, 28, 28], [N, 512, 14, 14]."""
        return self._stages(self.to_input(crops))

    def _stages(self, inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs * 255.0 - self.pixel_mean
        stages: list[Tensor] = []
        for stage, depth in enumerate(DEPTHS, start=1):
            x = F.max_pool2d(x, 2) if stages else x
            for number in range(1, depth + 1):
                x = self.relu(self.get_submodule(f"conv{stage}_{number}")(x))
            stages.append(x)
        return tuple(stages)


def published(*, pooled: bool) -> PublishedNetwork:
    """The factory of one of the two layers."""
    spec = BackboneSpec(
        name=f"{NAME}-pooled" if pooled else NAME,
        dim=512 if pooled else FC_DIM,
        input_size=(224, 224),
        # The canonical crop as it is: the makers' own, the box of a detector of theirs a tenth
        # wider, cannot be made here, so how near this is to it was not measured.
        crop=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        similarity="cosine",
        licence="weights: non-commercial research (VGG, Oxford)",
        origin="robots.ox.ac.uk/~albanie/pytorch-models.html, vgg_face_dag.pth",
        sha256=None,
        differentiable=True,
        may_be_unseen_judge=True,
        customary_threshold=None,
        ignored_keys=("fc8.weight", "fc8.bias"),
    )
    return PublishedNetwork(spec, partial(VggFace, pooled=pooled), weights=NAME, pulled=True)


for _factory in (published(pooled=False), published(pooled=True)):
    register_backbone(_factory.spec.name)(_factory)
