"""Which pictures are averaged, and which are kept as probes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.stress.enrolled import Person, divided, enrol, probes_of, sets_of

NUMBERS = (1, 2, 3, 5, 10, 20)


def enrolled(counts: list[int], seed: int = 0, people: int = 50, probes: int = 10) -> list[Person]:
    """People named after their number, with so many pictures each, shuffled."""
    names = np.repeat([f"p{i:03d}" for i in range(len(counts))], counts)
    names = np.random.default_rng(1).permutation(names)
    ids = np.array([f"{name}/{i}.jpg" for i, name in enumerate(names)])
    rows = np.arange(len(names))
    return enrol(rows, names, ids, people=people, numbers=NUMBERS, probes=probes, seed=seed)


pictures = st.lists(st.integers(1, 60), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(pictures, st.integers(0, 1000), st.integers(1, 12))
def test_no_probe_is_ever_averaged(counts: list[int], seed: int, probes: int) -> None:
    people = enrolled(counts, seed, probes=probes)
    assert len(people) == sum(count > 1 for count in counts)
    for person, count in zip(people, [c for c in counts if c > 1], strict=True):
        together = np.concatenate([person.enrolled, person.probes])
        assert len(np.unique(together)) == len(together) == count
        reached = max(n for n in NUMBERS if n < count)
        assert len(person.enrolled) >= reached
        assert 1 <= len(person.probes) <= probes
        assert len(person.probes) == min(probes, count - reached)
    if not people:
        return
    asked = probes_of(people)
    for number in NUMBERS:
        able = [person for person in people if len(person.enrolled) >= number]
        if able:
            held = sets_of(able, number, 4)
            assert not np.isin(held.rows, asked).any()


@settings(max_examples=40, deadline=None)
@given(pictures, st.integers(1, 20), st.integers(1, 9))
def test_sets_share_no_picture_and_are_as_many_as_there_can_be(
    counts: list[int], number: int, sets: int
) -> None:
    able = [p for p in enrolled(counts) if len(p.enrolled) >= number]
    if not able:
        return
    held = sets_of(able, number, sets)
    assert len(np.unique(held.rows)) == len(held.rows) == len(held.parts)
    assert np.bincount(held.parts).tolist() == [number] * len(held.together)
    owner = {row: i for i, person in enumerate(able) for row in person.enrolled.tolist()}
    owners = np.array([owner[row] for row in held.rows.tolist()]).reshape(-1, number)
    assert (owners == owners[:, :1]).all(), "every template is one person's"
    expected = [min(sets, len(p.enrolled) // number) for p in able]
    assert np.bincount(owners[:, 0]).tolist() == expected
    assert held.together.tolist() == list(range(sum(expected))), "each is held alone"
    assert held.first.tolist() == held.leading.tolist() == held.rows[::number].tolist()


def test_the_division_depends_on_names_and_seed_alone() -> None:
    """Another person more, or another order of the rows, changes nothing for the others."""
    names = np.repeat(["ann", "bea", "cia"], [12, 25, 7])
    ids = np.array([f"{name}/{i}" for i, name in enumerate(names)])

    def divide(order: np.ndarray, seed: int = 3) -> dict[str, list[list[str]]]:
        people = enrol(
            np.arange(len(order)),
            names[order],
            ids[order],
            people=9,
            numbers=NUMBERS,
            probes=10,
            seed=seed,
        )
        return {
            names[order][p.probes[0]]: [ids[order][r].tolist() for r in (p.enrolled, p.probes)]
            for p in people
        }

    every = np.arange(len(names))
    whole = divide(every)
    assert divide(every[::-1]) == whole
    assert divide(every[names != "cia"]) == {name: whole[name] for name in ("ann", "bea")}
    assert divide(every, seed=4) != whole
    assert sorted(whole["bea"][0]) != whole["bea"][0], "the pictures are drawn"


def test_those_with_the_most_pictures_take_part() -> None:
    people = enrolled([4, 30, 1, 9, 9, 2], people=3)
    assert [len(p.enrolled) + len(p.probes) for p in people] == [30, 9, 9]


def test_a_person_divided_by_labels_is_one_reference() -> None:
    one = Person(np.array([4, 9, 2, 7]), np.array([1]))
    two = Person(np.array([3, 8]), np.array([0]))
    held = divided([one, two], [np.array([1, 0, 1, 0]), np.array([0, 0])])
    assert held.rows.tolist() == [9, 7, 4, 2, 3, 8]
    assert held.parts.tolist() == [0, 0, 1, 1, 2, 2]
    assert held.together.tolist() == [0, 0, 1]
    assert held.first.tolist() == [9, 4, 3]
    assert held.leading.tolist() == [9, 3]
