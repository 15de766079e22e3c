"""A tiny seeded recogniser and seeded pictures, for attacks that ask it many times."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from attacks.perturbation.base import Pictures
from attacks.perturbation.recogniser import Gallery, Recogniser
from biometrics.backbones.base import Backbone, BackboneSpec, Similarity
from biometrics.backbones.embed import embed
from biometrics.faces.geometry import CROP_SIZE, N_LANDMARKS

PEOPLE = 5


def toy_spec(similarity: Similarity = "cosine", *, differentiable: bool = True) -> BackboneSpec:
    return BackboneSpec(
        name="toy",
        dim=8,
        input_size=(12, 12),
        crop=((12 / CROP_SIZE, 0.0, -0.3), (0.0, 12 / CROP_SIZE, -0.2)),
        similarity=similarity,
        licence="none",
        origin="drawn at random",
        sha256=None,
        differentiable=differentiable,
        may_be_unseen_judge=False,
        customary_threshold=None,
    )


class ToyBackbone(Backbone):
    """Two smooth layers with random weights on a 12x12 cut."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__(spec)
        draw = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, stride=2, bias=False)
        self.last = nn.Linear(8 * 25, spec.dim, bias=False)
        for layer in (self.first, self.last):
            layer.weight.data = torch.randn(layer.weight.shape, generator=draw) / 4.0
        self.eval().requires_grad_(False)

    def embed_input(self, inputs: Tensor) -> Tensor:
        inner = torch.tanh(self.first(inputs - 0.5))
        return self.last(inner.flatten(1))


def toy_pictures(n: int, *, seed: int = 0) -> Pictures:
    """Blotches of 16 pixels, some of them black and white to the limits."""
    rng = np.random.default_rng(seed)
    coarse = np.clip(rng.integers(-40, 296, (n, 14, 14, 3)), 0, 255).astype(np.uint8)
    crops = coarse.repeat(16, axis=1).repeat(16, axis=2)
    landmarks = np.zeros((n, N_LANDMARKS, 2), dtype=np.float32)
    return Pictures(crops, landmarks, np.arange(100, 100 + n, dtype=np.uint64))


def toy_recogniser(similarity: Similarity = "cosine", scale: float = 20.0) -> Recogniser:
    """It knows five people, by other pictures than those of :func:`toy_pictures`."""
    backbone = ToyBackbone(toy_spec(similarity))
    templates = embed(backbone, toy_pictures(PEOPLE, seed=9).crops)
    return Recogniser(backbone, Gallery(templates, similarity, scale))


def aims(pictures: Pictures, *, shift: int = 2) -> dict[int, int]:
    """A person of the gallery for every picture."""
    return {seed: (i + shift) % PEOPLE for i, seed in enumerate(pictures.seeds.tolist())}
