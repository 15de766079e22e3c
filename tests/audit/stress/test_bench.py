"""Who is put under stress: the same people at every time, those with several pictures first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.stress.bench import Workbench


def bench_of(names: list[str], leaked: list[int], *, seed: int = 7, shown: int = 4) -> Workbench:
    """A workbench that knows people and nothing else."""
    bench: Any = Workbench.__new__(Workbench)
    bench.people = SimpleNamespace(
        faces=SimpleNamespace(subject_ids=np.array(names)),
        split=SimpleNamespace(leaked=np.array(leaked, dtype=np.intp)),
    )
    bench.config, bench.sizes = SimpleNamespace(seed=seed), SimpleNamespace(shown=shown)
    found: Workbench = bench
    return found


NAMES = ["a", "a", "a", "b", "c", "c", "d", "x", "x"]
LEAKED = [0, 1, 2, 3, 4, 5, 6]


def test_all_is_everybody_who_leaked() -> None:
    assert bench_of(NAMES, LEAKED).draw(None, None).tolist() == LEAKED


def test_people_with_several_pictures_come_first() -> None:
    assert bench_of(NAMES, LEAKED).draw(2, None).tolist() == [0, 1, 2, 4, 5]
    assert bench_of(NAMES, LEAKED).draw(2, 2).tolist() == [0, 1, 4, 5]
    assert bench_of(NAMES, LEAKED).draw(2, 1).tolist() == [0, 4]


def test_people_with_too_few_pictures_can_be_left_out() -> None:
    assert bench_of(NAMES, LEAKED).draw(None, None, least=2).tolist() == [0, 1, 2, 4, 5]
    assert bench_of(NAMES, LEAKED).draw(9, 2, least=3).tolist() == [0, 1]


people = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40)


@given(people, st.integers(1, 10), st.integers(1, 4), st.integers(0, 3))
def test_a_draw_is_what_it_says(names: list[str], subjects: int, most: int, seed: int) -> None:
    rows = bench_of(names, list(range(len(names))), seed=seed).draw(subjects, most)
    drawn = [names[row] for row in rows]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(set(drawn)) == min(subjects, len(set(names)))
    for name in set(drawn):
        own = [i for i, other in enumerate(names) if other == name]
        assert [row for row in rows if names[row] == name] == own[:most]
    single = {n for n in set(names) if names.count(n) < 2}
    if set(drawn) & single:  # then nobody with two pictures was left out
        assert set(names) - single <= set(drawn)


def test_fewer_people_are_a_part_of_more() -> None:
    names = [n for n in "abcdefgh" for _ in range(2)]
    bench = bench_of(names, list(range(16)))
    assert set(bench.draw(3, None)) < set(bench.draw(5, None))


def test_the_seed_chooses_and_the_order_of_the_others_does_not() -> None:
    names = [f"person {i}" for i in range(40) for _ in range(2)]
    rows = list(range(80))
    first = {names[r] for r in bench_of(names, rows).draw(10, None)}
    back = names[::-1]
    assert {back[r] for r in bench_of(back, rows).draw(10, None)} == first
    assert {names[r] for r in bench_of(names, rows, seed=8).draw(10, None)} != first


@pytest.mark.parametrize(("shown", "expected"), [(0, 0), (3, 3), (12, 4)])
def test_one_picture_each_of_some_people_is_shown(shown: int, expected: int) -> None:
    bench = bench_of(NAMES, LEAKED, shown=shown)
    rows = bench.draw(None, None)
    positions = bench.shown(rows)
    names = [NAMES[rows[p]] for p in positions]
    assert len(positions) == len(set(names)) == expected
