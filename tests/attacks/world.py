"""A small world of faces in which a template is a known linear function of the appearance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from attacks.base import ATTACKS, InversionAttack, Resources, make_settings
from attacks.trained import RECORD
from biometrics.backbones.base import Backbone, BackboneSpec
from biometrics.backbones.embed import embed
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.appearance_fit import fit_appearance
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.resize import from_pixels
from biometrics.templates import TemplateSet

DIM = 12
MODEL = "linear world"
SIZE = 24
SHAPES, TEXTURES = 3, 5

SMALL: dict[str, dict[str, Any]] = {
    "linear-pixels": {"size": 24},
    "gan": {
        "size": 24,
        "width": 0.15,
        "convolutions": False,
        "dense": 48,
        "adversarial": 1e-4,
        "discriminator_channels": 4,
        "epochs": 8,
        "batch_size": 16,
        "learning_rate": 1e-2,
    },
    "dfd": {
        "size": 24,
        "width": 0.15,
        "convolutions": False,
        "dense": 48,
        "epochs": 8,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "gradient_weight": 0.0,
        "local_gradient_weight": 0.0,
        "perceptual_weight": 0.0,
        "local_perceptual_weight": 0.0,
    },
    "nbnet": {
        "size": 24,
        "width": 0.05,
        "neighbours": 2,
        "epochs": 8,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "gradient_weight": 0.0,
        "local_gradient_weight": 0.0,
        "perceptual_weight": 0.0,
        "local_perceptual_weight": 0.0,
    },
    "appearance": {"epochs": 3, "batch_size": 16, "hidden": 24},
    "nagm": {
        "size": 24,
        "width": 0.1,
        "dense": 64,
        "convolutions": False,
        "epochs": 6,
        "landmark_epochs": 10,
        "batch_size": 16,
    },
    "cole": {
        "size": 24,
        "width": 0.1,
        "features": 32,
        "hidden": 32,
        "epochs": 8,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "identity_weight": 0,
    },
    "landmark-texture": {
        "epochs": 8,
        "landmark_epochs": 12,
        "batch_size": 16,
        "channels": 16,
        "hidden": 24,
    },
}
"""Settings with which an attack learns this world in about a second; others take their defaults."""


@dataclass(frozen=True)
class World:
    """The attacker's pairs, other people's templates, and what is true of them.

    ``templates = coefficients @ mixing + noise`` for both; ``truth`` are the leaked coefficients.
    """

    model: AppearanceModel
    faces: FaceSet
    templates: TemplateSet
    coefficients: NDArray[np.float32]
    mixing: NDArray[np.float32]
    leaked: NDArray[np.float32]
    truth: NDArray[np.float32]
    folder: Path

    @cached_property
    def backbone(self) -> Backbone:
        """The attacked model as a white-box: the linear map of coarse pixels that comes nearest to
        the world's templates."""
        return PixelBackbone(self.faces.crops, self.coefficients @ self.mixing)

    @cached_property
    def kept(self) -> Path:
        """A trained attack on the white-box's own templates, as ``faceleak train`` keeps one."""
        attack = build("linear", self)
        attack.fit(self.faces, template_set(embed(self.backbone, self.faces.crops), self.faces))
        attack.save(self.folder)
        record = {"attack": "linear", "settings": {}, "target": MODEL, "similarity": "l2"}
        (self.folder / RECORD).write_text(json.dumps(record))
        return self.folder

    @property
    def pictures(self) -> NDArray[np.float32]:
        """The leaked people as the model draws them, [N, 3, T, T]."""
        with torch.inference_mode():
            return self.model.render(torch.from_numpy(self.truth)).numpy()


