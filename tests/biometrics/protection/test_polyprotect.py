from __future__ import annotations

import math

import numpy as np
import pytest

from biometrics.errors import ConfigError
from biometrics.protection.base import Enrolled, make_scheme
from biometrics.protection.polyprotect import PolyProtect


def scheme(dim: int, **settings: int) -> PolyProtect:
    made = make_scheme("polyprotect", settings, dim, "l2")
    assert isinstance(made, PolyProtect)
    return made


def by_hand(
    direction: list[float], coefficients: list[int], exponents: list[int], step: int
) -> list[float]:
    """Windows one after the other, until every number was in one."""
    found, start, terms = list[float](), 0, len(coefficients)
    while True:
        window = direction[start : start + terms]
        window += [0.0] * (terms - len(window))
        found.append(sum(c * v**e for c, v, e in zip(coefficients, window, exponents, strict=True)))
        if start + terms >= len(direction):
            return found
        start += step


@pytest.mark.parametrize("overlap", range(5))
@pytest.mark.parametrize("dim", [3, 5, 17, 128])
def test_each_window_goes_through_the_key_s_polynomial(dim: int, overlap: int) -> None:
    rng = np.random.default_rng(dim)
    templates = rng.normal(2.0, 1.0, (4, dim)).astype(np.float32)
    made = scheme(dim, overlap=overlap)
    made.fit(Enrolled(templates, np.array(list("abcd"))))
    protected = made.protect(templates, 7)
    coefficients, exponents = (part.tolist() for part in made.key(7))
    for row, template in zip(protected, templates, strict=True):
        away = [float(a) - float(b) for a, b in zip(template, made.mean, strict=True)]
        direction = [a / math.hypot(*away) for a in away]
        expected = by_hand(direction, coefficients, exponents, 5 - overlap)
        assert row == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert made.stored_bits == 32 * protected.shape[1]


def test_the_sizes_published_for_128_and_512_numbers() -> None:
    assert [scheme(128, overlap=overlap).windows for overlap in range(5)] == [26, 32, 42, 63, 124]
    assert scheme(512, overlap=2).windows == 170


def test_a_key_holds_distinct_coefficients_without_zero_and_a_permutation() -> None:
    made = scheme(20)
    seen = set()
    for key in range(200):
        coefficients, exponents = made.key(key)
        assert len(set(coefficients.tolist())) == 5
        assert 0 not in coefficients
        assert np.abs(coefficients).max() <= 50
        assert sorted(exponents.tolist()) == [1, 2, 3, 4, 5]
        seen |= set(coefficients.tolist())
    assert len(seen) == 100


def test_terms_and_range_are_settings() -> None:
    coefficients, exponents = scheme(20, terms=7, overlap=3, largest=100).key(0)
    assert len(coefficients) == 7
    assert sorted(exponents.tolist()) == list(range(1, 8))
    assert any(np.abs(scheme(20, largest=100).key(key).coefficients).max() > 50 for key in range(9))


def test_templates_are_taken_at_length_one() -> None:
    made = scheme(16)
    template = np.random.default_rng(0).standard_normal((1, 16)).astype(np.float32)
    assert made.protect(9.0 * template, 3) == pytest.approx(made.protect(template, 3), rel=1e-5)
    assert not made.protect(np.zeros((1, 16), dtype=np.float32), 3).any()
    assert made.comparator == "cosine"


def test_an_overlap_that_never_advances_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be less than terms = 5, got 5"):
        scheme(20, overlap=5)
