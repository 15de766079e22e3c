"""Which of a direction and its mirror image at the mean is that of a face.

Codes of products of an even number of values are the same for both. Templates do not lie around
their mean as evenly as a Gaussian would, and what is uneven shows in third powers: a function that
changes its sign with the direction, fitted to be 1 for the attacker's own, is above zero for the
right one of the two. Learnt from 3,600 templates of LFW it is right for 97 to 99 of 100 others.
"""

from __future__ import annotations

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from attacks.preimage.base import Matrix
from attacks.preimage.directions import unit

RIDGE = 0.01
"""From .001 to .1 the figures stay the same within half a point; a kernel is 1 at most."""


class Facing:
    """Learnt from directions [N, D] of the attacker's own templates, of any length."""

    def __init__(self, directions: Matrix) -> None:
        rows = unit(directions)
        # All powers but the third left out: a plain mean of the directions says less, and louder.
        self._model = KernelRidge(alpha=RIDGE, kernel="poly", degree=3, gamma=1.0, coef0=0.0)
        self._model.fit(rows, np.ones(len(rows)))

    def turned(self, directions: Matrix) -> Matrix:
        """The same [N, D], each turned round where its mirror image is likelier a face's."""
        wrong = self._model.predict(unit(directions)) < 0.0
        found: Matrix = np.where(wrong[:, None], -directions, directions)
        return found
