from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import biometrics  # noqa: F401  torchvision is imported below
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.errors import WeightsError
from tests.biometrics.backbones.published import State, empty, published

NAME = "resnet50-vggface2"
ARCFACE = f"{NAME}-arcface"
MEAN_BGR = np.array([91.4953, 103.8827, 131.0912])


def caffe_resnet(state: State) -> nn.Module:
    """torchvision's ResNet-50 with the strides and the first maximum of Caffe's."""
    import torchvision

    network: nn.Module = torchvision.models.resnet50(weights=None, num_classes=8631)
    for module in network.modules():
        if isinstance(module, torchvision.models.resnet.Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
    network.maxpool = nn.MaxPool2d(3, stride=2, padding=0, ceil_mode=True)
    network.load_state_dict(state)
    network.fc = nn.Identity()
    return network.eval()


def test_templates_are_those_of_the_caffe_layout_on_bgr_pixels(
    backbone: Backbone, state: State, crops: NDArray[np.uint8]
) -> None:
    rgb = (backbone.to_input(to_tensor(crops[:2])) * 255).permute(0, 2, 3, 1).numpy()
    bgr = rgb[:, :, :, ::-1] - MEAN_BGR
    with torch.inference_mode():
        inputs = torch.from_numpy(bgr).permute(0, 3, 1, 2).float()
        expected = caffe_resnet(state)(inputs).numpy()
    found = embed(backbone, crops[:2])
    np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max())
    assert abs(expected[0] - expected[1]).max() > 0.1 * expected.max()
    assert backbone.spec.similarity == "cosine"


def test_parameters_and_stages() -> None:
    network = empty(NAME)
    # He et al.'s 25,557,032 without the 1000 x 2048 + 1000 of ImageNet's classifier
    assert sum(p.numel() for p in network.parameters()) == 25_557_032 - 2_049_000
    network.pixel_mean = network.pixel_mean.to("meta")
    shapes = [tuple(s.shape) for s in network._stages(torch.zeros(1, 3, 224, 224, device="meta"))]
    assert shapes == [(1, 256, 56, 56), (1, 512, 28, 28), (1, 1024, 14, 14), (1, 2048, 7, 7)]


def test_each_classifier_is_ignored_in_its_own_file_only(
    weights: dict[str, str], state: State
) -> None:
    assert published(NAME).spec.ignored_keys == ("fc.weight", "fc.bias")
    assert published(ARCFACE).spec.ignored_keys == ("head.weight",)
    assert load_backbone(ARCFACE, weights).spec.dim == 2048
    with pytest.raises(WeightsError, match=r"unknown: fc\.bias, fc\.weight$"):
        load_backbone(ARCFACE, {ARCFACE: weights[NAME]})
    with pytest.raises(WeightsError, match=r"unknown: head\.weight$"):
        load_backbone(NAME, {NAME: weights[ARCFACE]})


def test_missing_and_misshapen_keys_are_listed(state: State, tmp_path: Path) -> None:
    wrong = {k: v for k, v in state.items() if k != "layer3.0.downsample.0.weight"}
    torch.save(wrong | {"bn1.bias": torch.zeros(3)}, tmp_path / "model.pth")
    expected = r"missing: layer3\.0\.downsample\.0\.weight; wrong shape: bn1\.bias \[3\] for \[64\]"
    with pytest.raises(WeightsError, match=expected):
        load_backbone(NAME, {NAME: str(tmp_path / "model.pth")})


def test_the_two_targets_have_files_of_their_own(weights: dict[str, str]) -> None:
    message = r"^weights resnet50-vggface2-arcface missing: .* FACELEAK_RESNET50_VGGFACE2_ARCFACE$"
    with pytest.raises(WeightsError, match=message):
        load_backbone(ARCFACE, {NAME: weights[NAME]})


def test_the_crop_is_a_square_around_the_face(backbone: Backbone) -> None:
    (across, shear, x), (shear_y, down, y) = backbone.spec.crop
    assert (shear, shear_y) == (0.0, 0.0)
    # 1.3 times the box's width becomes 256 pixels, of which 224 are kept around the box's centre
    assert across == pytest.approx(down) == pytest.approx(256 / (1.3 * (172.8 - 47.5)))
    centre = np.array([(47.5 + 172.8) / 2, (33.7 + 202.2) / 2])
    assert across * centre + [x, y] == pytest.approx([111.5, 111.5])
