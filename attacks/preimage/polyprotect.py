"""PolyProtect undone: its equations solved for the template, with what templates look like.

There are fewer equations than numbers, so exact solutions are many and most are no template. What
is wanted is the mean of those that fit, weighed by the population. The moments of powers of a
Gaussian have a closed form, so each equation is replaced by the straight line that fits it best
over what is believed of the template, with the rest as noise; that gives a new belief, and so on
(A. F. García-Fernández and others, "Posterior linearization filter: principles and implementation
using sigma points", 2015). Where everything is decided the lines are tangents, and this is Newton's
method.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.preimage.base import Matrix, PreImage, register_preimage
from attacks.preimage.directions import DirectionPrior, check_size, to_templates
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.polyprotect import PolyProtect

Index = NDArray[np.intp]

PRECISION = 1e-6
"""How far a protected number may be off beside its size: more than for being stored as float32, so
that equations which say the same twice can be told from rounding."""
RESCUE = 1e-6
"""Variance added to each equation, beside its own, where they cannot be told apart otherwise."""
CHUNK = 2**23
"""Numbers in the largest array of a chunk of templates."""


class _Belief(NamedTuple):
    """Mean and variance of each number of each template, both [N, D]."""

    mean: Matrix
    variance: Matrix


class _Lines(NamedTuple):
    """Equations made straight: ``offset [N, E] + Σ_j slope [N, E, m] v_j``, and the covariance
    [N, E, E] of what that leaves out."""

    offset: Matrix
    slope: Matrix
    rest: Matrix


@register_preimage("polyprotect:gradient")
class LinearisedPolyProtect(PreImage):
    """Repeated linearisation of all records' equations together.

    Class attributes:
        rounds: times that the equations are made straight.
        enough: equations for each number of a template; records beyond them are left aside, since
            fewer decide everything.
    """

    scheme: PolyProtect
    scheme_name: ClassVar[str] = "polyprotect"
    method: ClassVar[str] = "polynomials made linear where the population and the records agree"
    rounds: ClassVar[int] = 12
    enough: ClassVar[float] = 1.5

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Templates float32 [N, D]."""
        self.check(protected, keys)
        dim, windows = self.scheme.dim, self.scheme.windows
        check_size(protected, windows)
        records = min(keys.shape[1], int(np.ceil(self.enough * dim / windows)))
        size = max(1, CHUNK // (records * windows * max(dim, records * windows)))
        directions = np.empty((len(protected), dim))
        for start in range(0, len(protected), size):
            part = slice(start, start + size)
            directions[part] = self._solve(protected[part, :records], keys[part, :records])
        return to_templates(directions, self.population, self.scheme)

    def _solve(self, protected: Vectors, keys: Keys) -> Matrix:
        """Directions [N, D]."""
        said = protected.reshape(len(protected), -1).astype(np.float64)
        prior = DirectionPrior.of(self.population, self.scheme)
        # One more number stands for the zeros behind the end: it is zero and never varies.
        mean, covariance = np.pad(prior.mean, (0, 1)), np.pad(prior.covariance, (0, 1))
        equations = _Equations(self.scheme, keys)
        places, near = equations.places, covariance[equations.places]
        belief = _Belief(
            np.tile(mean, (len(said), 1)), np.tile(np.diag(covariance), (len(said), 1))
        )
        error = None
        for _ in range(self.rounds):
            lines = equations.straightened(belief)
            # With the template [E, N, D] to [N, E, D], then with each other [N, E, E].
            across = np.matmul(lines.slope.transpose(1, 0, 2), near).transpose(1, 0, 2).copy()
            total = lines.rest
            for term in range(places.shape[1]):
                total += across.take(places[:, term], axis=2) * lines.slope[:, None, :, term]
            spread = np.einsum("nee->ne", total)
            # How an equation varied at first says what is small beside it, also later.
            error = PRECISION**2 * (said**2 + spread) if error is None else error
            spread += error + PRECISION**2 * spread
            gap = said - lines.offset - (lines.slope * mean[places]).sum(axis=2)
            step, less = _update(total, gap, across)
            # No number of a direction is larger than one, so lines need not be fitted there. Half
            # a step at a time: whole ones swing where powers bend much.
            reached = (mean + step).clip(-1.0, 1.0), (np.diag(covariance) - less).clip(0.0)
            belief = _Belief(*((old + new) / 2.0 for old, new in zip(belief, reached, strict=True)))
        return belief.mean[:, :-1]


def _update(total: Matrix, gap: Matrix, across: Matrix) -> tuple[Matrix, Matrix]:
    """What equations change: ``Xᵀ G⁻¹ g`` and the diagonal of ``Xᵀ G⁻¹ X``, both [N, D]."""
    system = torch.from_numpy(total)
    root, failed = torch.linalg.cholesky_ex(system)
    if failed.any():  # equal equations whose difference is rounding: all are trusted less
        loose = (failed > 0).double() * RESCUE
        extra = torch.diag_embed(system.diagonal(dim1=1, dim2=2) * loose[:, None])
        root = torch.linalg.cholesky(system + extra)
    right = torch.from_numpy(np.concatenate([gap[..., None], across], axis=2))
    solved = torch.linalg.solve_triangular(root, right, upper=False)
    step = torch.einsum("ne,ned->nd", solved[..., 0], solved[..., 1:])
    return step.numpy(), solved[..., 1:].square().sum(dim=1).numpy()


class _Equations:
    """The polynomials of templates under their keys [N, R], as E = R·P equations each."""

    def __init__(self, scheme: PolyProtect, keys: Keys) -> None:
        windows, records = scheme.windows, keys.shape[1]
        seen, which = np.unique(keys, return_inverse=True)
        polys = [scheme.key(int(key)) for key in seen]
        which = np.repeat(which.reshape(keys.shape), windows, axis=1)  # [N, E]
        self.coefficients = np.array([p.coefficients for p in polys], dtype=float)[which]
        self.exponents = np.array([p.exponents for p in polys])[which]
        self.places: Index = np.tile(np.minimum(scheme.places(), scheme.dim), (records, 1))
        self._pair_up(scheme.dim)

    def _pair_up(self, end: int) -> None:
        """Terms of two equations that take the same number: what lines leave out of them varies
        together. Sorted, so that those of the same two equations stand side by side."""
        flat = self.places.reshape(-1)
        one, two = np.nonzero((flat[:, None] == flat) & (flat < end))
        terms = self.places.shape[1]
        cell = one // terms * len(self.places) + two // terms
        order = np.argsort(cell, kind="stable")
        self.pairs = one[order], two[order]
        self.cells, self.starts = np.unique(cell[order], return_index=True)

    def straightened(self, belief: _Belief) -> _Lines:
        """The lines that fit best over the belief, its numbers taken as independent.

        Of a Gaussian v, the covariance of v^e with v is ``e·E[v^(e-1)]`` times the variance
        (Stein's lemma).
        """
        moments = _moments(belief, 2 * self.places.shape[1])
        row = np.arange(len(belief.mean))[:, None, None]
        power = moments[self.exponents, row, self.places]
        rise = self.exponents * moments[self.exponents - 1, row, self.places]
        slope = self.coefficients * rise
        offset = (self.coefficients * power - slope * belief.mean[row, self.places]).sum(axis=2)
        return _Lines(offset, slope, self._rest(moments, power, rise, belief.variance))

    def _rest(self, moments: Matrix, power: Matrix, rise: Matrix, variance: Matrix) -> Matrix:
        """Covariance [N, E, E] of what the lines leave out."""
        count, equations = power.shape[:2]
        one, two = self.pairs
        factor, power, rise, exponent = (
            part.reshape(count, -1) for part in (self.coefficients, power, rise, self.exponents)
        )
        place = self.places.reshape(-1)[one]
        both = moments[exponent[:, one] + exponent[:, two], np.arange(count)[:, None], place]
        both -= power[:, one] * power[:, two]
        both -= rise[:, one] * rise[:, two] * variance[:, place]
        both *= factor[:, one] * factor[:, two]
        found = np.zeros((count, equations * equations))
        found[:, self.cells] = np.add.reduceat(both, self.starts, axis=1)
        return found.reshape(count, equations, equations)


def _moments(belief: _Belief, highest: int) -> Matrix:
    """Moments of Gaussians from the zeroth on, [highest + 1, N, D]."""
    found = [np.ones_like(belief.mean), belief.mean]
    for power in range(2, highest + 1):
        found.append(belief.mean * found[-1] + (power - 1) * belief.variance * found[-2])
    return np.stack(found)
