"""MLP-Hash undone: the network is known with its key, so hashes are searched through it."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from attacks.preimage.base import Matrix, register_preimage
from attacks.preimage.directions import check_size
from attacks.preimage.search import GradientSearch, Misfit
from biometrics.protection.base import Keys, Vectors
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

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Templates float32 [N, D]."""
        self.check(protected, keys)
        check_size(protected, self.scheme.stored_bits)
        return super().recover(protected, keys)

    def misfit(self, key: int) -> Misfit:
        """Minus the log likelihood of the bits.

        The network makes of twice a template twice the numbers, so templates need not be brought to
        length one here.
        """
        weights = self.scheme.weights(key)
        *hidden, last = (torch.from_numpy(some) for some in weights)
        mean, length = torch.from_numpy(self.scheme.mean), self.population.length or 1.0
        width = self.softness * _size(weights)

        def unlikely(templates: Tensor, protected: Tensor) -> Tensor:
            rows = (templates - mean) / length
            for some in hidden:
                rows = torch.relu(rows @ some.T)
            rows = rows @ last.T
            rows = rows - rows.mean(dim=1, keepdim=True)
            return torch.nn.functional.softplus(-torch.sign(protected) * rows / width).sum(dim=1)

        return unlikely


def _size(weights: tuple[Matrix, ...]) -> float:
    """Root mean square of the numbers that leave the network: of a layer's squares a narrowing
    matrix keeps its share, and the activation half."""
    *hidden, last = (some.shape for some in weights)
    left = math.prod(0.5 * min(1.0, out / into) for out, into in hidden)
    return math.sqrt(left / max(last))
