"""The identity loss: its two distances, its gradient, and what must not be trained by it."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from attacks.inversion.identity import IdentityLoss
from biometrics.faces.resize import from_pixels
from tests.attacks.world import World


def some(world: World, size: int = 224) -> torch.Tensor:
    faces = from_pixels(np.asarray(world.faces.crops[:6]))
    return F.interpolate(faces, (size, size), mode="bilinear", align_corners=False)


def test_the_distance_is_the_squared_length_of_the_difference(world: World) -> None:
    loss = IdentityLoss(world.backbone)
    templates = torch.randn(6, world.backbone.spec.dim)
    made = world.backbone(some(world))
    expected = torch.linalg.vector_norm(made - templates, dim=1) ** 2
    torch.testing.assert_close(loss(some(world), templates), expected)


def test_cosine_backbones_are_compared_by_direction(world: World) -> None:
    loss = IdentityLoss(world.backbone)
    loss.similarity = "cosine"
    made = world.backbone(some(world))
    torch.testing.assert_close(loss(some(world), 3 * made), torch.zeros(6), atol=1e-6, rtol=0)
    torch.testing.assert_close(loss(some(world), -made), torch.full((6,), 2.0))


@pytest.mark.parametrize("beyond", [1.0, 1.6])
def test_a_smaller_picture_is_seen_at_the_size_of_the_crop(world: World, beyond: float) -> None:
    # What a backbone is shown, point by point: the same places of the face at every size, and
    # black where it looks beyond the crop.
    backbone = copy.deepcopy(world.backbone)
    backbone.grid = backbone.grid * beyond
    shown = []

    def look(inputs: torch.Tensor) -> torch.Tensor:
        shown.append(inputs)
        return inputs

    backbone.embed_input = look  # type: ignore[method-assign]
    loss = IdentityLoss(backbone)
    loss.embed(some(world, 112))
    loss.embed(some(world))
    small, whole = shown
    assert small.shape == whole.shape
    assert float((small - whole).abs().max()) < 0.01
    assert (beyond > 1) == bool((whole[..., 0, 0] == 0).all())


def test_its_gradient_moves_a_picture_towards_the_template(world: World) -> None:
    loss = IdentityLoss(world.backbone)
    faces = some(world, 48).requires_grad_()
    goal = world.backbone(some(world)).roll(1, dims=0)
    before = loss(faces, goal).sum()
    (gradient,) = torch.autograd.grad(before, faces)
    step = 0.05 * before.detach() / gradient.square().sum()
    after = loss(faces.detach() - step * gradient, goal).sum()
    assert after.item() < before.item()
    assert all(p.grad is None for p in world.backbone.parameters())


def test_the_backbones_own_record_decides(world: World) -> None:
    spec = dataclasses.replace(world.backbone.spec, similarity="cosine")
    assert IdentityLoss(world.backbone).similarity == "l2"
    assert spec.similarity == "cosine"
