from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import biometrics  # noqa: F401  facenet-pytorch imports torchvision
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.backbones.facenet import FaceNet
from biometrics.errors import WeightsError
from biometrics.weights_pull import pull
from tests.biometrics.backbones.published import State, empty
from tests.seeded_weights import WeightsFolder, weights_folder  # noqa: F401

NAME = "facenet-vggface2"


@pytest.fixture(scope="module")
def plain(state: State) -> FaceNet:
    """The network as the makers' file has it: no batch normalisation folded."""
    network = empty(NAME)
    own = {key: value for key, value in state.items() if not key.startswith("logits.")}
    network.load_state_dict(own, assign=True)
    assert isinstance(network, FaceNet)
    return network.eval()


@pytest.fixture
def save(tmp_path: Path) -> Callable[[object], dict[str, str]]:
    def write(content: object) -> dict[str, str]:
        torch.save(content, tmp_path / "model.pt")
        return {NAME: str(tmp_path / "model.pt")}

    return write


def test_templates_are_those_of_facenet_pytorch(
    backbone: Backbone, weights: dict[str, str], state: State, crops: NDArray[np.uint8]
) -> None:
    package = pytest.importorskip(
        "facenet_pytorch", reason="facenet-pytorch is not installed", exc_type=ImportError
    )
    theirs = package.InceptionResnetV1(classify=True, num_classes=8631)
    theirs.load_state_dict(state)
    theirs.classify = False
    pooled: list[Tensor] = []
    theirs.avgpool_1a.register_forward_hook(lambda _m, _i, out: pooled.append(out.flatten(1)))
    inputs = backbone.to_input(to_tensor(crops[:3]))
    with torch.inference_mode():
        # its own standardisation takes pixels in [0, 255]
        standard = package.fixed_image_standardization(inputs * 255.0)
        expected = theirs.eval()(standard).numpy()
    found = embed(backbone, crops[:3])
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert abs(expected[0] - expected[1]).max() > 0.02
    means = embed(load_backbone(f"{NAME}-pooled", weights), crops[:3])
    np.testing.assert_allclose(means, pooled[0].numpy(), rtol=1e-3, atol=1e-3)


def test_folding_the_batch_normalisation_changes_nothing(
    backbone: Backbone, plain: FaceNet, crops: NDArray[np.uint8]
) -> None:
    assert not any(isinstance(m, nn.BatchNorm2d) for m in backbone.modules())
    assert embed(backbone, crops[:2]) == pytest.approx(embed(plain, crops[:2]), abs=2e-5)


def test_the_first_layer_sees_red_first_and_pixels_from_minus_one_to_one(
    plain: FaceNet, crops: NDArray[np.uint8]
) -> None:
    seen: list[Tensor] = []
    hook = plain.conv2d_1a.conv.register_forward_hook(lambda _m, _i, out: seen.append(out))
    picture = crops[0, :160, :160].astype(np.float64)  # R G B
    with torch.inference_mode():
        plain.embed_input(torch.from_numpy(picture / 255).permute(2, 0, 1).float()[None])
    hook.remove()
    kernel = plain.conv2d_1a.conv.weight.detach().double().numpy()  # [32, 3, 3, 3]
    for row, column in ((0, 0), (30, 71)):
        patch = (picture[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] - 127.5) / 128
        expected = np.einsum("fcyx,yxc->f", kernel, patch)
        np.testing.assert_allclose(seen[0][0, :, row, column], expected, atol=1e-4)


def test_templates_have_unit_length_and_pooled_ones_have_not(
    backbone: Backbone, weights: dict[str, str], crops: NDArray[np.uint8]
) -> None:
    assert np.linalg.norm(embed(backbone, crops[:2]), axis=1) == pytest.approx(1.0, abs=1e-5)
    pooled = load_backbone("facenet-casia-pooled", weights)
    assert pooled.spec.dim == 1792
    assert (pooled.spec.similarity, backbone.spec.similarity) == ("cosine", "l2")
    assert np.linalg.norm(embed(pooled, crops[:1])) > 2


