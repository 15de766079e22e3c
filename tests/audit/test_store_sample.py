from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audit.split import MAX_PICTURES
from audit.store_sample import Drawing
from biometrics.stores.batch import Collection, StoreBatch, make_batch

WHERE = Collection("faces.vector", 4, "float32")


def _batches(
    subjects: list[str | None], vectors: NDArray[np.float32], size: int = 7
) -> list[StoreBatch]:
    ids = [f"t{row}" for row in range(len(subjects))]
    parts = [slice(start, start + size) for start in range(0, len(subjects), size)]
    return [make_batch(WHERE, vectors[p], ids[p], subjects[p]) for p in parts]


def _key(seed: int) -> bytes:
    return seed.to_bytes(8, "little")


def _vectors(count: int) -> NDArray[np.float32]:
    return np.arange(1, 1 + 4 * count, dtype=np.float32).reshape(count, 4)


def _expected(subjects: list[str], most: int, seed: int) -> set[str]:
    """By sorting everybody: the people in the order of their hashes, as long as they fit."""
    key = _key(seed)
    names = sorted(
        set(subjects),
        key=lambda n: hashlib.blake2b(f"s{n}".encode(), key=key, digest_size=8).digest(),
    )
    chosen: set[str] = set()
    count = 0
    for name in names:
        count += min(MAX_PICTURES, subjects.count(name))
        if count > most and chosen:
            break
        chosen.add(name)
    return chosen


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=120),
    st.integers(1, 60),
    st.integers(0, 5),
)
def test_the_draw_is_that_of_sorting_everybody_whatever_the_order(
    numbers: list[int], most: int, seed: int
) -> None:
    subjects = [f"p{n}" for n in numbers]
    drawn = Drawing(most, _key(seed)).through(_batches(list(subjects), _vectors(len(subjects))))
    sample = drawn.sample(WHERE)
    assert {name[1:] for name in sample.subjects} == _expected(subjects, most, seed)
    mixed = np.random.default_rng(len(subjects)).permutation(len(subjects))
    again = Drawing(most, _key(seed)).through(
        _batches([subjects[i] for i in mixed], _vectors(len(subjects))[mixed])
    )
    assert set(again.sample(WHERE).subjects) == set(sample.subjects)


def test_vectors_stay_with_their_ids_and_people() -> None:
    subjects: list[str | None] = [f"p{i % 5}" for i in range(30)]
    vectors = _vectors(30)
    sample = Drawing(12, _key(1)).through(_batches(subjects, vectors)).sample(WHERE)
    rows = [int(name[1:]) for name in sample.template_ids]
    np.testing.assert_array_equal(sample.vectors, vectors[rows])
    assert [f"s{subjects[row]}" for row in rows] == sample.subjects.tolist()
    assert sample.known.all()


def test_at_most_ten_templates_of_a_person() -> None:
    sample = (
        Drawing(100, _key(0)).through(_batches(["a"] * 25 + ["b"] * 3, _vectors(28))).sample(WHERE)
    )
    assert dict(zip(*np.unique(sample.subjects, return_counts=True), strict=True)) == {
        "sa": MAX_PICTURES,
        "sb": 3,
    }


def test_unlabelled_templates_are_people_of_their_own() -> None:
    subjects: list[str | None] = [None, None, "t0"]  # a person who is called like a template
    sample = Drawing(100, _key(0)).through(_batches(subjects, _vectors(3))).sample(WHERE)
    assert len(set(sample.subjects)) == 3
    assert sample.known.sum() == 1
    none = Drawing(9, _key(0)).through(_batches([None] * 9, _vectors(9))).sample(WHERE)
    assert not none.known.any()
    assert len(set(none.subjects)) == 9


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_rows_that_are_no_templates_are_left_out(bad: float) -> None:
    vectors = _vectors(3)
    vectors[1] = bad
    sample = Drawing(9, _key(0)).through(_batches(["a", "b", "c"], vectors)).sample(WHERE)
    assert sorted(set(sample.subjects)) == ["sa", "sc"]
