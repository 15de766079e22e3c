"""The appearance decoder: what it starts from, and what its losses do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attacks.base import Resources, make_settings
from attacks.inversion.appearance import (
    Appearance,
    AppearanceLoss,
    AppearanceSettings,
    Renderer,
    siblings,
)
from attacks.inversion.identity import IdentityLoss
from biometrics.errors import ConfigError
from biometrics.ridge import solve_ridge
from tests.attacks.world import World, build, fit


def test_without_the_identity_loss_it_is_the_ridge(world: World) -> None:
    attack = fit("appearance", world, identity=0)
    assert isinstance(attack, Appearance)
    made = attack.network(attack.standardise(torch.tensor(world.leaked)))
    vectors, wanted = world.templates.vectors, world.model.encode(world.faces)
    mean, weights = solve_ridge(vectors, wanted, attack.settings.ridge)
    expected = (world.leaked - mean) @ weights
    np.testing.assert_allclose(made.detach().numpy(), expected, atol=1e-3)
    assert attack.curves == {}
    assert attack.training is None


def test_the_identity_loss_brings_templates_closer(world: World) -> None:
    distances = {}
    measure = IdentityLoss(world.backbone)
    goal = torch.tensor(world.leaked)
    for name, settings in {
        "ridge": {"identity": 0},
        "trained": {"epochs": 6, "likeness": 0.0, "jitter": 0.0, "sibling": 0.0},
    }.items():
        made = torch.from_numpy(fit("appearance", world, **settings).invert(world.leaked).crops)
        distances[name] = float(measure(made, goal).mean())
    assert distances["trained"] < 0.8 * distances["ridge"], distances


def test_the_renderer_draws_what_the_model_draws(world: World) -> None:
    coefficients = torch.from_numpy(world.truth)
    faces, landmarks = Renderer(world.model)(coefficients)
    torch.testing.assert_close(faces, world.model.render(coefficients), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        landmarks, world.model.decode(coefficients).landmarks, atol=1e-3, rtol=0
    )


def test_the_loss_is_the_weighted_sum_of_its_parts(world: World) -> None:
    settings = AppearanceSettings(identity=2, prior=0.5, likeness=3, jitter=0, sibling=0.25)
    loss = AppearanceLoss(world.backbone, world.model, settings)
    k, d = world.truth.shape[1], world.leaked.shape[1]
    generator = torch.Generator().manual_seed(0)
    c, true = (torch.randn(5, k, generator=generator) for _ in range(2))
    own, other = (torch.randn(5, d, generator=generator) for _ in range(2))
    made = IdentityLoss(world.backbone).embed(world.model.render(c))
    near = ((made - own) ** 2).sum(dim=1).mean()
    far = ((made - other) ** 2).sum(dim=1).mean()
    expected = 2 * (0.75 * near + 0.25 * far)
    expected += 0.5 * (c**2).mean() + 3 * ((c - true) ** 2).mean()
    torch.testing.assert_close(loss(c, own, other, true), expected, rtol=1e-4, atol=1e-4)


def test_without_the_model_it_says_what_to_do(world: World) -> None:
    settings = make_settings("appearance", {})
    attack = Appearance(settings, Resources(appearance=world.model))
    with pytest.raises(ConfigError, match="trains through the attacked model, which was not given"):
        attack.fit(world.faces, world.templates)


def test_cosine_templates_count_by_direction_alone(world: World) -> None:
    attack = build("appearance", world, identity=0)
    attack.resources = Resources(appearance=world.model, similarity="cosine")
    attack.fit(world.faces, world.templates)
    one, other = attack.invert(world.leaked), attack.invert(7 * world.leaked)
    np.testing.assert_allclose(one.crops, other.crops, atol=1e-4)


def test_only_the_target_itself_chose_the_default_settings() -> None:
    default = AppearanceSettings()
    assert Appearance.consulted(default, "dlib") == {"dlib"}
    assert Appearance.consulted(default, "mobilefacenet") == {"mobilefacenet"}
    # Other settings, or another target, were seen by whoever judged.
    changed = AppearanceSettings(hidden=64)
    assert Appearance.consulted(changed, "dlib") == {"dlib", "mobilefacenet"}
    assert Appearance.consulted(default, "eigenfaces") == {"dlib", "mobilefacenet"}


def test_a_sibling_is_another_picture_of_the_same_subject() -> None:
    subjects = np.array(["b", "a", "a", "c", "b", "a"])
    rows = siblings(subjects, seed=4)
    assert (subjects[rows] == subjects).all()
    counts = {name: int((subjects == name).sum()) for name in subjects}
    for row, other in enumerate(rows):
        assert (other != row) == (counts[subjects[row]] > 1)
    assert sorted(rows) == list(range(6))  # a circle: everybody is somebody's sibling
