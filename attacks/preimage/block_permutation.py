"""Block permutation undone: blocks go back to their places, those left out are guessed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from attacks.preimage.base import PreImage, register_preimage
from attacks.preimage.directions import DirectionPrior, check_size, to_templates
from biometrics.protection.base import Keys, Vectors
from biometrics.protection.block_permutation import BlockPermutation


@register_preimage("block-permutation:inverse")
class InverseBlockPermutation(PreImage):
    """What records show is known, and the rest is expected given that.

    In a population that varies like a Gaussian::

        E[u | o] = mean_u + C_uo C_oo⁻¹ (o - mean_o)

    which without correlation is the mean of the hidden numbers u, whatever the shown ones o say.
    """

    scheme: BlockPermutation
    scheme_name: ClassVar[str] = "block-permutation"
    method: ClassVar[str] = "closed form"

    def recover(self, protected: Vectors, keys: Keys) -> Vectors:
        """Templates float32 [N, D]; a number that several records show is their mean."""
        self.check(protected, keys)
        check_size(protected, self.scheme.kept * self.scheme.settings.block)
        prior = DirectionPrior.of(self.population, self.scheme)
        directions = np.empty((len(protected), self.scheme.dim))
        # Templates under the same keys are solved together, in the order in which they leaked.
        groups, member = np.unique(keys, axis=0, return_inverse=True)
        for number, group in enumerate(groups):
            rows = np.flatnonzero(member.reshape(-1) == number)
            shown, known = self._known(protected[rows], group)
            hidden = np.setdiff1d(np.arange(self.scheme.dim), shown)
            directions[np.ix_(rows, shown)] = known
            weights = np.linalg.solve(
                prior.covariance[np.ix_(shown, shown)], prior.covariance[np.ix_(shown, hidden)]
            )
            expected = prior.mean[hidden] + (known - prior.mean[shown]) @ weights
            directions[np.ix_(rows, hidden)] = expected
        return to_templates(directions, self.population, self.scheme)

    def _known(self, protected: Vectors, keys: Keys) -> tuple[np.ndarray, np.ndarray]:
        """Places that the records show [K], and the numbers there [N, K]."""
        places = np.concatenate([self.scheme.places(int(key)) for key in keys])
        flat = protected.reshape(len(protected), -1).astype(np.float64)
        real = places < self.scheme.dim
        shown, which, times = np.unique(places[real], return_inverse=True, return_counts=True)
        known = np.zeros((len(shown), len(flat)))
        np.add.at(known, which, flat[:, real].T)
        return shown, known.T / times
