"""Facts of the ground floor in the words of the results schema."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.intervals import Measured as Fact
from biometrics.metrics.intervals import NotMeasured as NoFact
from biometrics.metrics.intervals import mean_over_subjects, subject_means
from reports.results import Estimate, Measured, NotMeasured

DIGITS = 12
"""Decimals of an end of an interval; what lies behind is rounding of the bootstrap's means."""


def estimate(fact: Fact) -> Estimate:
    """An interval, or the reason why there is none, as the schema writes it."""
    if isinstance(fact, NoFact):
        return NotMeasured(not_measured=fact.reason)
    low, high = (None if end is None else round(end, DIGITS) for end in (fact.low, fact.high))
    return Measured(value=fact.value, low=low, high=high, n=fact.n)


def mean_estimate(values: NDArray[np.floating], index: NDArray[np.intp], seed: int) -> Estimate:
    """Mean over subjects of any value that is no rate; ``index`` [N] numbers the subjects."""
    means = subject_means(values, index)
    return estimate(mean_over_subjects(means, rates=False, seed=seed))


def rate_estimate(values: NDArray[np.bool_], index: NDArray[np.intp], seed: int) -> Estimate:
    """Share of ``values`` [N] that are true, averaged over subjects; ``index`` [N] numbers them."""
    return estimate(mean_over_subjects(subject_means(values, index), rates=True, seed=seed))
