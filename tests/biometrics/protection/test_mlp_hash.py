from __future__ import annotations

import numpy as np
import pytest

from biometrics.metrics.scores import similarity_matrix
from biometrics.protection.base import Enrolled, make_scheme
from biometrics.protection.mlp_hash import MlpHash


def scheme(dim: int, **settings: int) -> MlpHash:
    made = make_scheme("mlp-hash", settings, dim, "l2")
    assert isinstance(made, MlpHash)
    return made


def templates(count: int, dim: int) -> np.ndarray:
    return np.random.default_rng(dim).normal(1.0, 1.0, (count, dim)).astype(np.float32)


@pytest.mark.parametrize("settings", [{}, {"layers": 1, "width": 6, "length": 20}, {"length": 5}])
def test_bits_are_those_of_a_network_computed_number_by_number(settings: dict[str, int]) -> None:
    rows = templates(5, 10)
    made = scheme(10, **settings)
    made.fit(Enrolled(rows, np.array(list("abcde"))))
    protected = made.protect(rows, 3)
    *hidden, last = (weights.tolist() for weights in made.weights(3))
    for template, found in zip(rows.tolist(), protected, strict=True):
        layer = [a - float(b) for a, b in zip(template, made.mean, strict=True)]
        for weights in hidden:
            sums = [sum(w * x for w, x in zip(row, layer, strict=True)) for row in weights]
            layer = [max(0.0, s) for s in sums]
        end = [sum(w * x for w, x in zip(row, layer, strict=True)) for row in last]
        mean = sum(end) / len(end)
        assert (found > 0).tolist() == [value > mean for value in end]
        assert np.abs(found) == pytest.approx(len(end) ** -0.5)


def test_the_published_shape_for_512_numbers_has_orthonormal_weights() -> None:
    made = scheme(512)
    weights = made.weights(0)
    assert [w.shape for w in weights] == [(1024, 512), (1024, 1024), (1024, 1024), (512, 1024)]
    assert made.stored_bits == 512
    for w in weights:
        small = w.T @ w if w.shape[0] > w.shape[1] else w @ w.T
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_weights_point_anywhere() -> None:
    """Not only where a factorisation of a fixed sign would have them."""
    firsts = np.array([scheme(3, layers=1, width=3).weights(key)[0] for key in range(400)])
    assert np.abs(firsts.mean(axis=0)).max() < 4 / np.sqrt(3 * 400)
    assert np.mean(np.linalg.det(firsts) > 0) == pytest.approx(0.5, abs=0.1)


def test_the_cosine_is_one_less_twice_the_share_of_bits_that_differ() -> None:
    made = scheme(32, length=50)
    protected = made.protect(templates(6, 32), 1)
    bits = protected > 0
    differ = (bits[:, None] != bits[None]).mean(axis=2)
    found = similarity_matrix(protected, protected, made.comparator)
    np.testing.assert_allclose(found, 1.0 - 2.0 * differ, atol=1e-6)


def test_half_of_the_bits_are_set_and_a_template_s_length_does_not_matter() -> None:
    made, rows = scheme(64), templates(300, 64)
    made.fit(Enrolled(rows, np.arange(300).astype(str)))
    protected = made.protect(rows, 5)
    assert (protected > 0).mean() == pytest.approx(0.5, abs=0.02)
    longer = made.mean + 7.0 * (rows - made.mean)
    assert ((made.protect(longer, 5) > 0) == (protected > 0)).mean() > 0.9999


def test_near_templates_get_near_hashes() -> None:
    made, rows = scheme(64), templates(100, 64)
    made.fit(Enrolled(rows, np.arange(100).astype(str)))
    noise = np.random.default_rng(1).normal(0.0, 0.2, rows.shape).astype(np.float32)
    same = (made.protect(rows, 0) * made.protect(rows + noise, 0)).sum(axis=1)
    others = (made.protect(rows, 0) * made.protect(np.roll(rows, 1, axis=0), 0)).sum(axis=1)
    assert same.min() > others.max()
