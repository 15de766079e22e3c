from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import biometrics  # noqa: F401  torchvision is imported below
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.errors import WeightsError
from tests.biometrics.backbones.published import State, empty, narrow_vgg, published

NAME = "vggface"
MEAN_RGB = np.array([129.1863, 104.7624, 93.5940])


def reference(state: State, crops: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """VGG-16 in torchvision's own layout over the same numbers: fc7 before its activation [N, 4096]
    and the mean of the last convolution behind its ReLU [N, 512]."""
    import torchvision

    sizes: list[int | str] = []
    for stage, depth in enumerate((2, 2, 3, 3, 3), start=1):
        sizes += [len(state[f"conv{stage}_1.bias"])] * depth + ["M"]
    layers = torchvision.models.vgg.make_layers(sizes)
    names = [f"conv{s}_{n}" for s, d in enumerate((2, 2, 3, 3, 3), 1) for n in range(1, d + 1)]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    for conv, name in zip(convolutions, names, strict=True):
        conv.load_state_dict({k: state[f"{name}.{k}"] for k in ("weight", "bias")})
    pixels = torch.from_numpy(crops.astype(np.float64) - MEAN_RGB).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        last = layers[:-1](pixels)
        flat = layers[-1](last).flatten(1)
        hidden = nn.functional.linear(flat, state["fc6.weight"], state["fc6.bias"]).clamp(min=0)
        return nn.functional.linear(hidden, state["fc7.weight"], state["fc7.bias"]), last.mean(
            dim=(2, 3)
        )


def test_both_layers_are_those_of_torchvisions_vgg(
    weights: dict[str, str], state: State, crops: NDArray[np.uint8]
) -> None:
    fc7, means = (t.numpy() for t in reference(state, crops[:1]))
    with narrow_vgg():
        whole, pooled = (load_backbone(n, weights) for n in ("vggface", "vggface-pooled"))
    found = embed(whole, crops[:1])
    np.testing.assert_allclose(found, fc7, atol=1e-3 * abs(fc7).max())
    assert (found < 0).mean() > 0.1  # without the activation
    np.testing.assert_allclose(embed(pooled, crops[:1]), means, atol=1e-3 * means.max())
    assert (whole.spec.similarity, pooled.spec.similarity) == ("cosine", "cosine")
    assert pooled.spec.dim == 512


def test_the_canonical_crop_is_the_input() -> None:
    backbone = empty("vggface")
    crop = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(backbone.to_input(crop), crop, atol=1e-4, rtol=0)


def test_parameters_and_stages_of_the_whole_network() -> None:
    network = empty("vggface")
    assert sum(p.numel() for p in network.parameters()) == 134_260_544
    assert sum(v.numel() for v in network.state_dict().values()) == 134_260_544
    network.pixel_mean = network.pixel_mean.to("meta")
    shapes = [tuple(s.shape) for s in network._stages(torch.zeros(1, 3, 224, 224, device="meta"))]
    assert shapes == [
        (1, 64, 224, 224),
        (1, 128, 112, 112),
        (1, 256, 56, 56),
        (1, 512, 28, 28),
        (1, 512, 14, 14),
    ]
    assert network.fc7(network.fc6(torch.zeros(1, 512 * 7 * 7, device="meta"))).shape == (1, 4096)


def test_the_classifier_is_ignored_and_nothing_else(state: State, tmp_path: Path) -> None:
    path = tmp_path / "vgg.pth"
    wrong = {k: v for k, v in state.items() if k != "conv5_3.bias"}
    torch.save(wrong | {"fc9.bias": torch.zeros(1), "conv1_1.bias": torch.zeros(64)}, path)
    with narrow_vgg(), pytest.raises(WeightsError) as raised:
        load_backbone("vggface-pooled", {"vggface": str(path)})
    message = str(raised.value)
    assert "missing: conv5_3.bias; unknown: fc9.bias; wrong shape: conv1_1.bias [64] for" in message
    assert published("vggface").spec.ignored_keys == ("fc8.weight", "fc8.bias")
    assert {"fc8.weight", "fc8.bias"} <= set(state)


def test_how_to_provide_the_weights_is_said() -> None:
    message = (
        r"^weights vggface missing: give the file as weights\.vggface or in FACELEAK_VGGFACE, "
        "or faceleak weights pull vggface$"
    )
    for name in ("vggface", "vggface-pooled"):
        with pytest.raises(WeightsError, match=message):
            load_backbone(name)


def test_gradients_reach_the_crop(weights: dict[str, str], crops: NDArray[np.uint8]) -> None:
    with narrow_vgg():
        backbone = load_backbone("vggface-pooled", weights)
    crop = to_tensor(crops[:1]).requires_grad_()
    backbone(crop).square().sum().backward()
    assert crop.grad is not None
    assert float((crop.grad != 0).float().mean()) > 0.9
