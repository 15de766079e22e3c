"""One decoder, trained on pixels alone or against a discriminator too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from attacks.base import make_settings
from attacks.inversion.gan import Gan, GanSettings, absolute_error
from biometrics.errors import ConfigError
from biometrics.faces.resize import from_pixels, resize
from tests.attacks.world import SIZE, World, build

SHORT: dict[str, Any] = {"epochs": 2, "start": 0.0}


def fit_gan(world: World, **settings: Any) -> Gan:
    attack = build("gan", world, **{**SHORT, **settings})
    assert isinstance(attack, Gan)
    attack.fit(world.faces, world.templates)
    return attack


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    assert states[0].keys() == states[1].keys()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.fixture(scope="module")
def plain(world: World) -> Gan:
    return fit_gan(world, adversarial=0)


@pytest.fixture(scope="module")
def against(world: World) -> Gan:
    return fit_gan(world, adversarial=0.1)


def test_the_two_rows_differ_by_the_adversarial_loss_alone(
    world: World, plain: Gan, against: Gan
) -> None:
    # A weight that vanishes beside the pixels' gradients leaves the plain decoder, to the bit.
    assert same_weights(plain.network, fit_gan(world, adversarial=1e-30).network)
    assert not same_weights(plain.network, against.network)
    assert len(plain.curves["pixels, held-out subjects"]) == 2
    assert plain.training is not None
    assert against.training is not None
    assert plain.training == replace(against.training, memory=plain.training.memory)


def test_the_curves_of_each_row(plain: Gan, against: Gan) -> None:
    own = ["pixels, mean absolute error", "pixels, held-out subjects"]
    assert list(plain.curves) == own
    assert list(against.curves) == [*own, "generator, minus the score", "discriminator, hinge"]
    assert {len(values) for values in against.curves.values()} == {2}


def test_what_training_took_is_counted(plain: Gan, against: Gan) -> None:
    trained = sum(p.numel() for p in plain.network.parameters())
    assert plain.training is not None
    assert against.training is not None
    assert plain.training.parameters == against.training.parameters == trained
    assert plain.training.memory is not None
    assert against.training.memory is not None
    assert against.training.memory > plain.training.memory > 16 * trained


def test_it_starts_at_the_mean_crop(world: World) -> None:
    frozen = {"adversarial": 0, "learning_rate": 1e-30, "epochs": 1}
    crops = resize(from_pixels(world.faces.crops), SIZE)
    start = fit_gan(world, **frozen).invert(world.leaked).crops
    np.testing.assert_allclose(start[3], crops.mean(dim=0), atol=1 / 255)
    assert np.array_equal(start[0], start[1])


def test_the_discriminator_may_go_without_templates(world: World, against: Gan) -> None:
    other = fit_gan(world, adversarial=0.1, conditional=False)
    assert not same_weights(other.network, against.network)
    assert other.training is not None
    assert against.training is not None
    assert other.training.memory is not None
    assert against.training.memory is not None
    assert other.training.memory < against.training.memory


def test_the_error_is_over_pixels_in_the_unit_range() -> None:
    made = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 3, 1, 1)
    pictures = torch.tensor([255, 0, 51], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert float(absolute_error(made, pictures)) == pytest.approx((1 + 0.5 + 0.8) / 3)


def test_variants_share_the_settings_of_the_attack() -> None:
    row = make_settings("gan:cnn", {"adversarial": 0})
    assert isinstance(row, GanSettings)
    assert row.adversarial == 0
    assert make_settings("gan:gan", {}) == GanSettings()
    with pytest.raises(ConfigError, match=r"'gan:cnn' has no setting 'adversarail'"):
        make_settings("gan:cnn", {"adversarail": 0})


def test_quick_is_smaller_and_keeps_what_makes_the_row() -> None:
    full = GanSettings(adversarial=0, conditional=False)
    quick = full.quick()
    assert (quick.size, quick.width, quick.convolutions) == (96, 0.125, False)
    assert quick.epochs < full.epochs
    assert (quick.adversarial, quick.conditional) == (0, False)


def test_pictures_are_clamped(against: Gan) -> None:
    wild = torch.linspace(-1, 2, 3 * SIZE * SIZE).reshape(1, 3, SIZE, SIZE)
    pictures, landmarks = against.draw(wild)
    assert landmarks is None
    assert np.array_equal(pictures.numpy(), np.clip(wild.numpy(), 0, 1))
