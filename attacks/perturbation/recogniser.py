"""A face recogniser that can be attacked: a backbone with the templates of the people it knows.

Its answer to a crop is one logit for each person: the similarity of the crop's template to the
person's, times a scale. A softmax over them is the probability of each identity, as a classifier
gives it; a matcher looks at the similarity to one person alone. Gradients pass through the
backbone's own cut from the canonical crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone, Similarity
from biometrics.errors import ConfigError
from biometrics.metrics.scores import similarity_matrix

CHUNK = 8
"""Pictures in every pass through a network. A batch is filled up to a multiple of it: what a
network gives in the last bit depends on the size of its batch, and the sign of a gradient near
zero on the last bit, so one picture and many must go through in batches of one size."""

NEAR = 1e-12
"""Added to a squared distance under its root, whose slope has no limit at zero."""

SCALES = (-3.0, 4.0)
"""Powers of ten between which the scale is sought."""


@dataclass(frozen=True)
class Gallery:
    """The people whom a recogniser knows.

    Attributes:
        templates: float32 [S, D], one a person.
        kind: how templates are compared.
        scale: logits are similarities times this.
    """

    templates: NDArray[np.float32]
    kind: Similarity
    scale: float = 1.0

    def logits(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logits float64 [N, S] of templates [N, D]."""
        return self.scale * similarity_matrix(vectors, self.templates, self.kind).astype(float)

    def probabilities(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Softmax over the people, float64 [N, S]; NaN for a template that is not finite."""
        return np.asarray(np.exp(log_softmax(self.logits(vectors), axis=1)))


def fit_gallery(
    templates: NDArray[np.float32],
    kind: Similarity,
    vectors: NDArray[np.floating],
    people: NDArray[np.integer],
) -> Gallery:
    """A gallery [S, D] whose scale makes other pictures of its people most likely.

    The scale (an inverse temperature) is the one number that the templates do not give. It
    maximises the likelihood of the right person over ``vectors`` [N, D], templates of other
    pictures of the people numbered ``people`` [N]. The negative logarithm is convex in the scale,
    so a search along one line finds it. Source: C. Guo et al., "On Calibration of Modern Neural
    Networks", 2017, section 4.2.
    """
    scores = similarity_matrix(vectors, templates, kind).astype(float)
    rows = np.arange(len(scores))

    def unlikely(power: float) -> float:
        return float(-log_softmax(scores * 10.0**power, axis=1)[rows, people].mean())

    found = minimize_scalar(unlikely, bounds=SCALES, method="bounded", options={"xatol": 1e-4})
    return Gallery(templates, kind, float(10.0**found.x))


class Recogniser(nn.Module):
    """Crops [N, 3, 224, 224] in [0, 1] to logits [N, S]; see the module.

    Args:
        backbone: a differentiable one, frozen.
        gallery: whom it knows.
        chunk: pictures in every pass; see :data:`CHUNK`.

    Raises:
        ConfigError: gradients do not reach the crop.
    """

    templates: Tensor

    def __init__(self, backbone: Backbone, gallery: Gallery, *, chunk: int = CHUNK) -> None:
        super().__init__()
        if not backbone.spec.differentiable:
            raise ConfigError(
                f"backbone '{backbone.spec.name}' is not differentiable: no noise can be made "
                "against it by gradients"
            )
        self.backbone, self.gallery, self.chunk = backbone, gallery, chunk
        known = torch.from_numpy(gallery.templates.astype(np.float32)).to(backbone.grid.device)
        if gallery.kind == "cosine":
            known = F.normalize(known)
        self.register_buffer("templates", known, persistent=False)

    @property
    def people(self) -> int:
        """Number of people S."""
        return len(self.templates)

    def forward(self, crops: Tensor) -> Tensor:
        """Logits [N, S] of crops [N, 3, 224, 224], RGB in [0, 1]."""
        missing = -len(crops) % self.chunk
        filled = F.pad(crops, (0, 0, 0, 0, 0, 0, 0, missing))
        parts = [self._logits(part) for part in filled.split(self.chunk)]
        return torch.cat(parts)[: len(crops)]

    def _logits(self, crops: Tensor) -> Tensor:
        vectors: Tensor = self.backbone(crops.contiguous(memory_format=torch.channels_last))
        if self.gallery.kind == "cosine":
            return self.gallery.scale * (F.normalize(vectors) @ self.templates.T)
        apart = (vectors[:, None] - self.templates).square().sum(dim=2)  # [N, S]
        return -self.gallery.scale * (apart + NEAR).sqrt()
