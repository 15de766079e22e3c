from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biometrics.errors import ConfigError
from biometrics.metrics.scores import paired_similarity
from biometrics.protection.base import make_scheme
from biometrics.protection.quantise import Quantise
from tests.biometrics.protection.crowd import DIM, crowd

PEOPLE = crowd(300, 1)
LEAKED = crowd(60, 2).vectors
LOW, HIGH = (PEOPLE.vectors.astype(np.float64).min(axis=0), PEOPLE.vectors.max(axis=0))


def fitted(bits: int) -> Quantise:
    scheme = make_scheme("quantise", {"bits": bits}, DIM, "l2").fit(PEOPLE)
    assert isinstance(scheme, Quantise)
    return scheme


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_each_number_goes_to_the_nearest_of_its_levels(bits: int) -> None:
    levels = np.linspace(LOW, HIGH, 2**bits)  # [levels, D]
    nearest = np.abs(LEAKED[:, None].astype(np.float64) - levels).argmin(axis=1)
    expected = np.take_along_axis(levels, nearest, axis=0)
    found = fitted(bits).protect(LEAKED, 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (LEAKED > HIGH).any(), "some lie outside, and go to the last level"


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 8), st.integers(0, 1000))
def test_inside_the_range_the_error_is_half_a_step_at_most(bits: int, seed: int) -> None:
    rows = np.random.default_rng(seed).uniform(LOW, HIGH, (20, DIM)).astype(np.float32)
    scheme = fitted(bits)
    found = scheme.protect(rows, 0)
    assert (np.abs(found - rows) <= (HIGH - LOW) / (2**bits - 1) / 2 + 1e-6).all()
    assert max(len(np.unique(column)) for column in found.T) <= 2**bits
    np.testing.assert_array_equal(scheme.protect(found, 0), found)


def test_one_bit_is_the_side_of_the_mean_and_the_cosine_counts_the_bits_that_differ() -> None:
    scheme = fitted(1)
    signs = scheme.protect(LEAKED, 0)
    mean = PEOPLE.vectors.mean(axis=0)
    above = mean <= LEAKED
    np.testing.assert_array_equal(signs, np.where(above, 1, -1))
    assert scheme.comparator == "cosine"
    share = (above[:30] != above[30:]).mean(axis=1)
    score = paired_similarity(signs[:30], signs[30:], scheme.comparator)
    np.testing.assert_allclose(score, 1 - 2 * share, atol=1e-6)


def test_a_number_that_never_varies_stays() -> None:
    same = PEOPLE.vectors.copy()
    same[:, 5] = 0.25
    scheme = make_scheme("quantise", {}, DIM, "l2").fit(dataclasses.replace(PEOPLE, vectors=same))
    np.testing.assert_array_equal(scheme.protect(LEAKED, 0)[:, 5], np.float32(0.25))


def test_what_is_stored_and_how_it_is_compared() -> None:
    assert [fitted(bits).stored_bits for bits in (1, 4, 8)] == [DIM, 4 * DIM, 8 * DIM]
    assert fitted(8).comparator == fitted(2).comparator == "l2"
    assert make_scheme("quantise", {}, DIM, "cosine").stored_bits == 8 * DIM


@pytest.mark.parametrize("bits", [0, 9, 2.5])
def test_other_numbers_of_bits_are_refused(bits: float) -> None:
    with pytest.raises(ConfigError, match="protection 'quantise', setting 'bits'"):
        make_scheme("quantise", {"bits": bits}, DIM, "l2")
