"""Pre-images by search, where no closed form exists.

What is wanted is not the one template that fits best, which is an extreme case, but the mean of all
that fit, weighed by how likely the population makes them: that has the largest expected cosine. So
the search is for a Gaussian, independent along the principal axes of the population, that lies as
near as possible to the distribution of templates given the records (variational inference).
Gradients are taken at points drawn from it (D. P. Kingma and M. Welling, "Auto-Encoding Variational
Bayes", 2014) and followed by Adam (D. P. Kingma and J. Ba, 2015).

Every template is searched for by itself, and all draw the same numbers: what is found depends on
the records, the keys and the seed, and not on the other templates of a batch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.preimage.base import Matrix, PreImage
from attacks.preimage.directions import along
from biometrics.protection.base import Centred, Keys, Vectors

Rows = NDArray[np.intp]

CHUNK = 512
"""Templates that are searched for at once."""
KEYS = 32
"""Keys of the templates that are searched for at once, so that their material fits in memory."""

Misfit = Callable[[Tensor, Tensor], Tensor]
"""From templates float64 [n, D], by which gradients are taken, and their protected ones under one
key [n, P]: how badly each fits, as minus the log likelihood [n]."""


class GradientSearch(PreImage):
    """Search by gradients for a scheme that can be written in torch: only :meth:`misfit`
    is to be given.

    Class attributes:
        steps: of the search; the mean over the last third of them is the answer.
        rate: size of a step, in standard deviations of the population.
    """

    steps: ClassVar[int] = 120
    rate: ClassVar[float] = 0.08

    @abstractmethod
    def misfit(self, key: int) -> Misfit:
        """How badly templates fit what is stored of them under this key."""

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Templates float32 [N, D], from the mean that the scheme takes off (or else that of the
        population) as far as templates of the population lie from theirs."""
        self.check(protected, keys)
        axes = _principal_axes(self.population.covariance)
        found = np.empty((len(protected), len(axes)))
        for rows in _batches(keys):
            found[rows] = self._search(protected[rows], keys[rows], axes)
        templates = self.population.mean + found @ axes.T
        centre = self.scheme.mean if isinstance(self.scheme, Centred) else self.population.mean
        return along(templates - centre, centre, self.population.length)

    def _search(self, protected: Vectors, keys: Keys, axes: Matrix) -> Matrix:
        """Means [N, D] along the axes."""
        expected = self._expected_misfit(protected, keys, axes)
        draws = np.random.default_rng(self.seed)
        mean = np.zeros((len(protected), axes.shape[1]))
        spread = np.full_like(mean, np.log(0.7))
        adam = _Adam(mean.shape), _Adam(mean.shape)
        kept, answer = max(1, self.steps // 3), np.zeros_like(mean)
        for step in range(self.steps):
            deviation, drawn = np.exp(spread), draws.standard_normal(mean.shape[1])
            # At opposite points, whose errors partly cancel.
            ahead, behind = (expected(mean + sign * deviation * drawn) for sign in (1.0, -1.0))
            # Added are the gradients of the divergence from the population, a standard Gaussian.
            mean -= self.rate * adam[0].move(0.5 * (ahead + behind) + mean)
            stretch = 0.5 * (ahead - behind) * drawn * deviation
            spread -= self.rate * adam[1].move(stretch + deviation**2 - 1.0)
            if step >= self.steps - kept:
                answer += mean / kept
        return answer

    def _expected_misfit(
        self, protected: Vectors, keys: Keys, axes: Matrix
    ) -> Callable[[Matrix], Matrix]:
        """Gradients [N, D] of the misfit of all records, by places along the axes [N, D]."""
        turned, mean = torch.from_numpy(axes), torch.from_numpy(self.population.mean)
        parts = []
        for key in np.unique(keys):
            rows, which = np.nonzero(keys == key)
            said = torch.from_numpy(protected[rows, which].astype(np.float64))
            parts.append((self.misfit(int(key)), torch.from_numpy(rows), said))

        def gradient(places: Matrix) -> Matrix:
            at = torch.from_numpy(places).requires_grad_()
            templates = mean + at @ turned.T
            total = torch.stack([misfit(templates[rows], s).sum() for misfit, rows, s in parts])
            found: Matrix = torch.autograd.grad(total.sum(), at)[0].numpy()
            return found

        return gradient


def _batches(keys: Keys) -> Iterator[Rows]:
    """Rows of templates to search for at once: under few keys, and not too many."""
    order = np.lexsort(keys.T[::-1])
    rank = np.unique(keys[order, 0], return_inverse=True)[1] // KEYS if len(order) else order
    for part in np.split(order, np.flatnonzero(np.diff(rank)) + 1):
        for start in range(0, len(part), CHUNK):
            yield part[start : start + CHUNK]


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
