"""What Gaussian noise promises: the exact differential privacy of the Gaussian mechanism.

Whoever adds noise N(0, sigma² I) to a value that changes by at most ``sensitivity`` (in Euclidean
length) between two inputs is (epsilon, delta)-private exactly if

    delta >= Phi(s / 2 sigma - epsilon sigma / s) - e^epsilon Phi(-s / 2 sigma - epsilon sigma / s)

with s the sensitivity (B. Balle and Y.-X. Wang, "Improving the Gaussian mechanism for differential
privacy", 2018, theorem 8). The right side falls in epsilon and in sigma, so each follows from the
other by bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import log_ndtr

HALVINGS = 200


def gaussian_delta(epsilon: float, sigma: float, sensitivity: float) -> float:
    """The smallest delta that holds, in [0, 1].

    Raises:
        ValueError: epsilon below zero, sigma or sensitivity not positive.
    """
    if epsilon < 0.0 or sigma <= 0.0 or sensitivity <= 0.0:
        raise ValueError("epsilon must be at least 0, sigma and the sensitivity above it")
    half, shift = sensitivity / (2 * sigma), epsilon * sigma / sensitivity
    first, second = float(log_ndtr(half - shift)), float(log_ndtr(-half - shift))
    # In logarithms: e^epsilon overflows long before the product does. It never exceeds the first.
    less = min(epsilon + second - first, 0.0)
    return math.exp(first) * -math.expm1(less)


def gaussian_epsilon(sigma: float, delta: float, sensitivity: float) -> float:
    """The smallest epsilon that noise of this sigma gives; 0 where it is enough for any.

    Raises:
        ValueError: delta outside (0, 1), sigma or sensitivity not positive.
    """
    _check(delta)
    if gaussian_delta(0.0, sigma, sensitivity) <= delta:
        return 0.0
    return _where(lambda epsilon: gaussian_delta(epsilon, sigma, sensitivity) <= delta)


def gaussian_sigma(epsilon: float, delta: float, sensitivity: float) -> float:
    """The smallest sigma that gives this epsilon.

    Raises:
        ValueError: delta outside (0, 1), epsilon below zero, sensitivity not positive.
    """
    _check(delta)
    return _where(lambda sigma: gaussian_delta(epsilon, sigma, sensitivity) <= delta)


def _check(delta: float) -> None:
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta lies between 0 and 1, got {delta}")


def _where(holds: Callable[[float], bool]) -> float:
    """The smallest positive number from which on a condition holds, from above."""
    high = 1.0
    while not holds(high):
        high *= 2.0
    low = high / 2.0
    while holds(low):
        low, high = low / 2.0, low
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if holds(middle):
            high = middle
        else:
            low = middle
        if np.nextafter(low, high) >= high:
            break
    return high
