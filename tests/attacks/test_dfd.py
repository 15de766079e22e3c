"""The Deep Face Decoder: where it starts, what it trains with, and what it needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from attacks.base import InversionAttack, Resources, make_settings
from attacks.inversion.crop_network import AroundTheMean, mean_picture
from attacks.inversion.decoder import resized_crops
from attacks.inversion.dfd import CropDecoder, DeepFaceDecoder, DfdSettings
from attacks.inversion.dfd_losses import TERMS
from attacks.inversion.inverted_vgg import InvertedVgg
from biometrics.errors import ConfigError
from tests.attacks.world import World, build, fit

NOTHING = {f"{name}_weight": 0.0 for name in TERMS}
PIXEL = NOTHING | {"pixel_weight": 1.0}
FROZEN = 1e-30
"""A learning rate at which no weight moves."""


def dfd(world: World, **changes: Any) -> InversionAttack:
    return fit("dfd", world, **{"epochs": 1, **changes})


def mean_of(world: World, size: int) -> np.ndarray:
    return mean_picture(resized_crops(world.faces, size)).numpy()


def test_it_starts_at_the_mean_crop(world: World) -> None:
    attack = dfd(world, learning_rate=FROZEN)
    made = attack.invert(world.leaked).crops
    mean = mean_of(world, made.shape[-1])
    np.testing.assert_allclose(made, np.broadcast_to(mean, made.shape), atol=1e-5)
    assert attack.curves["loss, 1 = mean face"][0] == pytest.approx(1, abs=0.1)


def test_the_mean_picture_is_the_mean() -> None:
    pixels = torch.randint(0, 256, (7, 3, 5, 5), generator=torch.manual_seed(0)).byte()
    expected = pixels.numpy().astype(np.float64).mean(axis=0) / 255
    np.testing.assert_allclose(mean_picture(pixels).numpy(), expected, rtol=1e-6)


def test_the_network_is_the_inverted_vgg_around_the_mean() -> None:
    vgg = InvertedVgg(12, 24, width=0.05, dense=16).eval()
    whole = AroundTheMean(vgg, vgg.rgb, 24)
    assert isinstance(whole.decoder, InvertedVgg)
    whole.mean_crop.fill_(0.25)
    vectors = torch.randn(2, 12)
    with torch.inference_mode():
        assert bool((whole(vectors) == 0.25).all())
        vgg.rgb.weight.normal_()
        torch.testing.assert_close(whole(vectors), 0.25 + vgg(vectors))


def test_the_network_learns_from_the_mean_crop(world: World) -> None:
    attack = dfd(world, **PIXEL, epochs=8, learning_rate=5e-3)
    curve = attack.curves["loss, 1 = mean face"]
    assert curve[-1] < 0.75 * curve[0], curve


def test_pictures_come_nearer_than_the_mean_crop(world: World) -> None:
    made = fit("dfd", world).invert(world.leaked).crops
    mean = mean_of(world, made.shape[-1])
    ours = np.square(made - world.pictures).mean()
    assert ours < 0.5 * np.square(mean - world.pictures).mean()


def test_the_scale_of_the_weights_does_not_move_the_curve(world: World) -> None:
    curves = [
        dfd(world, **NOTHING | {"pixel_weight": weight}, learning_rate=FROZEN).curves
        for weight in (1.0, 5.0)
    ]
    assert list(curves[0]) == list(curves[1])
    for name, values in curves[0].items():
        assert values == pytest.approx(curves[1][name], rel=1e-5)


def test_the_perceptual_network_is_borrowed_unless_it_is_the_target(world: World) -> None:
    def said(**values: Any) -> tuple[bool, frozenset[str], frozenset[str]]:
        made = make_settings("dfd:row", values)
        attack = DeepFaceDecoder(made, Resources(world.model))
        consulted = DeepFaceDecoder.consulted(made, "dlib")
        return attack.needs_model(), attack.borrowed(made), consulted

    assert said() == (True, frozenset(), DeepFaceDecoder.tuned_for)
    other = frozenset({"mobilefacenet"})
    tuned = DeepFaceDecoder.tuned_for
    assert said(perceptual="mobilefacenet") == (False, other, other | tuned)
    without = {"perceptual_weight": 0, "local_perceptual_weight": 0}
    assert said(perceptual="mobilefacenet", **without) == (False, frozenset(), tuned)
    assert said(perceptual="mobilefacenet", perceptual_weight=0)[1] == other


def test_the_attacked_model_and_a_borrowed_one_give_the_same_loss(world: World) -> None:
    borrowed = dfd(world, perceptual="linear world")
    white = build("dfd", world, epochs=1, perceptual="target")
    object.__setattr__(white.resources, "backbone", world.backbone)
    white.fit(world.faces, world.templates)
    assert white.curves == borrowed.curves
    assert np.array_equal(white.invert(world.leaked).crops, borrowed.invert(world.leaked).crops)


def test_a_network_that_is_not_at_hand_is_named(world: World) -> None:
    seen = {"perceptual_weight": 1.0}
    attack = build("dfd", world, perceptual="vgg", **seen)
    object.__setattr__(attack.resources, "others", {})
    with pytest.raises(ConfigError, match="through backbone 'vgg', which is not at hand"):
        attack.fit(world.faces, world.templates)
    white = build("dfd", world, perceptual="target", **seen)
    object.__setattr__(white.resources, "backbone", None)
    with pytest.raises(ConfigError, match="attack 'dfd' trains through the attacked model"):
        white.fit(world.faces, world.templates)


def test_without_a_perceptual_weight_no_network_is_needed(world: World) -> None:
    weights = {"perceptual_weight": 0, "local_perceptual_weight": 0}
    attack = build("dfd", world, epochs=1, perceptual="vgg", **weights)
    object.__setattr__(attack.resources, "others", {})
    attack.fit(world.faces, world.templates)
    assert isinstance(attack, CropDecoder)


def test_no_loss_at_all_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="has no loss"):
        dfd(world, **NOTHING)


def test_a_quick_run_is_smaller_and_never_larger() -> None:
    quick = DfdSettings().quick()
    assert (quick.size, quick.dense) == (96, 1024)
    assert quick.width < 1
    assert quick.perceptual_share < 1
    assert quick.epochs < DfdSettings().epochs
    assert DfdSettings().convolutions
    assert not quick.convolutions
    tiny = DfdSettings(size=32, epochs=1, width=0.05, dense=64, perceptual_share=0.1)
    same = {"size", "epochs", "width", "dense", "perceptual_share"}
    assert tiny.quick().model_dump(include=same) == tiny.model_dump(include=same)
