"""MLP-Hash undone: the network is known with its key, so hashes are searched through it."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from attacks.preimage.base import Matrix, register_preimage
from attacks.preimage.search import GradientSearch
from biometrics.protection.mlp_hash import MlpHash


@register_preimage("mlp-hash:gradient")
class GradientMlpHash(GradientSearch):
    """Each bit is believed to have come by chance, the surer the farther its number lies from the
    threshold: a logistic curve in place of the step.

    Class attributes:
        softness: width of that curve, beside the root mean square of the numbers.
    """

    scheme: MlpHash
    scheme_name: ClassVar[str] = "mlp-hash"
    method: ClassVar[str] = "gradient search for the mean of all templates with that hash"
    softness: ClassVar[float] = 0.1

    def misfit(self, templates: Tensor, protected: Tensor, key: int) -> Tensor:
        """Minus the log likelihood of the bits.

        The network makes of twice a template twice the numbers, so templates need not be brought to
        length one here.
        """
        weights = [torch.from_numpy(some) for some in self.scheme.weights(key)]
        rows = (templates - torch.from_numpy(self.scheme.mean)) / (self.population.length or 1.0)
        for some in weights[:-1]:
            rows = torch.relu(rows @ some.T)
        rows = rows @ weights[-1].T
        rows = rows - rows.mean(dim=1, keepdim=True)
        sure = torch.sign(protected) * rows / (self.softness * _size(self.scheme.weights(key)))
        return torch.nn.functional.softplus(-sure).sum(dim=1)


def _size(weights: tuple[Matrix, ...]) -> float:
    """Root mean square of the numbers that leave the network: of a layer's squares a narrowing
    matrix keeps its share, and the activation half."""
    *hidden, last = (some.shape for some in weights)
    left = math.prod(0.5 * min(1.0, out / into) for out, into in hidden)
    return math.sqrt(left / max(last))
