"""The changes that faces suffer in training."""

from __future__ import annotations

import torch

from attacks.inversion.jitter import Jitter
from attacks.inversion.training import seeded


def dot(count: int = 400) -> torch.Tensor:
    """A soft bright spot right of the centre on grey."""
    line = torch.linspace(-1, 1, 33)
    y, x = torch.meshgrid(line, line, indexing="ij")
    spot = 0.3 + 0.4 * torch.exp(-((x - 0.5) ** 2 + y**2) / 0.02)
    return spot.expand(count, 3, -1, -1)


def centres(faces: torch.Tensor) -> torch.Tensor:
    line = torch.linspace(-1, 1, faces.shape[-1])
    weights = (faces.mean(dim=1) - faces.mean(dim=(1, 2, 3)).reshape(-1, 1, 1)).clamp_min(0) ** 4
    total = weights.sum(dim=(1, 2))
    x = (weights.sum(dim=1) * line).sum(dim=1) / total
    y = (weights.sum(dim=2) * line).sum(dim=1) / total
    return torch.stack([x, y], dim=1)


def test_strength_nought_changes_nothing() -> None:
    faces = dot(3)
    assert Jitter(0.0)(faces) is faces


def test_about_half_of_the_faces_are_mirrored_and_none_moves_far() -> None:
    with seeded(1):
        where = centres(Jitter(1.0)(dot()))
    left = (where[:, 0] < 0).float().mean()
    assert 0.4 < float(left) < 0.6
    off = torch.stack([where[:, 0].abs() - 0.5, where[:, 1]], dim=1)
    assert float(off.abs().max()) < 0.2
    assert 0.005 < float(off.std()) < 0.06


def test_a_greater_strength_moves_more() -> None:
    spread = []
    for strength in (0.5, 2.0):
        with seeded(2):
            where = centres(Jitter(strength)(dot()))
        spread.append(float((where[:, 0].abs() - 0.5).std()))
    assert spread[1] > 2 * spread[0]


def test_colours_stay_in_range_and_every_face_is_changed_on_its_own() -> None:
    with seeded(3):
        faces = Jitter(3.0)(dot(8))
    assert float(faces.min()) >= 0
    assert float(faces.max()) <= 1
    assert float((faces[0] - faces[1]).abs().mean()) > 1e-3


def test_gradients_pass() -> None:
    faces = dot(2).clone().requires_grad_()
    Jitter(1.0)(faces).sum().backward()
    assert faces.grad is not None
    assert float(faces.grad.abs().sum()) > 0
