"""95 % intervals over subjects and keys.

Where each subject was protected under one of K keys, a figure depends on which keys these were:
subjects under an unlucky key fail together. A draw then takes subject i m_i times and key k w_k
times, and the estimate is ``sum m_i w_k(i) v_i / sum m_i w_k(i)`` (A. Owen, "The pigeonhole
bootstrap", 2007: independent weights of both factors, multiplied). With one key nothing is drawn of
keys, and everything is as over subjects alone.

The interval errs on the wide side: a product of two weights counts what is peculiar to a subject
three times in the variance where the keys share nothing, so it is up to 1.7 times too wide where
keys play no part. Where they play a large part it is right, but for what few keys hide.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from biometrics.metrics.intervals import (
    Draws,
    Interval,
    Weights,
    difference_under,
    draw_counts,
    mean_under,
    subject_draws,
    two_way_under,
)

KEY_SEED = 0x6B6579
"""Added to the seed for the draws of keys: those of as many subjects would be the same draws."""


def mean_over_subjects_and_keys(
    values: ArrayLike, keys: ArrayLike, *, rates: bool, seed: int = 0
) -> Interval:
    """Mean of one value a subject [S], each obtained under one key [S], with its interval; n = S.

    Values, rates and the seed are as in
    :func:`biometrics.metrics.intervals.mean_over_subjects`, Clopper and Pearson's interval where
    fewer than five subjects differ too. That one is of further subjects under these keys: of a
    share of bad keys, none of which is among K, it says nothing below ``1 - .025^(1/K)``.

    Raises:
        ValueError: as there, or another number of keys.
    """
    return mean_under(values, _keyed(values, keys, seed), rates=rates)


def paired_difference_over_keys(
    a: ArrayLike, b: ArrayLike, keys: ArrayLike, *, rates: bool, seed: int = 0
) -> Interval:
    """Mean of ``a - b`` over the same subjects [S] under the same keys [S]; n = S.

    As :func:`biometrics.metrics.intervals.paired_difference`. One of both may have been obtained
    without a key.

    Raises:
        ValueError: as there, or another number of keys.
    """
    return difference_under(a, b, _keyed(a, keys, seed), rates=rates)


def two_way_over_keys(
    matrix: ArrayLike, keys: ArrayLike, *, rates: bool, seed: int = 0
) -> Interval:
    """Mean over subject pairs of ``matrix`` [S, S] where column t was enrolled under key t of
    ``keys`` [S].

    As :func:`biometrics.metrics.intervals.two_way`, but a cell weighs ``m_i m_j w_k(j)``: the key
    is the enrolled subject's, under which the row's picture was protected too.

    Raises:
        ValueError: as there, or another number of keys.
    """
    return two_way_under(
        matrix, lambda n: subject_draws(n, seed), columns=_keyed(matrix, keys, seed), rates=rates
    )


def _keyed(subjects: ArrayLike, keys: ArrayLike, seed: int) -> Draws:
    """Draws of subjects times the draws of their keys."""
    names = np.asarray(keys)
    if names.shape != np.shape(subjects)[:1]:
        raise ValueError(f"{list(names.shape)} keys of {list(np.shape(subjects)[:1])} subjects")
    index = np.unique(names, return_inverse=True)[1].astype(np.intp)

    def draws(n: int) -> Iterator[Weights]:
        of_keys = draw_counts(int(index.max()) + 1, seed + KEY_SEED)
        start = 0
        for counts in subject_draws(n, seed):
            stop = start + len(counts)
            yield counts * of_keys[start:stop, index]
            start = stop

    return draws
