"""Templates from their levels or signs: the best linear estimate, and the likeliest template."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import log_ndtr

from attacks.preimage.base import Matrix, Population, PreImage, register_preimage
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.quantise import Quantise

STEPS = 100
SOFTNESS = 0.3
"""Of :func:`probit_map`: a sign is told wrong as if by noise of this share of the value's spread.
Without it the likeliest template lies on the edge of the orthant; .2 to .5 hardly differ."""


class _FromLevels(PreImage):
    scheme: Quantise
    scheme_name: ClassVar[str] = "quantise"


@register_preimage("quantise:linear")
class QuantiseLinear(_FromLevels):
    """The best linear estimate where templates are normally distributed.

    Of levels: they are the templates but for an error that is spread evenly over a step, with a
    variance of the step's square over 12. Of signs, by two laws of normal numbers: the covariance
    of signs is ``2 / pi arcsin`` of the correlation (J. H. Van Vleck and D. Middleton 1966), and
    that of a sign with a number is ``sqrt(2 / pi)`` times the correlation and the number's spread
    (J. J. Bussgang 1952), both about the means.
    """

    method: ClassVar[str] = "closed form, normal prior"

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """From the first record: the scheme has no key, and the others are the same."""
        self.check(protected, keys)
        stored, people = protected[:, 0].astype(np.float64), self.population
        if self.scheme.settings.bits == 1:
            spread = np.sqrt(np.diag(people.covariance))
            alike = (people.covariance / np.outer(spread, spread)).clip(-1.0, 1.0)
            with_signs = np.sqrt(2.0 / np.pi) * alike * spread
            found = stored @ np.linalg.solve(2.0 / np.pi * np.arcsin(alike), with_signs)
        else:
            seen = people.covariance + np.diag(self.scheme.step**2 / 12.0)
            found = (stored - people.mean) @ np.linalg.solve(seen, people.covariance)
        return (people.mean + found).astype(np.float32)


@register_preimage("quantise:posterior")
class QuantisePosterior(QuantiseLinear):
    """Of signs, the likeliest template (:func:`probit_map`); of levels, the linear estimate, which
    is then the posterior mean but for the shape of the rounding error."""

    method: ClassVar[str] = "gradient search, normal prior"

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """From the first record: the scheme has no key, and the others are the same."""
        if self.scheme.settings.bits > 1:
            return super().recover(protected, keys)
        self.check(protected, keys)
        found = probit_map(protected[:, 0].astype(np.float64), self.population, self.scheme.mean)
        return found.astype(np.float32)


def probit_map(
    signs: Matrix, people: Population, centre: Vectors, rows: Matrix | None = None
) -> Matrix:
    """The likeliest templates float64 [N, D], given signs of linear functions of them.

    The maximum of ``sum log Phi(s (R (x - centre)) / t) - (x - m)' S^-1 (x - m) / 2`` with m and S
    of the population and t the softness: concave, found by accelerated gradient ascent
    (Y. Nesterov 1983) in coordinates where the prior is round, for all templates at once.

    Args:
        signs: -1 or +1, [N, M].
        people: the prior.
        centre: [D], from which the functions are taken.
        rows: the functions R [M, D]; each number itself where not given.
    """
    variances, axes = np.linalg.eigh(people.covariance)
    to_template = axes * np.sqrt(np.maximum(variances, 0.0))
    seen = to_template if rows is None else rows @ to_template
    offset = people.mean - centre
    offset = offset if rows is None else rows @ offset
    soft = SOFTNESS * np.linalg.norm(seen, axis=1)
    soft = np.where(soft > 0.0, soft, 1.0)
    seen, offset = seen / soft[:, None], offset / soft
    step = 1.0 / (1.0 + np.linalg.norm(seen, 2) ** 2)
    now = ahead = np.zeros((len(signs), seen.shape[1]))
    pace = 1.0
    for _ in range(STEPS):
        margin = signs * (ahead @ seen.T + offset)
        push = np.exp(-0.5 * margin**2 - log_ndtr(margin)) / np.sqrt(2.0 * np.pi)
        later = ahead + step * ((signs * push) @ seen - ahead)
        quicker = (1.0 + np.sqrt(1.0 + 4.0 * pace**2)) / 2.0
        ahead = later + (pace - 1.0) / quicker * (later - now)
        now, pace = later, quicker
    found: Matrix = people.mean + now @ to_template.T
    return found
