"""The decoder of Cole et al. 2017: one shared layer, three losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from attacks.base import Resources, make_settings
from attacks.inversion.cole import (
    Cole,
    ColeLoss,
    ColeNetwork,
    ColeSettings,
    ConvolutionalTexture,
    LinearTexture,
)
from attacks.inversion.warped_face import MeanFace, Parts, parameters
from biometrics.errors import ConfigError, WeightsError
from tests.attacks.world import DIM, SIZE, World, build

TINY = {
    "size": SIZE,
    "width": 0.03,
    "features": 12,
    "hidden": 16,
    "epochs": 2,
    "batch_size": 32,
    "learning_rate": 1e-2,
}


def made(world: World, **values: Any) -> Cole:
    attack = build("cole", world, **{**TINY, **values})
    assert isinstance(attack, Cole)
    return attack


def trained(world: World, **values: Any) -> Cole:
    attack = made(world, **values)
    attack.fit(world.faces, world.templates)
    return attack


def some_parts(world: World, seed: int) -> Parts:
    generator = torch.Generator().manual_seed(seed)
    face = MeanFace(world.model, SIZE)
    return Parts(
        face.landmarks(torch.randn(4, 136, generator=generator)),
        face.textures(0.05 * torch.randn(4, 3, SIZE, SIZE, generator=generator)),
    )


def test_the_parameters_at_full_size() -> None:
    with torch.device("meta"):
        deep, flat = ConvolutionalTexture(64, 224, 1.0), LinearTexture(64, 224)
    assert 56 * 56 * 256 == 802_816
    dense = 64 * 802_816 + 802_816
    doublings = 25 * 256 * 128 + 128 + 25 * 128 * 32 + 32
    assert parameters(deep) == dense + doublings + 32 * 3 + 3 == 53_104_899
    assert parameters(flat) == 64 * 150_528 + 150_528
    assert deep.start == 56


def test_it_tells_its_parameters(world: World) -> None:
    attack = made(world)
    attack.network = attack.build(DIM)
    said = attack.describe()
    assert f"shared layer {12 * DIM + 12:,} parameters" in said
    assert f"landmark network {12 * 16 + 16 + 16 * 136 + 136:,}" in said
    assert "convolutional texture network" in said
    assert f"12 x {8 * (SIZE // 4) ** 2:,} weights" in said


@pytest.mark.parametrize("size", [24, 29, 40])
def test_textures_have_the_size_that_was_asked_for(size: int) -> None:
    for network in (ConvolutionalTexture(5, size, 0.03), LinearTexture(5, size)):
        assert network(torch.randn(2, 5)).shape == (2, 3, size, size)


def test_the_doublings_are_5x5_transposed_convolutions_of_stride_2() -> None:
    torch.manual_seed(0)
    network = ConvolutionalTexture(5, SIZE, 0.03).double()
    network.rgb.weight.data.normal_()
    vectors = torch.randn(2, 5, dtype=torch.float64)
    x = network.dense(vectors).reshape(2, 8, 6, 6).clamp_min(0)
    for place in (1, 3):
        layer = network.doublings[place]
        spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        spread[:, :, ::2, ::2] = x
        kernel = layer.weight.transpose(0, 1).flip(2, 3)
        x = F.conv2d(spread, kernel, layer.bias, padding=2).clamp_min(0)
    torch.testing.assert_close(network(vectors), network.rgb(x))


@pytest.mark.parametrize("texture", ["convolutional", "fully-connected"])
def test_before_training_everyone_looks_like_the_mean_face(world: World, texture: str) -> None:
    attack = made(world, texture=texture)
    attack.network = attack.build(DIM)
    with torch.no_grad():
        pictures, points = attack.draw(attack.network(torch.randn(2, DIM)))
    expected = torch.from_numpy(world.model.mean_texture).expand(2, -1, -1, -1)
    torch.testing.assert_close(pictures, expected, atol=1e-4, rtol=0)
    assert points is not None
    assert torch.equal(points, torch.from_numpy(world.model.mean_shape).expand(2, -1, -1))


def test_both_decoders_start_from_the_shared_layer(world: World) -> None:
    network = made(world).build(DIM)
    assert isinstance(network, ColeNetwork)
    for last in (network.texture.rgb, network.landmarks[2]):
        last.weight.data.normal_()
    vectors = torch.randn(2, DIM)
    before = network(vectors)
    network.shared[0].bias.data.fill_(-1e4)  # behind the ReLU, nothing is left
    after = network(vectors)
    for one, other in zip(before, after, strict=True):
        assert not torch.allclose(one[0], one[1])
        assert torch.equal(other[0], other[1])


def test_the_loss_is_the_weighted_sum_of_three(world: World) -> None:
    rng = np.random.default_rng(4)
    said = some_parts(world, seed=1)
    points = (world.model.mean_shape + rng.normal(size=(4, 68, 2))).astype(np.float32)
    textures = rng.integers(0, 256, (4, 3, SIZE, SIZE), dtype=np.uint8)
    templates = rng.normal(size=(4, DIM)).astype(np.float32)
    face = MeanFace(world.model, SIZE)

    def loss(scale: float = 1.0, *, model: bool = True, **weights: float) -> float:
        settings = ColeSettings(**{**TINY, **weights})
        module = ColeLoss(face, settings, world.backbone if model else None)
        targets = map(torch.from_numpy, (points, textures, scale * templates))
        return float(module(said, *targets))

    squared = ((said.landmarks.numpy() - points) ** 2).mean()
    absolute = np.abs(said.textures.numpy() - textures / 255).mean()
    with torch.no_grad():
        crops = world.model.compose(said.textures, said.landmarks).clamp(0, 1)
        crops = F.interpolate(crops, (224, 224), mode="bilinear", align_corners=False)
        seen = world.backbone(crops).numpy()
    lengths = np.linalg.norm(seen, axis=1) * np.linalg.norm(templates, axis=1)
    cosine = ((seen * templates).sum(axis=1) / lengths).mean()
    assert loss() == pytest.approx(squared + 100 * absolute - 10 * cosine, rel=1e-4)
    assert loss(model=False) == pytest.approx(squared + 100 * absolute, rel=1e-5)
    one = {"landmark_weight": 2.0, "identity_weight": 3.0, "texture_weight": 5.0}
    assert loss(**one) == pytest.approx(2 * squared + 5 * absolute - 3 * cosine, rel=1e-4)
    # The cosine also for a backbone that compares by distance.
    assert world.backbone.spec.similarity == "l2"
    assert loss(3.0) == pytest.approx(loss(), rel=1e-5)


def test_the_identity_loss_reaches_both_decoders_and_not_the_model(world: World) -> None:
    network = made(world).build(DIM)
    settings = ColeSettings(**TINY, landmark_weight=0)
    loss = ColeLoss(network.face, settings, world.backbone)
    said = network(torch.randn(4, DIM))
    said.landmarks.retain_grad()
    said.textures.retain_grad()
    exact = Parts(said.landmarks, said.textures)
    textures = (255 * said.textures.detach()).round().byte()
    with_model = loss(exact, said.landmarks.detach(), textures, torch.randn(4, DIM))
    with_model.backward()
    assert said.landmarks.grad.abs().max() > 0
    assert said.textures.grad.abs().max() > 0
    assert all(p.grad is None for p in world.backbone.parameters())


def test_with_the_identity_loss_reconstructions_come_nearer_to_their_templates(
    world: World,
) -> None:
    likeness, few = {}, np.arange(90)
    for weight in (0.0, 1000.0):
        attack = made(world, epochs=4, batch_size=16, identity_weight=weight)
        attack.fit(world.faces.take(few), world.templates.take(few))
        crops = torch.from_numpy(attack.invert(world.leaked).crops)
        crops = F.interpolate(crops, (224, 224), mode="bilinear", align_corners=False)
        with torch.no_grad():
            seen = world.backbone(crops)
        likeness[weight] = float(
            torch.cosine_similarity(seen, torch.from_numpy(world.leaked.copy())).mean()
        )
    assert likeness[1000.0] > likeness[0.0] + 0.01, likeness


def test_without_the_identity_loss_no_model_is_needed(world: World) -> None:
    resources = Resources(appearance=world.model)
    attack = Cole(make_settings("cole", {**TINY, "identity_weight": 0}), resources)
    attack.fit(world.faces, world.templates)
    assert not attack.needs_model()
    same = trained(world, identity_weight=0)  # a model that is there changes nothing
    assert np.array_equal(attack.invert(world.leaked).crops, same.invert(world.leaked).crops)


def test_with_it_the_model_must_be_there(world: World) -> None:
    attack = Cole(make_settings("cole", TINY), Resources(appearance=world.model))
    assert attack.needs_model()
    with pytest.raises(ConfigError, match=r"'cole' trains through the attacked model.*not given"):
        attack.fit(world.faces, world.templates)
    assert Cole.whitebox


def test_the_fully_connected_texture_trains_too(world: World, tmp_path: Path) -> None:
    attack = trained(world, texture="fully-connected", epochs=4, identity_weight=0, batch_size=16)
    curve = attack.curves["weighted sum, held-out subjects"]
    assert curve[-1] < 0.95 * curve[0], curve
    attack.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cole.safetensors"]
    loaded = Cole.load(tmp_path, attack.settings, Resources(appearance=world.model))
    assert np.array_equal(loaded.invert(world.leaked).crops, attack.invert(world.leaked).crops)
    other = make_settings("cole", TINY)
    with pytest.raises(WeightsError, match="fitted with other settings"):
        Cole.load(tmp_path, other, attack.resources)


def test_the_weights_are_the_papers() -> None:
    settings = ColeSettings()
    weights = settings.landmark_weight, settings.identity_weight, settings.texture_weight
    assert weights == (1, 10, 100)
    assert settings.features == 64
    quick = ColeSettings(texture="fully-connected").quick()
    assert (quick.size, quick.texture, quick.features) == (96, "fully-connected", 64)
