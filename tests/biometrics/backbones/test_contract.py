"""What every registered backbone must do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from biometrics.backbones.base import BACKBONES, Backbone, load_backbone
from biometrics.backbones.embed import embed, to_tensor
from biometrics.errors import ConfigError, UnknownNameError, WeightsError
from biometrics.faces.geometry import CANONICAL_POINTS, apply_affine
from tests.biometrics.backbones.conftest import ADAPTER, OWN
from tests.biometrics.backbones.pictures import pattern
from tests.biometrics.backbones.published import narrow_vgg

PUBLISHED = {
    "facenet-casia",
    "facenet-casia-pooled",
    "facenet-vggface2",
    "facenet-vggface2-pooled",
    "resnet50-vggface2",
    "resnet50-vggface2-arcface",
    "vggface",
    "vggface-pooled",
}
"""Backbones whose weights somebody publishes as a PyTorch state dictionary."""

SHIPPED = {"dlib", "eigenfaces", "faceleak-mini", "lbp", "mobilefacenet"} | PUBLISHED

CONTROLS = {"eigenfaces", "lbp"}

WITH_FEATURES = {"dlib", "mobilefacenet"} | PUBLISHED
"""Backbones that show their inner stages, for perceptual losses."""

GOLDEN = {
    # embed(load_backbone("dlib"), pattern()[None])[0, :6]
    "dlib": [-0.063666, 0.109105, 0.077563, -0.006246, -0.077900, -0.062091],
}


@pytest.fixture(scope="module", autouse=True)
def quick_vgg() -> Iterator[None]:
    with narrow_vgg():
        yield


@pytest.fixture(scope="module", params=[*BACKBONES.names(), OWN, ADAPTER])
def backbone(request: pytest.FixtureRequest, weights: dict[str, str]) -> Backbone:
    try:
        return load_backbone(request.param, weights)
    except WeightsError as error:
        if request.param in SHIPPED:
            raise
        pytest.skip(str(error))


def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Relative to the length of the templates, which differs between backbones."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(a))


def test_the_backbones_that_ship_are_registered() -> None:
    assert set(BACKBONES.names()) >= SHIPPED


def test_an_unknown_backbone_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"did you mean 'dlib'.*known: adapter:SOURCE->TARGET, dlib, eigenfaces",
    ):
        load_backbone("dilb")


def test_the_record_is_complete(backbone: Backbone) -> None:
    spec = backbone.spec
    assert BACKBONES.get(spec.name) is not None
    assert spec.similarity in {"cosine", "l2"}
    assert spec.licence
    assert spec.origin
    assert spec.may_be_unseen_judge == (spec.name not in CONTROLS) or spec.name not in SHIPPED


def test_it_is_frozen_and_in_eval_mode(backbone: Backbone) -> None:
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_templates_have_the_promised_shape_and_type(
    backbone: Backbone, crops: NDArray[np.uint8]
) -> None:
    templates = embed(backbone, crops[:3])
    assert templates.shape == (3, backbone.spec.dim)
    assert templates.dtype == np.float32


def test_the_same_crops_give_the_same_templates(
    backbone: Backbone, crops: NDArray[np.uint8], weights: dict[str, str]
) -> None:
    first = embed(backbone, crops[:2])
    assert np.array_equal(first, embed(backbone, crops[:2]))
    again = load_backbone(backbone.spec.name, weights)
    assert np.array_equal(first, embed(again, crops[:2]))


def test_a_batch_equals_its_pictures_one_by_one(
    backbone: Backbone, crops: NDArray[np.uint8]
) -> None:
    together = embed(backbone, crops[:3])
    alone = embed(backbone, crops[:3], batch_size=1)
    assert distance(together, alone) < 1e-5
    assert distance(together[0], together[1]) > 0.05


def test_no_crops_give_no_templates(backbone: Backbone, crops: NDArray[np.uint8]) -> None:
    assert embed(backbone, crops[:0]).shape == (0, backbone.spec.dim)
    with torch.inference_mode():
        assert backbone(torch.zeros(0, 3, 224, 224)).shape == (0, backbone.spec.dim)


def test_bgr_order_gives_another_template(backbone: Backbone, crops: NDArray[np.uint8]) -> None:
    rgb = embed(backbone, crops[:2])
    bgr = embed(backbone, np.ascontiguousarray(crops[:2, :, :, ::-1]))
    assert distance(rgb, bgr) > 0.05


def test_the_input_is_left_untouched(backbone: Backbone, crops: NDArray[np.uint8]) -> None:
    tensor = to_tensor(crops[:2])
    before = tensor.clone()
    with torch.inference_mode():
        backbone(tensor)
    assert torch.equal(tensor, before)


@pytest.mark.parametrize("shape", [(1, 224, 224, 3), (1, 3, 112, 112), (1, 1, 224, 224)])
def test_another_input_shape_is_refused(backbone: Backbone, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected crops \[N, 3, 224, 224\], got"):
        backbone(torch.zeros(shape))


def test_the_gradient_at_the_crop_matches_finite_differences(
    backbone: Backbone, crops: NDArray[np.uint8]
) -> None:
    if not backbone.spec.differentiable:
        pytest.skip("the record says that no gradient reaches the crop")
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(backbone.spec.dim, generator=generator)
    noise = torch.rand(1, 3, 224, 224, generator=generator)  # flat parts tie in the max pooling
    crop = (0.8 * to_tensor(crops[:1]) + 0.2 * noise).requires_grad_()
    template = backbone(crop)
    (gradient,) = torch.autograd.grad((template @ weight).sum(), crop)
    length = float(gradient.norm())
    reach = (
        0.01 * float(template.detach().norm()) / length
    )  # small beside kinks, large beside rounding
    step = reach / length * gradient
    with torch.no_grad():
        rise = float(((backbone(crop + step) - backbone(crop - step)) @ weight).sum())
    assert rise > 0
    assert length == pytest.approx(rise / (2 * reach), rel=0.03)


def stages_of(backbone: Backbone, crops: Tensor) -> tuple[Tensor, ...]:
    if shows_nothing(backbone):
        pytest.skip(f"backbone '{backbone.spec.name}' shows no inner layers")
    return backbone.features(crops)


def shows_nothing(backbone: Backbone) -> bool:
    return type(backbone).features is Backbone.features


def test_a_backbone_without_inner_stages_says_so(backbone: Backbone) -> None:
    name = backbone.spec.name
    assert shows_nothing(backbone) == (name not in WITH_FEATURES) or name not in SHIPPED
    if shows_nothing(backbone):
        with pytest.raises(ConfigError, match=f"'{name}' shows no inner layers.*such as dlib$"):
            backbone.features(torch.zeros(1, 3, 224, 224))


def test_inner_stages_run_from_shallow_to_deep(
    backbone: Backbone, crops: NDArray[np.uint8]
) -> None:
    with torch.inference_mode():
        stages = stages_of(backbone, to_tensor(crops[:2]))
        alone = backbone.features(to_tensor(crops[1:2]))
    assert len(stages) >= 2
    assert all(stage.ndim == 4 and len(stage) == 2 for stage in stages)
    areas = [stage.shape[2] * stage.shape[3] for stage in stages]
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) == len(areas)
    for stage, one in zip(stages, alone, strict=True):
        assert float((stage[0] - stage[1]).abs().max()) > 0
        torch.testing.assert_close(stage[1:2], one, rtol=1e-3, atol=1e-3 * float(one.abs().max()))


def test_inner_stages_lie_on_the_way_to_the_template(
    backbone: Backbone, crops: NDArray[np.uint8]
) -> None:
    """Every stage is, value for value, what some module gives while templates are made; a gradient
    is asked for, as the losses that look at the stages do."""
    inputs = to_tensor(crops[:2]).requires_grad_(backbone.spec.differentiable)
    seen: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out: seen.append(out.clone()))
        for module in backbone.modules()
        if module is not backbone
    ]
    try:
        template = backbone(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    stages = stages_of(backbone, inputs)
    assert torch.equal(backbone(inputs), template)
    places = []
    for stage in stages:
        same = [i for i, out in enumerate(seen) if out.shape == stage.shape]
        places.append(next(i for i in same if torch.equal(seen[i], stage)))
    assert places == sorted(places)


def test_gradients_reach_the_crop_from_every_inner_stage(
    backbone: Backbone, crops: NDArray[np.uint8]
) -> None:
    crop = to_tensor(crops[:1]).requires_grad_()
    stages = stages_of(backbone, crop)
    if not backbone.spec.differentiable:
        pytest.skip("the record says that no gradient reaches the crop")
    for stage in stages:
        (gradient,) = torch.autograd.grad(stage.square().mean(), crop, retain_graph=True)
        assert bool(gradient.isfinite().all())
        assert float(gradient.abs().sum()) > 0


def test_the_input_is_cut_where_the_record_says(backbone: Backbone) -> None:
    """Spots painted at the canonical points arrive, to a tenth of a pixel, at the mapped ones."""
    wanted = apply_affine(np.asarray(backbone.spec.crop), CANONICAL_POINTS)
    for point, target in zip(CANONICAL_POINTS, wanted, strict=True):
        cut = backbone.to_input(spot(point))[0, 0].double()
        rows, columns = torch.meshgrid(*(torch.arange(n) for n in cut.shape), indexing="ij")
        mass = cut.sum()
        centre = (float((columns * cut).sum() / mass), float((rows * cut).sum() / mass))
        assert centre == pytest.approx(tuple(target), abs=0.1)


def spot(point: NDArray[np.float64]) -> Tensor:
    """A crop [1, 3, 224, 224], black but for a Gaussian spot of 4 px at (x, y)."""
    y, x = np.mgrid[:224, :224]
    bright = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * 4.0**2))
    return torch.from_numpy(bright).float().expand(1, 3, 224, 224)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_embedding(name: str, weights: dict[str, str]) -> None:
    template = embed(load_backbone(name, weights), pattern()[None])[0]
    assert template[:6] == pytest.approx(np.array(GOLDEN[name]), abs=2e-5)
