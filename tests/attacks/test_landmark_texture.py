"""Two decoders, trained apart and joined by the warp."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from attacks.base import InversionAttack, make_settings
from attacks.inversion import landmark_texture
from attacks.inversion.landmark_texture import LandmarkTexture, TextureDecoder, rounded_textures
from attacks.inversion.training import held_out_subjects
from biometrics.errors import ConfigError, WeightsError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from tests.attacks.world import SIZE, World, build, fit

Fitted = Callable[[str], InversionAttack]
SHORT = {"epochs": 2, "landmark_epochs": 2}


def fit_decoders(
    world: World, *, faces: FaceSet | None = None, seed: int = 0, **settings: int
) -> LandmarkTexture:
    attack = build("landmark-texture", world, seed=seed, **{**SHORT, **settings})
    assert isinstance(attack, LandmarkTexture)
    attack.fit(faces or world.faces, world.templates)
    return attack


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    assert states[0].keys() == states[1].keys()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.fixture(scope="module")
def reference(world: World) -> LandmarkTexture:
    return fit_decoders(world)


def test_both_losses_fall_also_on_people_who_were_held_out(fitted: Fitted) -> None:
    curves = fitted("landmark-texture").curves
    assert list(curves) == [
        "landmarks, MSE in px²",
        "landmarks, held-out subjects",
        "texture, weighted MAE in grey levels",
        "texture, held-out subjects",
    ]
    assert [len(values) for values in curves.values()] == [12, 12, 8, 8]
    for name, values in curves.items():
        assert values[-1] < 0.8 * values[0], name


def test_the_last_values_of_the_curves_are_the_errors_on_the_people_held_out(
    world: World, reference: LandmarkTexture
) -> None:
    held = held_out_subjects(world.faces.subject_ids, share=0.05, seed=0)
    assert held.sum() == 12
    made = reference.invert(world.templates.vectors[held])
    assert made.landmarks is not None
    squared = ((made.landmarks - world.faces.landmarks[held]) ** 2).mean()
    assert reference.curves["landmarks, held-out subjects"][-1] == pytest.approx(squared, rel=1e-4)
    vectors = torch.from_numpy(world.templates.vectors.copy())
    inputs = (vectors - vectors.mean(dim=0)) / vectors.std()
    with torch.no_grad():
        deviation = reference.texture_decoder(inputs[torch.from_numpy(held)]).numpy()
    true = rounded_textures(world.faces, world.model.mean_shape, SIZE).numpy()[held] / 255.0
    weights = np.broadcast_to(world.model.pixel_weights**2, true.shape)
    error = np.average(np.abs(world.model.mean_texture + deviation - true), weights=weights)
    assert reference.curves["texture, held-out subjects"][-1] == pytest.approx(
        255 * error, rel=1e-4
    )


def test_the_texture_decoder_never_sees_the_landmarks(
    world: World, reference: LandmarkTexture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other landmarks as targets, the same textures (which are cut out by the landmarks)."""
    textures = rounded_textures(world.faces, world.model.mean_shape, SIZE)
    monkeypatch.setattr(landmark_texture, "rounded_textures", lambda *_: textures)
    moved = dataclasses.replace(world.faces, landmarks=world.faces.landmarks[::-1].copy())
    other = fit_decoders(world, faces=moved)
    assert same_weights(other.texture_decoder, reference.texture_decoder)
    assert not same_weights(other.landmark_decoder, reference.landmark_decoder)


def test_the_landmark_decoder_never_sees_the_pictures(
    world: World, reference: LandmarkTexture
) -> None:
    negative = dataclasses.replace(world.faces, crops=255 - world.faces.crops)
    other = fit_decoders(world, faces=negative)
    assert same_weights(other.landmark_decoder, reference.landmark_decoder)
    assert not same_weights(other.texture_decoder, reference.texture_decoder)


def test_settings_of_one_decoder_do_not_change_the_other(
    world: World, reference: LandmarkTexture
) -> None:
    wide = fit_decoders(world, hidden=40, landmark_epochs=1)
    assert same_weights(wide.texture_decoder, reference.texture_decoder)
    deep = fit_decoders(world, channels=32, epochs=1)
    assert same_weights(deep.landmark_decoder, reference.landmark_decoder)