class PixelBackbone(Backbone):
    """A linear map of the crop's coarse pixels, fitted by least squares; differentiable."""

    COARSE = 8

    def __init__(self, crops: NDArray[np.uint8], templates: NDArray[np.float32]) -> None:
        super().__init__(
            BackboneSpec(
                name=MODEL,
                dim=templates.shape[1],
                input_size=(CROP_SIZE, CROP_SIZE),
                crop=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
                similarity="l2",
                licence="none",
                origin="a test",
                sha256=None,
                differentiable=True,
                may_be_unseen_judge=True,
                customary_threshold=None,
            )
        )
        pixels = self.coarse(from_pixels(crops)).double()
        ones = torch.ones(len(pixels), 1, dtype=torch.float64)
        system = torch.cat([pixels, ones], dim=1)
        # A small penalty: neighbouring coarse pixels say nearly the same.
        gram = system.T @ system + 1e-3 * torch.eye(system.shape[1], dtype=torch.float64)
        solution = torch.linalg.solve(gram, system.T @ torch.from_numpy(templates).double())
        self.map = nn.Parameter(solution.float(), requires_grad=False)

    def coarse(self, crops: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(crops, self.COARSE).flatten(1)

    def embed_input(self, inputs: Tensor) -> Tensor:
        pixels = self.coarse(inputs)
        return pixels @ self.map[:-1] + self.map[-1]

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Two inner stages, for perceptual losses."""
        return F.avg_pool2d(crops, 4), F.avg_pool2d(crops, 16)


def mean_layout() -> NDArray[np.float64]:
    """68 points roughly where a face has them."""
    angle = np.linspace(np.pi, 0, 17)
    parts = [np.stack([112 + 62 * np.cos(angle), 105 + 88 * np.sin(angle)], axis=1)]
    for centre in (82, 142):
        parts.append(np.stack([centre + np.linspace(-18, 18, 5), np.full(5, 84.0)], axis=1))
    parts.append(np.stack([np.full(4, 112.0), np.linspace(98, 126, 4)], axis=1))
    parts.append(np.stack([112 + np.linspace(-10, 10, 5), np.full(5, 133.0)], axis=1))
    rings = [(84.5, 100, 10, 5, 6), (139.5, 100, 10, 5, 6), (112, 161, 25, 11, 12)]
    for x, y, width, height, count in [*rings, (112, 161, 16, 5, 8)]:
        turn = np.arange(count) * 2 * np.pi / count + np.pi
        parts.append(np.stack([x + width * np.cos(turn), y + height * np.sin(turn)], axis=1))
    return np.concatenate(parts)


def make_faces(people: int, pictures: int, seed: int) -> FaceSet:
    """People with several pictures: smooth colour patterns, and a layout that stretches."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), pictures)
    latent = rng.standard_normal((people, SHAPES + TEXTURES))[person]
    latent += 0.3 * rng.standard_normal(latent.shape)
    line = np.linspace(-1, 1, CROP_SIZE)
    y, x = np.meshgrid(line, line, indexing="ij")
    patterns = np.stack([x, y, x * y, x**2 - 0.33, y**2 - 0.33])[:, :, :, None]
    tints = np.random.default_rng(1).uniform(0.3, 1.0, (TEXTURES, 1, 1, 3))
    images = 128 + 18 * np.tensordot(latent[:, SHAPES:], patterns * tints, axes=1)
    mean = mean_layout()
    spread = (mean - 112) / 60
    moves = np.stack([spread * [1, 0], spread * [0, 1], spread[:, ::-1] * [1, 0]])
    landmarks = mean + 4 * np.tensordot(latent[:, :SHAPES], moves, axes=1)
    table = pd.DataFrame(
        {
            "face_id": [f"{seed}-{i}" for i in range(len(person))],
            "subject_id": [f"{seed}-person-{p}" for p in person],
        }
    )
    crops = np.clip(images, 0, 255).round().astype(np.uint8)
    return FaceSet(crops, landmarks.astype(np.float32), table)


def template_set(vectors: NDArray[np.float32], faces: FaceSet) -> TemplateSet:
    table = faces.table.rename(columns={"face_id": "template_id"})
    return TemplateSet(vectors.astype(np.float32), table, MODEL, False, "generated")


def make_world(noise: float, folder: Path) -> World:
    faces, others = make_faces(70, 3, seed=1), make_faces(20, 1, seed=2)
    model = fit_appearance(
        faces, texture_size=SIZE, texture_components=TEXTURES, shape_components=SHAPES, seed=0
    )
    rng = np.random.default_rng(3)
    known, truth = model.encode(faces), model.encode(others)
    mixing = rng.standard_normal((known.shape[1], DIM)).astype(np.float32)
    vectors = known @ mixing + noise * rng.standard_normal((len(faces), DIM))
    leaked = truth @ mixing + noise * rng.standard_normal((len(others), DIM))
    return World(
        model,
        faces,
        template_set(vectors, faces),
        known,
        mixing,
        leaked.astype(np.float32),
        truth,
        folder,
    )


def build(name: str, world: World, *, seed: int = 0, **settings: Any) -> InversionAttack:
    """An attack of that name that is not fitted."""
    values = {**SMALL.get(name, {}), **settings}
    if name == "adapted":
        values = {"through": MODEL, "attack": str(world.kept), **values}
    attack, settings = ATTACKS.get(name), make_settings(name, values)
    resources = Resources(
        appearance=world.model,
        backbone=world.backbone if attack.whitebox else None,
        others=dict.fromkeys(attack.borrowed(settings), world.backbone),
        seed=seed,
    )
    return attack(settings, resources)


def fit(name: str, world: World, *, seed: int = 0, **settings: Any) -> InversionAttack:
    """An attack of that name, fitted on the world's pairs."""
    attack = build(name, world, seed=seed, **settings)
    attack.fit(world.faces, world.templates)
    return attack
