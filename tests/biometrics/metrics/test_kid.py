from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biometrics.metrics import kid as module
from biometrics.metrics import scores
from biometrics.metrics.intervals import draw_counts
from biometrics.metrics.kid import kid, polynomial_kernel
from tests.biometrics.metrics.common import PROPERTY, Array


def world(seed: int, n_subjects: int, shift: float = 0.6, dim: int = 5) -> tuple[Array, ...]:
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(n_subjects), rng.integers(1, 4, n_subjects))
    rng.shuffle(subjects)
    centres = rng.normal(size=(n_subjects, dim))
    y = centres[subjects] + 0.3 * rng.normal(size=(len(subjects), dim))
    return y + shift, y, subjects


def kernel(a: Array, b: Array) -> float:
    return float((sum(a * b) / len(a) + 1) ** 3)


def by_loops(x: Array, y: Array, subjects: Array, m: Array) -> float:
    """The unbiased estimate, pair by pair; ``m`` [S] is how often each subject was drawn."""
    sums, weights = np.zeros(3), np.zeros(3)
    for i in range(len(x)):
        for j in range(len(x)):
            s, t = subjects[i], subjects[j]
            w = m[s] if s == t else m[s] * m[t]
            for k, (a, b) in enumerate(((x, x), (y, y), (x, y))):
                if k == 2 or i != j:
                    sums[k] += w * kernel(a[i], b[j])
                    weights[k] += w
    xx, yy, xy = sums / weights
    return float(xx + yy - 2 * xy)


def test_the_value_is_the_unbiased_estimate() -> None:
    x, y, subjects = world(0, 6)
    found = kid(x, y, subjects)
    assert found.value == pytest.approx(by_loops(x, y, subjects, np.ones(6)))
    assert found.n == 6
    np.testing.assert_allclose(
        polynomial_kernel(x, y), [[kernel(a, b) for b in y] for a in x], rtol=1e-12
    )


def test_each_draw_is_the_estimate_with_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, subjects = world(1, 5)
    counts = draw_counts(5, 3)[:20]
    monkeypatch.setattr(module, "draw_counts", lambda *_: counts)
    with np.errstate(invalid="ignore"):
        draws = [by_loops(x, y, subjects, m) for m in counts.astype(float)]
    found = kid(x, y, subjects, seed=3)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(draws, [2.5, 97.5])))


@PROPERTY
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_blocks_and_order_change_nothing(seed: int, n_subjects: int) -> None:
    x, y, subjects = world(seed, n_subjects)
    whole = kid(x, y, subjects, seed=1)
    order = np.random.default_rng(seed).permutation(len(x))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "BLOCK_ELEMENTS", 2 * len(x))
        parts = kid(x[order], y[order], subjects[order], seed=1)
    assert parts.value == pytest.approx(whole.value, rel=1e-9, abs=1e-12)
    if n_subjects >= 3:
        assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), rel=1e-7, abs=1e-9)


def test_the_interval_covers_the_true_value_and_tells_a_shift_from_none() -> None:
    near, shifted = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(2, 60, 4))
        near.append(kid(x, y, np.arange(60), seed=seed))
        shifted.append(kid(x + 0.7, y, np.arange(60), seed=seed))
    rng = np.random.default_rng(99)
    x, y = rng.normal(size=(2, 1500, 4))
    xx, yy = (polynomial_kernel(z, z)[~np.eye(1500, dtype=bool)].mean() for z in (x + 0.7, y))
    truth = xx + yy - 2 * polynomial_kernel(x + 0.7, y).mean()
    covered = sum(f.low is not None and f.low <= truth <= (f.high or 0) for f in shifted)
    assert covered >= 34  # of 40, at 95 %
    assert abs(np.mean([f.value for f in near])) < 0.05 < truth  # unbiased: about 0, both signs
    assert min(f.value for f in near) < 0 < max(f.value for f in near)
    assert sum((f.low or 0) > 0 for f in shifted) >= 38


def test_few_subjects_have_no_interval_and_wrong_features_are_refused() -> None:
    x, y, subjects = world(2, 2)
    assert (kid(x, y, subjects).low, kid(x, y, subjects).n) == (None, 2)
    with pytest.raises(ValueError, match="two pictures or more"):
        kid(x[:1], y[:1], np.zeros(1, dtype=np.intp))
    with pytest.raises(ValueError, match="without gaps"):
        kid(x, y, subjects + 1)
    with pytest.raises(ValueError, match="cannot pair features"):
        kid(x, y[1:], subjects)
    x[0] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        kid(x, y, subjects)