def test_another_seed_gives_another_network(world: World, reference: LandmarkTexture) -> None:
    other = fit_decoders(world, seed=1)
    assert not same_weights(other.texture_decoder, reference.texture_decoder)
    assert not same_weights(other.landmark_decoder, reference.landmark_decoder)


def test_landmarks_that_move_take_the_picture_along(world: World) -> None:
    """All landmarks 28 px to the right are 3 pixels of the 24, wherever the border is far."""
    attack = fit_decoders(world)
    before = attack.invert(world.leaked)
    pixels = 3
    with torch.no_grad():
        attack.landmark_decoder.out.bias[0::2] += pixels * CROP_SIZE / SIZE
    after = attack.invert(world.leaked)
    assert before.landmarks is not None
    assert after.landmarks is not None
    np.testing.assert_allclose((after.landmarks - before.landmarks)[..., 0], 28, atol=1e-3)
    np.testing.assert_allclose((after.landmarks - before.landmarks)[..., 1], 0, atol=1e-3)
    rows, columns = slice(9, 17), slice(10, 16)
    moved = after.crops[:, :, rows, columns]
    expected = before.crops[:, :, rows, slice(10 - pixels, 16 - pixels)]
    unmoved = before.crops[:, :, rows, columns]
    assert np.abs(moved - expected).mean() < 0.35 * np.abs(unmoved - expected).mean()


@pytest.mark.parametrize("size", [8, 16, 24, 56, 96, 100])
@pytest.mark.parametrize("shortcut", [True, False])
def test_the_texture_decoder_makes_any_size(size: int, shortcut: bool) -> None:
    made = TextureDecoder(5, 16, size, shortcut=shortcut)(torch.zeros(2, 5))
    assert made.shape == (2, 3, size, size)


def test_the_shortcut_starts_at_nothing_and_is_linear() -> None:
    vectors = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    decoder = TextureDecoder(5, 16, 16, shortcut=True).eval()
    assert decoder.shortcut is not None
    with torch.no_grad():
        before = decoder(vectors)
        decoder.shortcut.weight[0] = torch.arange(5.0)  # the first value is red, at the corner
        added = decoder(vectors) - before
    torch.testing.assert_close(added[:, 0, 0, 0], vectors @ torch.arange(5.0), atol=1e-5, rtol=0)
    assert torch.count_nonzero(added) == 4


def test_without_the_shortcut_the_attack_learns_too(world: World) -> None:
    attack = fit("landmark-texture", world, shortcut=False)
    assert isinstance(attack, LandmarkTexture)
    assert attack.texture_decoder.shortcut is None
    values = attack.curves["texture, held-out subjects"]
    assert values[-1] < 0.8 * values[0]


def test_progress_counts_the_pairs_of_the_texture_decoder(world: World) -> None:
    counted: list[int] = []
    attack = build("landmark-texture", world, **SHORT)
    attack.resources = dataclasses.replace(attack.resources, advance=counted.append)
    attack.fit(world.faces, world.templates)
    trained_on = 210 - 3 * round(0.05 * 70)
    assert sum(counted) == 2 * (trained_on // 16 * 16)


def test_nobody_is_held_out_of_a_single_person(world: World) -> None:
    same_person = world.faces.table.assign(subject_id="one")
    attack = fit_decoders(world, faces=dataclasses.replace(world.faces, table=same_person))
    assert [len(values) for values in attack.curves.values()] == [2, 0, 2, 0]


def test_an_attack_of_other_widths_is_refused(
    world: World, reference: LandmarkTexture, tmp_path: Path
) -> None:
    reference.save(tmp_path)
    wide = make_settings("landmark-texture", {"channels": 32, "hidden": 24})
    with pytest.raises(WeightsError, match="was fitted with other settings"):
        LandmarkTexture.load(tmp_path, wide, reference.resources)


@pytest.mark.parametrize(
    ("key", "value"), [("epochs", 0), ("learning_rate", float("inf")), ("channels", 8)]
)
def test_settings_out_of_range_are_named(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"'landmark-texture', setting '{key}'"):
        make_settings("landmark-texture", {key: value})


def test_constant_templates_do_not_break_it(world: World) -> None:
    flat = dataclasses.replace(world.templates, vectors=np.full_like(world.templates.vectors, 0.25))
    attack = build("landmark-texture", world, **SHORT)
    attack.fit(world.faces, flat)
    assert np.isfinite(attack.invert(flat.vectors[:2]).crops).all()
