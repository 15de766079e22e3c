"""Who is compared with whom to see whether protected templates can be linked."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from audit.protect.linking import _strangers
from biometrics.metrics.unlinkability import unlinkability


@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 12), st.integers(0, 99))
def test_strangers_have_the_same_key_and_are_somebody_else(
    dealt: list[int], each: int, seed: int
) -> None:
    keys = np.array(dealt, dtype=np.int64)
    found = _strangers(keys, each, seed)
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert all(i != j and keys[i] == keys[j] for i, j in pairs)
    asked = Counter(i for i, _ in pairs)
    for i, key in enumerate(dealt):
        assert asked[i] == min(each, dealt.count(key) - 1)


def test_scores_that_depend_on_the_keys_alone_link_nobody() -> None:
    """Each pair of keys has its own mean score; people play no part."""
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 20, 400)
    level = rng.normal(size=20)

    def score(key: np.ndarray) -> np.ndarray:
        return level[key] + 0.1 * rng.normal(size=len(key))

    strangers = _strangers(keys, 10, 1)
    told = unlinkability(score(keys), score(keys[strangers.first]))
    assert told.d_sys.value <= told.d_sys_chance.high
