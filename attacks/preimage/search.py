"""Pre-images by search, where no closed form exists.

What is wanted is not the one template that fits best, which is an extreme case, but the mean of all
that fit, weighed by how likely the population makes them: that has the largest expected cosine. So
the search is for a Gaussian, independent along the principal axes of the population, that lies as
near as possible to the distribution of templates given the records (variational inference).
Gradients are taken at points drawn from it (D. P. Kingma and M. Welling, "Auto-Encoding Variational
Bayes", 2014), or only values are (D. Wierstra and others, "Natural Evolution Strategies", 2014).

Every template is searched for by itself, and all draw the same numbers: what is found depends on
the records, the keys and the seed, and not on the other templates of a batch.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from attacks.preimage.base import Matrix, PreImage
from biometrics.protection.base import Centred, Keys, Vectors

CHUNK = 512
"""Templates that are searched for at once."""


class _Slopes(NamedTuple):
    """Gradients of the misfit by mean and log deviation along each axis, both [N, D]."""

    mean: Matrix
    spread: Matrix


class PreImageSearch(PreImage):
    """Base of the searches.

    Class attributes:
        steps: of the search; the mean over the last third of them is the answer.
        rate: size of the first steps, in standard deviations of the population.
    """

    steps: ClassVar[int] = 200
    rate: ClassVar[float] = 0.05

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Templates float32 [N, D], from the mean that the scheme takes off (or else that of the
        population) as far as templates of the population lie from theirs."""
        self.check(protected, keys)
        axes = _principal_axes(self.population.covariance)
        found = np.empty((len(protected), len(axes)))
        for start in range(0, len(protected), CHUNK):
            part = slice(start, start + CHUNK)
            found[part] = self._search(protected[part], keys[part], axes)
        centre = self.scheme.mean if isinstance(self.scheme, Centred) else self.population.mean
        away = self.population.mean + found @ axes.T - centre
        length = np.linalg.norm(away, axis=1, keepdims=True)
        unit = away / np.where(length > 0.0, length, 1.0)
        recovered: Vectors = (centre + self.population.length * unit).astype(np.float32)
        return recovered

    def _search(self, protected: Vectors, keys: Keys, axes: Matrix) -> Matrix:
        """Means [N, D] along the axes, by Adam (D. P. Kingma and J. Ba, 2015)."""
        draws = np.random.default_rng(self.seed)
        mean = np.zeros((len(protected), axes.shape[1]))
        spread = np.full_like(mean, np.log(0.7))
        adam = _Adam(mean.shape), _Adam(mean.shape)
        kept, answer = max(1, self.steps // 3), np.zeros_like(mean)
        for step in range(self.steps):
            slopes = self._slopes(protected, keys, axes, mean, np.exp(spread), draws)
            # Added are the gradients of the divergence from the population, a standard Gaussian.
            mean -= self.rate * adam[0].move(slopes.mean + mean)
            spread -= self.rate * adam[1].move(slopes.spread + np.exp(2.0 * spread) - 1.0)
            if step >= self.steps - kept:
                answer += mean / kept
        return answer

    @abstractmethod
    def _slopes(
        self,
        protected: Vectors,
        keys: Keys,
        axes: Matrix,
        mean: Matrix,
        deviation: Matrix,
        draws: np.random.Generator,
    ) -> _Slopes:
        """Gradients of the expected misfit."""


class GradientSearch(PreImageSearch):
    """Search by gradients, for a scheme that can be written in torch: only :meth:`misfit` is to be
    given."""

    @abstractmethod
    def misfit(self, templates: Tensor, protected: Tensor, key: int) -> Tensor:
        """How badly templates fit their records under one key: minus the log likelihood [n].

        Args:
            templates: float64 [n, D]; gradients are taken by them.
            protected: float64 [n, P].
            key: of all of them.
        """

    def _slopes(
        self,
        protected: Vectors,
        keys: Keys,
        axes: Matrix,
        mean: Matrix,
        deviation: Matrix,
        draws: np.random.Generator,
    ) -> _Slopes:
        turned = torch.from_numpy(axes)
        slope, along = np.zeros_like(mean), np.zeros_like(mean)
        point = draws.standard_normal(mean.shape[1])
        for drawn in (point, -point):  # opposite points, whose errors partly cancel
            at = torch.from_numpy(mean + deviation * drawn).requires_grad_()
            templates = torch.from_numpy(self.population.mean) + at @ turned.T
            total = torch.zeros((), dtype=torch.float64)
            for key in np.unique(keys):
                rows, records = np.nonzero(keys == key)
                said = torch.from_numpy(protected[rows, records].astype(np.float64))
                total = total + self.misfit(templates[torch.from_numpy(rows)], said, int(key)).sum()
            (gradient,) = torch.autograd.grad(total, at)
            slope += 0.5 * gradient.numpy()
            along += 0.5 * gradient.numpy() * drawn * deviation
        return _Slopes(slope, along)


class _Adam:
    """Steps of about length one, each number by itself."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.first, self.second, self.count = np.zeros(shape), np.zeros(shape), 0

    def move(self, gradient: Matrix) -> Matrix:
        self.count += 1
        self.first += 0.1 * (gradient - self.first)
        self.second += 0.01 * (gradient**2 - self.second)
        size = np.sqrt(self.second / (1.0 - 0.99**self.count))
        found: Matrix = self.first / (1.0 - 0.9**self.count) / (size + 1e-9)
        return found


def _principal_axes(covariance: Matrix) -> Matrix:
    """A root A of the covariance, ``A Aᵀ``, with columns at right angles to each other."""
    values, vectors = np.linalg.eigh(covariance)
    # Which of an axis' two directions is called positive must not depend on the machine.
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(len(values))])
    found: Matrix = vectors * np.sqrt(values.clip(0.0))
    return found
