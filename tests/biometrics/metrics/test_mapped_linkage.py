"""Linking through a map, where the map is known."""

from __future__ import annotations

import numpy as np
import pytest

from biometrics.metrics.intervals import Interval, NotMeasured
from biometrics.metrics.linkage import link
from biometrics.metrics.mapped_linkage import calibrated_map
from tests.biometrics.metrics.common import Array


def two_models(count: int, seed: int, noise: float = 0.1, pictures: int = 2) -> tuple[Array, ...]:
    """Templates of the same pictures by two models, each a linear view of one face."""
    rng = np.random.default_rng(seed)
    views = np.random.default_rng(99).normal(size=(2, 10, 12))
    subjects = np.repeat(np.arange(count), pictures)
    faces = rng.normal(size=(count, 10))[subjects] + 0.2 * rng.normal(size=(len(subjects), 10))
    one, two = (faces @ view + noise * rng.normal(size=(len(subjects), 12)) for view in views)
    return one, two, np.char.zfill(subjects.astype(str), 4)


def test_a_map_that_holds_links_people_and_says_how_well() -> None:
    sources, targets, subjects = two_models(200, seed=0)
    found = calibrated_map(sources, targets, subjects, "l2", [1e-2, 1e-4], unit=False)
    assert found.fitted_on == 120
    assert found.held_out.subjects == (80, 80)
    assert found.map.pairs == 240
    assert found.map.explained > 0.95
    assert isinstance(found.thresholds[1e-4], NotMeasured)
    assert set(found.measured) == {1e-2}
    at = found.held_out.given[1e-2]
    assert isinstance(at.fmr, Interval)
    assert isinstance(at.tmr, Interval)
    assert at.fmr.value == pytest.approx(1e-2, abs=2e-4)
    assert at.tmr.value > 0.9
    # On people of another draw, the calibration holds.
    a, b, names = two_models(150, seed=1)
    first, second = np.arange(0, 300, 2), np.arange(1, 300, 2)
    stores = found.map.apply(a[first]), names[first], b[second], names[second]
    linked = link(*stores, "l2", thresholds=found.measured)
    fresh = linked.given[1e-2]
    assert isinstance(fresh.tmr, Interval)
    assert isinstance(fresh.fmr, Interval)
    assert fresh.tmr.value == pytest.approx(at.tmr.value, abs=0.08)
    assert fresh.fmr.value == pytest.approx(1e-2, rel=0.6)
    assert isinstance(linked.rank1, Interval)
    assert linked.rank1.value > 0.9


def test_a_map_between_models_with_nothing_in_common_says_so() -> None:
    sources, _, subjects = two_models(200, seed=0)
    targets = np.random.default_rng(3).normal(size=sources.shape)
    found = calibrated_map(sources, targets, subjects, "l2", [1e-2], unit=False)
    assert found.map.explained < 0.05
    at = found.held_out.given[1e-2]
    assert isinstance(at.tmr, Interval)
    assert at.tmr.value < 0.1
    assert isinstance(found.held_out.rank1, Interval)
    assert found.held_out.rank1.value < 0.1


def test_people_held_out_are_not_fitted_on() -> None:
    """Every person has a direction of their own: nothing carries over to anybody else, though the
    fitted pictures are predicted."""
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 4)
    sources = np.eye(40)[subjects] + 1e-3 * rng.normal(size=(160, 40))
    targets = rng.normal(size=(40, 20))[subjects] + 1e-3 * rng.normal(size=(160, 20))
    found = calibrated_map(sources, targets, subjects.astype(str), "l2", [0.1], unit=False)
    assert found.map.explained > 0.9  # other pictures of the same people
    assert isinstance(found.held_out.rank1, Interval)
    assert found.held_out.rank1.value < 0.4


def test_too_few_people_or_pictures_are_refused() -> None:
    sources, targets, subjects = two_models(3, seed=0)
    with pytest.raises(ValueError, match="4 are needed, got 3"):
        calibrated_map(sources, targets, subjects, "l2", [1e-2], unit=False)
    sources, targets, subjects = two_models(20, seed=0, pictures=1)
    with pytest.raises(ValueError, match="nobody held out has two"):
        calibrated_map(sources, targets, subjects, "l2", [1e-2], unit=False)
