from __future__ import annotations

from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import biometrics  # noqa: F401  lpips imports torchvision
from biometrics.errors import WeightsError
from biometrics.metrics.perceptual import FILES, TRUNKS, Trunk, load_lpips
from tests.biometrics.metrics.common import Array
from tests.biometrics.metrics.test_image import pictures
from tests.seeded_weights import WeightsFolder, trunk_state

TAPS: dict[Trunk, tuple[int, ...]] = {
    "alex": (1, 4, 7, 9, 11),
    "vgg": (3, 8, 15, 22, 29),
    "squeeze": (1, 4, 7, 9, 10, 11, 12),
}
"""Layers of torchvision's ``features`` after which the pictures are compared."""

DEPRECATED = pytest.mark.filterwarnings(
    "ignore:The parameter 'pretrained' is deprecated since 0.13:UserWarning",
    "ignore:Arguments other than a weight enum or `None` for 'weights':UserWarning",
)


def scaled(made: Array, true: Array) -> list[Tensor]:
    return [torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1 for x in (made, true)]


def by_formula(trunk: Trunk, state: dict[str, Tensor], made: Array, true: Array) -> Array:
    """Equation 1 of the paper, layer by layer."""
    import torchvision

    with torch.device("meta"):
        features = getattr(torchvision.models, FILES[trunk])(weights=None).features
    own = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    features.load_state_dict(own, assign=True)
    with as_file(files("lpips") / "weights" / "v0.1" / f"{trunk}.pth") as path:
        heads = torch.load(path, map_location="cpu", weights_only=True)
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    with torch.no_grad():
        a, b = ((x - shift) / scale for x in scaled(made, true))
        total = torch.zeros(len(made))
        for layer, module in enumerate(features):
            a, b = module(a), module(b)
            if layer in TAPS[trunk]:
                unit = [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in (a, b)]
                head = heads[f"lin{TAPS[trunk].index(layer)}.model.1.weight"]
                total += F.conv2d((unit[0] - unit[1]) ** 2, head).mean(dim=(1, 2, 3))
    found: Array = total.numpy()
    return found


@pytest.mark.parametrize("trunk", TRUNKS)
def test_the_value_is_that_of_the_formula(trunk: Trunk, weights_folder: WeightsFolder) -> None:
    state = trunk_state(FILES[trunk], seed=1)
    weights_folder.add(FILES[trunk], state)
    made, true = pictures(0, 3, 64)
    metric = load_lpips(trunk)
    np.testing.assert_allclose(metric(made, true), by_formula(trunk, state, made, true), rtol=1e-4)
    np.testing.assert_allclose(metric(made, true, batch=2), metric(made, true), rtol=1e-4)
    np.testing.assert_array_equal(metric(true, true), 0.0)
    assert (np.diff(metric(made, true)) > 0).all()  # more noise, more distance


@DEPRECATED
def test_the_value_is_that_of_the_package(weights_folder: WeightsFolder) -> None:
    import lpips

    state = trunk_state("squeezenet1_1", seed=2)
    weights_folder.add("squeezenet1_1", state)
    package = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    for key, value in package.net.named_parameters():
        value.data = state["features." + key.split(".", 1)[1]]
    made, true = pictures(1, 2, 64)
    with torch.no_grad():
        expected = package(*scaled(made, true)).flatten()
    np.testing.assert_allclose(load_lpips("squeeze")(made, true), expected, rtol=1e-4)


def test_nothing_of_the_metric_is_trained_or_random(weights_folder: WeightsFolder) -> None:
    weights_folder.add("squeezenet1_1", trunk_state("squeezenet1_1", seed=3))
    made, true = pictures(2, 2, 64)
    metric = load_lpips("squeeze")
    np.testing.assert_array_equal(metric(made, true), load_lpips("squeeze")(made, true))
    assert not any(p.requires_grad or p.is_meta for p in metric.network.parameters())
    assert metric.origin == (
        f"lpips {version('lpips')}, metric 0.1, trunk squeezenet1_1-b8a52dc0.pth"
    )


def test_keys_that_do_not_fit_are_listed(weights_folder: WeightsFolder) -> None:
    def change(state: dict[str, Tensor]) -> None:
        del state["features.0.bias"]
        state["features.99.weight"] = torch.zeros(1)
        state["features.3.squeeze.weight"] = torch.zeros(2, 2)

    weights_folder.add("squeezenet1_1", trunk_state("squeezenet1_1", seed=4), change)
    expected = (
        r"squeezenet1_1-b8a52dc0\.pth does not fit squeezenet1_1: missing: features\.0\.bias; "
        r"unknown: features\.99\.weight; wrong shape: features\.3\.squeeze\.weight \[2, 2\]"
    )
    with pytest.raises(WeightsError, match=expected):
        load_lpips("squeeze")


def test_files_that_are_no_weights_are_refused(
    weights_folder: WeightsFolder, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"^weights vgg16 missing: faceleak weights pull vgg16$"):
        load_lpips("vgg")
    path = weights_folder.add("squeezenet1_1", {"features.0.bias": [1.0]})
    with pytest.raises(WeightsError, match="has no tensors; expected tensors by name"):
        load_lpips("squeeze")
    weights_folder.add("squeezenet1_1", {"x": Path(".")})  # an object is not unpickled
    with pytest.raises(WeightsError, match="no PyTorch checkpoint of plain tensors"):
        load_lpips("squeeze")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"is damaged or another file .* faceleak weights pull"):
        load_lpips("squeeze")


def test_pictures_that_do_not_fit_are_refused(weights_folder: WeightsFolder) -> None:
    weights_folder.add("squeezenet1_1", trunk_state("squeezenet1_1", seed=5))
    made, true = pictures(3, 1, 31)
    with pytest.raises(ValueError, match="larger than 31 pixels"):
        load_lpips("squeeze")(made, true)