def test_the_last_linear_layer_is_applied_to_the_pooled_layer(
    backbone: Backbone, weights: dict[str, str], state: State, crops: NDArray[np.uint8]
) -> None:
    """The two templates differ by one matrix, one shift and scale, and the length."""
    pooled = embed(load_backbone(f"{NAME}-pooled", weights), crops[:2]).astype(np.float64)
    last = {k: v.double().numpy() for k, v in state.items() if k.startswith("last_")}
    linear = pooled @ last["last_linear.weight"].T - last["last_bn.running_mean"]
    scale = last["last_bn.weight"] / np.sqrt(last["last_bn.running_var"] + 1e-3)
    expected = linear * scale + last["last_bn.bias"]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embed(backbone, crops[:2]), expected, atol=2e-5)


def test_parameters_and_stages() -> None:
    network = empty(NAME)
    # what facenet-pytorch 2.6.0 has without its classifier
    assert sum(p.numel() for p in network.parameters()) == 23_482_624
    shapes = [tuple(s.shape) for s in network._stages(torch.zeros(1, 3, 160, 160, device="meta"))]
    assert shapes == [
        (1, 64, 77, 77),
        (1, 192, 36, 36),
        (1, 256, 17, 17),
        (1, 896, 8, 8),
        (1, 1792, 3, 3),
    ]


def test_each_release_has_its_own_file_and_the_pooled_layer_shares_it(
    weights: dict[str, str], crops: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    message = (
        r"^weights facenet-casia missing: give the file as weights\.facenet-casia or in "
        r"FACELEAK_FACENET_CASIA, or faceleak weights pull facenet-casia$"
    )
    for name in ("facenet-casia", "facenet-casia-pooled"):
        with pytest.raises(WeightsError, match=message):
            load_backbone(name, {NAME: weights[NAME]})
    monkeypatch.setenv("FACELEAK_FACENET_CASIA", weights["facenet-casia"])
    spec = load_backbone("facenet-casia-pooled").spec
    assert spec.origin == "a file of the user's own, facenet-casia.pt"
    assert spec.licence == "not known"


def test_a_pulled_file_keeps_its_makers_terms_once_its_hash_is_accepted(
    weights_folder: WeightsFolder,  # noqa: F811
    weights: dict[str, str],
) -> None:
    path = weights_folder.path / "20180408-102900-casia-webface.pt"
    path.parent.mkdir()
    path.symlink_to(weights["facenet-casia"])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match=f"--accept-hash {digest}$"):
        load_backbone("facenet-casia")
    pull("facenet-casia", accept_hash=digest)
    spec = load_backbone("facenet-casia").spec
    assert (spec.sha256, spec.name) == (digest, "facenet-casia")
    assert "MIT" in spec.licence
    assert spec.origin.endswith("20180408-102900-casia-webface.pt")


@pytest.mark.parametrize("counters", [True, False])
def test_a_file_without_classifier_or_counters_is_the_same(
    counters: bool,
    state: State,
    backbone: Backbone,
    save: Callable[[object], dict[str, str]],
    crops: NDArray[np.uint8],
) -> None:
    own = {
        key: value
        for key, value in state.items()
        if not key.startswith("logits.") and (counters or "num_batches" not in key)
    }
    found = embed(load_backbone(NAME, save(own)), crops[:1])
    assert np.array_equal(found, embed(backbone, crops[:1]))


def test_missing_unknown_and_misshapen_keys_are_listed(
    state: State, save: Callable[[object], dict[str, str]]
) -> None:
    wrong = {key: value for key, value in state.items() if key != "repeat_2.3.conv2d.bias"}
    wrong |= {"extra": torch.zeros(1), "last_bn.bias": torch.zeros(128)}
    with pytest.raises(WeightsError) as raised:
        load_backbone(NAME, save(wrong))
    message = str(raised.value)
    assert f"model.pt does not fit {NAME}: " in message
    assert "missing: repeat_2.3.conv2d.bias" in message
    assert "unknown: extra;" in message
    assert "wrong shape: last_bn.bias [128] for [512]" in message


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"a": 1}])
def test_a_file_of_another_layout_is_refused(
    content: object, save: Callable[[object], dict[str, str]]
) -> None:
    with pytest.raises(WeightsError, match=r"model\.pt has no tensors; expected tensors by name"):
        load_backbone(NAME, save(content))
