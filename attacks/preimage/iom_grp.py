"""Back from Index-of-Max winners among Gaussian projections, with known keys."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from attacks.preimage.base import Matrix, register_preimage
from attacks.preimage.direction_attack import OfRows
from attacks.preimage.messages import Numbers, Told, directions_by_messages
from attacks.preimage.winners import tell_winners
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.iom_grp import NAME, IomGrp
from biometrics.protection.keyed_rows import KeyedDirections


class _OfWinners(OfRows):
    scheme_name: ClassVar[str] = NAME
    kind: ClassVar[type[KeyedDirections]] = IomGrp
    scheme: IomGrp


@register_preimage(f"{NAME}:sum")
class WinnerSum(_OfWinners):
    """The sum of all winning rows less the mean row of their hash.

    Of m hashes with q choices, without common axes, it comes back with cosine about
    ``e / √(e² + (1 - 1/q)(D-1)/m)``, where e is the expected largest of q standard normal numbers.
    """

    method: ClassVar[str] = "closed form: sum of winning rows"

    def directions(self, protected: Vectors, keys: Keys) -> Matrix:
        """Sums over the hashes of all records."""
        won = (protected > 0.0).astype(np.float64)
        return self.sums(won - 1.0 / self.scheme.settings.choices, keys)


@register_preimage(f"{NAME}:posterior")
class WinnerPosterior(_OfWinners):
    """The middle of all directions that have these winners, weighed by how usual they are."""

    method: ClassVar[str] = "posterior mean by message passing"

    def directions(self, protected: Vectors, keys: Keys) -> Matrix:
        """Means of the posterior."""

        def tell(expected: Numbers, deviation: Numbers, codes: Vectors) -> Told:
            return tell_winners(expected, deviation, codes, self.scheme.settings.hashes)

        return directions_by_messages(self, protected, keys, tell)
