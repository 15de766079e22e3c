from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biometrics.errors import ConfigError
from biometrics.protection.base import Enrolled, make_scheme
from biometrics.protection.block_permutation import BlockPermutation


def scheme(dim: int, **values: float) -> BlockPermutation:
    made = make_scheme("block-permutation", values, dim, "l2")
    assert isinstance(made, BlockPermutation)
    return made


@settings(deadline=None)
@given(
    dim=st.integers(1, 40),
    block=st.integers(1, 9),
    drop=st.floats(0.0, 0.95),
    key=st.integers(0, 10**9),
)
def test_every_block_comes_once_and_whole_or_is_left_out(
    dim: int, block: int, drop: float, key: int
) -> None:
    made = scheme(dim, block=block, drop=drop)
    template = np.random.default_rng(dim).standard_normal((1, dim)).astype(np.float32)
    direction = template[0].astype(float) / np.linalg.norm(template[0].astype(float))
    whole = np.append(direction, np.zeros(-dim % block)).reshape(-1, block).astype(np.float32)
    stored = made.protect(template, key)[0].reshape(-1, block)
    left = [row.tobytes() for row in whole]
    for row in stored:
        left.remove(row.tobytes())  # fails where a block is another's, or there twice
    assert len(left) == min(len(whole) - 1, int(len(whole) * drop))
    assert made.stored_bits == 32 * stored.size


def test_without_loss_it_is_a_permutation_and_keeps_every_cosine() -> None:
    rows = np.random.default_rng(0).normal(1.0, 1.0, (6, 24)).astype(np.float32)
    made = scheme(24, drop=0.0).fit(Enrolled(rows, np.array(list("abcdef"))))
    protected, directions = made.protect(rows, 4), made.directions(rows)
    np.testing.assert_allclose(protected @ protected.T, directions @ directions.T, atol=1e-6)
    assert not np.allclose(protected, directions)


def test_a_quarter_of_128_numbers_is_lost_and_keys_differ_in_which() -> None:
    made = scheme(128)
    assert made.protect(np.ones((1, 128), dtype=np.float32), 0).shape == (1, 96)
    kept = np.zeros(128)
    for key in range(400):
        kept[made.places(key)] += 1
    assert kept / 400 == pytest.approx(np.full(128, 0.75), abs=0.1)


def test_leaving_everything_out_is_refused() -> None:
    with pytest.raises(ConfigError, match="setting 'drop'"):
        scheme(8, drop=1.0)
