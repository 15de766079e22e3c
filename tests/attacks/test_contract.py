"""What every registered attack must do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from attacks.base import ATTACKS, InversionAttack, Resources, make_settings
from attacks.inversion.controls import Shuffled
from attacks.trained import RECORD
from biometrics.errors import ConfigError, InputError, UnknownNameError, WeightsError
from tests.attacks.world import DIM, World, build, fit

SHIPPED = {
    "adapted",
    "control:mean",
    "control:nearest",
    "control:random",
    "control:shuffled",
    "cole",
    "gan",
    "dfd",
    "landmark-texture",
    "linear",
    "linear-pixels",
    "nagm",
    "nbnet",
}
WITHOUT_LANDMARKS: set[str] = {"dfd", "gan", "linear-pixels", "nbnet"}
"""Attacks that draw a whole picture and predict no points."""

REAL = [name for name in ATTACKS.names() if not ATTACKS.get(name).control]
Fitted = Callable[[str], InversionAttack]

every_attack = pytest.mark.parametrize("name", ATTACKS.names())


def same(one: InversionAttack, other: InversionAttack, vectors: np.ndarray) -> bool:
    a, b = one.invert(vectors), other.invert(vectors)
    assert (a.landmarks is None) == (b.landmarks is None)
    alike = a.landmarks is None or np.array_equal(a.landmarks, b.landmarks)
    return np.array_equal(a.crops, b.crops) and alike


def test_the_attacks_that_ship_are_registered() -> None:
    assert set(ATTACKS.names()) >= SHIPPED


def test_an_unknown_attack_lists_the_known_ones() -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"did you mean 'linear'.*known: adapted, appearance, cole, con",
    ):
        make_settings("liner", {})


@every_attack
def test_it_says_what_it_needs_to_know(name: str) -> None:
    attack = ATTACKS.get(name)
    assert attack.knowledge.strip()
    assert attack.control == name.startswith("control:")


@every_attack
def test_faces_have_the_promised_shape_type_and_range(
    name: str, world: World, fitted: Fitted
) -> None:
    made = fitted(name).invert(world.leaked)
    n, channels, height, width = made.crops.shape
    assert len(made) == n == len(world.leaked)
    assert channels == 3
    assert height == width
    assert made.crops.dtype == np.float32
    assert made.crops.min() >= 0
    assert made.crops.max() <= 1
    assert made.crops.flags.writeable
    if made.landmarks is None:
        assert name in WITHOUT_LANDMARKS
        return
    assert made.landmarks.shape == (n, 68, 2)
    assert made.landmarks.dtype == np.float32
    assert made.landmarks.min() > 0
    assert 100 < made.landmarks.max() < 224


@every_attack
def test_the_input_is_left_untouched(name: str, world: World, fitted: Fitted) -> None:
    vectors = world.leaked.copy()
    made = fitted(name).invert(vectors)
    assert np.array_equal(vectors, world.leaked)
    made.crops[:] = 0.5  # its memory is its own
    assert same(fitted(name), fitted(name), world.leaked)
    assert not np.array_equal(fitted(name).invert(vectors).crops, made.crops)


@every_attack
def test_two_fits_with_one_seed_give_the_same_faces(
    name: str, world: World, fitted: Fitted
) -> None:
    torch.rand(5)  # whatever was drawn elsewhere before
    np.random.random(3)
    assert same(fitted(name), fit(name, world), world.leaked)


@every_attack
def test_random_numbers_elsewhere_are_not_disturbed(
    name: str, world: World, tmp_path: Path
) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    attack = fit(name, world)
    attack.invert(world.leaked)
    attack.save(tmp_path)
    type(attack).load(tmp_path, attack.settings, attack.resources)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


@every_attack
def test_a_saved_attack_gives_the_same_faces_bit_for_bit(
    name: str, world: World, fitted: Fitted, tmp_path: Path
) -> None:
    attack = fitted(name)
    attack.save(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert files
    assert {path.suffix for path in files if path.name != RECORD} == {".safetensors"}
    other_face = dataclasses.replace(
        world.model,
        mean_texture=1 - world.model.mean_texture,
        mean_shape=world.model.mean_shape + 1,
    )
    resources = Resources(appearance=other_face, seed=attack.resources.seed)
    loaded = type(attack).load(tmp_path, attack.settings, resources)
    assert same(attack, loaded, world.leaked)
    again = tmp_path / "again"
    again.mkdir()
    loaded.save(again)
    for path in files:
        assert (again / path.relative_to(tmp_path)).read_bytes() == path.read_bytes()


@every_attack
def test_a_damaged_or_absent_save_is_refused(
    name: str, world: World, fitted: Fitted, tmp_path: Path
) -> None:
    attack = fitted(name)
    with pytest.raises(WeightsError, match="not a readable attack"):
        type(attack).load(tmp_path, attack.settings, attack.resources)
    attack.save(tmp_path)
    (path,) = (p for p in tmp_path.glob("*.safetensors") if p.name != "appearance.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=path.name):
        type(attack).load(tmp_path, attack.settings, attack.resources)
    other = fitted("linear" if "control" in path.name else "control:mean")
    other.save(tmp_path)
    foreign = "linear" if "control" in path.name else "control"
    (tmp_path / f"{foreign}.safetensors").replace(path)
    with pytest.raises(WeightsError, match="is not of this attack: it lacks"):
        type(attack).load(tmp_path, attack.settings, attack.resources)


@every_attack
def test_a_batch_equals_its_templates_one_by_one(name: str, world: World, fitted: Fitted) -> None:
    attack = fitted(name)
    together = attack.invert(world.leaked[:6])
    alone = [attack.invert(world.leaked[i : i + 1]) for i in range(6)]
    np.testing.assert_allclose(np.concatenate([a.crops for a in alone]), together.crops, atol=2e-5)
    if together.landmarks is None:
        return
    points = np.concatenate([a.landmarks for a in alone if a.landmarks is not None])
    np.testing.assert_allclose(points, together.landmarks, atol=1e-3)


@every_attack
def test_no_templates_give_no_faces(name: str, world: World, fitted: Fitted) -> None:
    made = fitted(name).invert(world.leaked[:0])
    assert len(made) == 0
    assert made.crops.shape[1:] == fitted(name).invert(world.leaked[:1]).crops.shape[1:]


@every_attack
def test_templates_that_it_cannot_use_are_refused(name: str, world: World, fitted: Fitted) -> None:
    attack, broken = fitted(name), world.leaked.copy()
    broken[4, 2], broken[7, 0] = np.nan, np.inf
    with pytest.raises(InputError, match=r"2 of 20 templates hold NaN.*first: row 4"):
        attack.invert(broken)
    with pytest.raises(InputError, match=rf"fitted on templates of {DIM} values, got \[20, 11\]"):
        attack.invert(world.leaked[:, :-1])
    with pytest.raises(InputError, match=r"got \[12\]"):
        attack.invert(world.leaked[0])


@every_attack
def test_an_attack_that_was_not_fitted_says_so(name: str, world: World) -> None:
    with pytest.raises(InputError, match="fit it, or load a fitted one"):
        build(name, world).invert(world.leaked)


@every_attack
def test_faces_and_templates_that_are_no_pairs_are_refused(name: str, world: World) -> None:
    attack, one = build(name, world), np.array([0])
    with pytest.raises(InputError, match="two or more pairs, got 210 faces and 209 templates"):
        attack.fit(world.faces, world.templates.take(np.arange(209)))
    with pytest.raises(InputError, match="two or more pairs, got 1 faces and 1 templates"):
        attack.fit(world.faces.take(one), world.templates.take(one))


@every_attack
def test_two_pairs_are_enough(name: str, world: World) -> None:
    attack, two = build(name, world), np.array([0, 5])
    attack.fit(world.faces.take(two), world.templates.take(two))
    assert np.isfinite(attack.invert(world.leaked).crops).all()


@every_attack
def test_an_unknown_setting_names_the_nearest(name: str) -> None:
    for known in ATTACKS.get(name).Settings.model_fields:
        with pytest.raises(ConfigError, match=rf"'{name}' has no setting.*did you mean '{known}'"):
            make_settings(name, {f"{known}_": 1})
    with pytest.raises(ConfigError, match=f"'{name}' has no setting 'zzzz'$"):
        make_settings(name, {"zzzz": 1})


@pytest.mark.parametrize("name", REAL)
def test_a_real_attack_beats_itself_trained_on_permuted_templates(
    name: str, world: World, fitted: Fitted
) -> None:
    """The same attack with the same settings; only the pairing is gone."""
    control = build("control:shuffled", world, attack=name)
    assert isinstance(control, Shuffled)
    control.attack = build(name, world)
    control.fit(world.faces, world.templates)
    errors = {}
    for row, attack in (("attack", fitted(name)), ("shuffled", control)):
        made = attack.invert(world.leaked)
        errors[row] = float(np.abs(made.crops - world.pictures).mean())
    assert errors["attack"] < 0.7 * errors["shuffled"], errors
