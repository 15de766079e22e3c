"""What the winner of a few uncertain values says of them."""

from __future__ import annotations

import math

import numpy as np

from attacks.preimage.messages import Numbers, Told
from biometrics.protection.base import Vectors

GUMBEL = np.float32(math.pi / math.sqrt(6.0))
"""Standard deviation of a Gumbel variable. With noise of that law the chance to win is a softmax;
Gaussian noise of the same deviation is taken for it."""

FARTHEST = np.float32(60.0)
"""Largest exponent: its exponential and sums of it still fit into a float32."""


def tell_winners(expected: Numbers, deviation: Numbers, codes: Vectors, hashes: int) -> Told:
    """Slopes of the log chance that the winners of a code win.

    Args:
        expected: of each value, [B, hashes * choices].
        deviation: of what that misses, [B, 1].
        codes: unrolled, a number above zero for each winner.
        hashes: m.
    """
    scale = (GUMBEL / deviation)[:, :, None]
    won = codes.reshape(len(codes), hashes, -1) > 0.0
    values = expected.reshape(won.shape)
    ahead = scale * (values - values[won].reshape(*won.shape[:2], 1))
    chances = np.exp(np.minimum(ahead, FARTHEST, out=ahead), out=ahead)
    chances /= np.einsum("bmq->bm", chances)[:, :, None]
    slope = scale * (won - chances)
    curvature = chances * (1.0 - chances) * np.square(scale)
    return Told(slope.reshape(codes.shape), curvature.reshape(codes.shape))
