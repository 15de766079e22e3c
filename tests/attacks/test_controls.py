"""The controls: what they answer, and what they never look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.base import InversionAttack, make_settings
from attacks.inversion.controls import NearestFace, RandomFace, Shuffled
from biometrics.errors import ConfigError, UnknownNameError
from biometrics.faces.faceset import FaceSet
from biometrics.templates import TemplateSet
from tests.attacks.world import World, build, fit, template_set

Fitted = Callable[[str], InversionAttack]


def many(count: int, dim: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).standard_normal((count, dim)).astype(np.float32)


def random_face(world: World, faces: FaceSet, templates: TemplateSet, seed: int = 0) -> RandomFace:
    attack = build("control:random", world, seed=seed)
    assert isinstance(attack, RandomFace)
    attack.fit(faces, templates)
    return attack


def test_mean_is_the_mean_face_for_everybody(world: World, fitted: Fitted) -> None:
    made = fitted("control:mean").invert(world.leaked)
    assert made.landmarks is not None
    for crop, landmarks in zip(made.crops, made.landmarks, strict=True):
        assert np.array_equal(crop, world.model.mean_texture)
        assert np.array_equal(landmarks, world.model.mean_shape)


def test_nearest_equals_a_search_one_by_one(world: World, fitted: Fitted) -> None:
    attack = fitted("control:nearest")
    assert isinstance(attack, NearestFace)
    known = world.templates.vectors.astype(np.float64)
    expected = [int(np.argmin(np.linalg.norm(known - v, axis=1))) for v in world.leaked]
    assert attack.choose(world.leaked).tolist() == expected
    assert len(set(expected)) > 5
    made = attack.invert(world.leaked)
    pictures = world.faces.crops[expected]
    assert np.array_equal(made.rounded(), pictures)
    assert made.landmarks is not None
    assert np.array_equal(made.landmarks, world.faces.landmarks[expected])


def test_nearest_finds_each_face_by_its_own_template(world: World, fitted: Fitted) -> None:
    attack = fitted("control:nearest")
    assert isinstance(attack, NearestFace)
    rows = attack.choose(world.templates.vectors)
    assert np.array_equal(rows, np.arange(len(world.faces)))


def test_nearest_is_by_distance_and_not_by_angle_and_takes_the_first_of_equals(
    world: World,
) -> None:
    faces = world.faces.take(np.arange(4))
    vectors = np.array([[10, 0], [0, 1], [0, 1], [-1, 0]], dtype=np.float32)
    attack = build("control:nearest", world)
    assert isinstance(attack, NearestFace)
    attack.fit(faces, template_set(vectors, faces))
    asked = np.array([[0.6, 0], [0, 3], [-1, 0.1]], dtype=np.float32)
    assert attack.choose(asked).tolist() == [1, 1, 3]  # by angle the first would be row 0


def test_random_depends_on_template_and_seed_and_not_on_its_neighbours(world: World) -> None:
    asked = many(40, world.templates.vectors.shape[1])
    attack = random_face(world, world.faces, world.templates)
    rows = attack.choose(asked)
    assert np.array_equal(attack.choose(asked[::-1]), rows[::-1])
    assert np.array_equal(attack.choose(np.asfortranarray(asked)), rows)
    assert np.array_equal(attack.choose(asked.astype(np.float64)), rows)  # type: ignore[arg-type]
    assert (random_face(world, world.faces, world.templates, 1).choose(asked) != rows).any()


def test_random_never_looks_at_the_faces_and_their_templates(world: World) -> None:
    asked = many(40, world.templates.vectors.shape[1])
    rows = random_face(world, world.faces, world.templates).choose(asked)
    order = np.random.default_rng(0).permutation(len(world.faces))
    other = random_face(world, world.faces.take(order), world.templates.take(order[::-1]))
    assert np.array_equal(other.choose(asked), rows)


def test_random_draws_every_face_about_as_often(world: World) -> None:
    few = np.arange(10)
    attack = random_face(world, world.faces.take(few), world.templates.take(few))
    counts = np.bincount(attack.choose(many(2000, 12)), minlength=10)
    # Chi-square with 9 degrees of freedom: above 33 once in 10,000 fair draws.
    assert ((counts - 200) ** 2 / 200).sum() < 33


def test_shuffled_leaves_no_template_with_its_picture(world: World) -> None:
    seen: list[tuple[FaceSet, TemplateSet]] = []

    class Recorder(Shuffled):
        def fit(self, faces: FaceSet, templates: TemplateSet) -> None:
            seen.append((faces, templates))

    for count in (2, 3, 210):
        control = build("control:shuffled", world)
        assert isinstance(control, Shuffled)
        control.attack = Recorder(control.settings, control.resources)
        rows = np.arange(count)
        control.fit(world.faces.take(rows), world.templates.take(rows))
        faces, templates = seen.pop()
        own = world.templates.vectors[:count]
        assert list(faces.table["face_id"]) == list(world.faces.table["face_id"][:count])
        assert (templates.vectors != own).any(axis=1).all()
        assert np.array_equal(np.sort(templates.vectors, axis=0), np.sort(own, axis=0))


def test_shuffled_falls_to_the_mean_face(world: World, fitted: Fitted) -> None:
    def distance(name: str) -> float:
        made = fitted(name).invert(world.leaked)
        return float(np.abs(made.crops - world.model.mean_texture).mean())

    assert distance("control:shuffled") < 0.35 * distance("linear")


def test_shuffled_takes_the_attack_that_it_is_told(world: World) -> None:
    control = build("control:shuffled", world, attack="landmark-texture")
    assert isinstance(control, Shuffled)
    assert type(control.attack).__name__ == "LandmarkTexture"


@pytest.mark.parametrize("name", ["control:shuffled", "control:mean"])
def test_shuffled_refuses_to_shuffle_a_control(name: str) -> None:
    with pytest.raises(ConfigError, match=f"setting 'attack'.*'{name}' is a control itself"):
        make_settings("control:shuffled", {"attack": name})


def test_shuffled_refuses_an_unknown_attack() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown attack 'lineal' .did you mean 'linear'"):
        make_settings("control:shuffled", {"attack": "lineal"})


def test_controls_have_no_training_curves(fitted: Fitted) -> None:
    for name in ("control:mean", "control:nearest", "control:random", "control:shuffled"):
        assert fitted(name).curves == {}


def test_shuffled_shows_the_curves_of_its_attack(world: World) -> None:
    control = build("control:shuffled", world, attack="landmark-texture")
    assert isinstance(control, Shuffled)
    control.attack = build("landmark-texture", world, epochs=1, landmark_epochs=1)
    control.fit(world.faces, world.templates)
    assert control.curves == control.attack.curves != {}
    assert fit("linear", world).curves == {}
