"""Facts of the ground floor in the words of the results schema."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.intervals import Measured as Fact
from biometrics.metrics.intervals import NotMeasured as NoFact
from biometrics.metrics.intervals import mean_over_subjects, subject_means
from reports.results import Estimate, Measured, NotMeasured

TINY = 1e-12
"""So near to 0 or 1 an end of an interval is 0 or 1: the rest is rounding in the bootstrap."""


def estimate(fact: Fact) -> Estimate:
    """An interval, or the reason why there is none, as the schema writes it."""
    if isinstance(fact, NoFact):
        return NotMeasured(not_measured=fact.reason)
    return Measured(value=fact.value, low=_end(fact.low), high=_end(fact.high), n=fact.n)


def _end(value: float | None) -> float | None:
    if value is None:
        return None
    return next((whole for whole in (0.0, 1.0) if abs(value - whole) < TINY), value)


def mean_estimate(values: NDArray[np.floating], index: NDArray[np.intp], seed: int) -> Estimate:
    """Mean over subjects of any value that is no rate; ``index`` [N] numbers the subjects."""
    means = subject_means(values, index)
    return estimate(mean_over_subjects(means, rates=False, seed=seed))


def rate_estimate(values: NDArray[np.bool_], index: NDArray[np.intp], seed: int) -> Estimate:
    """Share of ``values`` [N] that are true, averaged over subjects; ``index`` [N] numbers them."""
    return estimate(mean_over_subjects(subject_means(values, index), rates=True, seed=seed))
