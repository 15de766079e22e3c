from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.base import StoreFacts
from biometrics.stores.batch import Tally
from biometrics.stores.inspection import CollectionFigures, inspect
from tests.biometrics.stores.memory import MemoryStore, one_batch

VALUES = st.sampled_from([0.0, 1.0, -2.5, 0.25, np.nan, np.inf, -np.inf, 3e30, -0.0])


def figures(store: MemoryStore, **settings: Any) -> CollectionFigures:
    (found,) = inspect(store, **settings).collections
    return found


def by_hand(rows: NDArray[np.float32]) -> dict[str, float]:
    """The same counts by a loop over rows, in double precision."""
    found = dict.fromkeys(("nan", "infinite", "zero", "constant", "duplicates"), 0)
    seen, lengths, negative = set(), [], 0
    for row in rows.astype(np.float64):
        if np.isnan(row).any():
            found["nan"] += 1
        elif np.isinf(row).any():
            found["infinite"] += 1
        elif not row.any():
            found["zero"] += 1
        else:
            found["constant"] += int(len(set(row.tolist())) == 1)
            key = row.astype(np.float32).tobytes()
            found["duplicates"] += int(key in seen)
            seen.add(key)
            lengths.append(float(np.sqrt((row**2).sum())))
            negative += int(bool((row < 0).any()))
    sound = len(lengths)
    return {
        **found,
        "sound": sound,
        "mean": float(np.mean(lengths)) if lengths else -1.0,
        "non_negative": 1 - negative / sound if sound else 0.0,
        "unit": float(np.mean(np.abs(np.array(lengths) - 1) < 1e-3)) if lengths else 0.0,
    }


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_counts_agree_with_a_loop_over_rows_however_they_are_cut(data: st.DataObject) -> None:
    dim = data.draw(st.integers(1, 5))
    row = st.lists(VALUES, min_size=dim, max_size=dim)
    rows = np.array(data.draw(st.lists(row, min_size=1, max_size=14)), dtype=np.float32)
    cut = data.draw(st.integers(0, len(rows)))
    parts = [one_batch(part) for part in (rows[:cut], rows[cut:]) if len(part)]
    found, wanted = figures(MemoryStore(parts)), by_hand(rows)
    for name in ("nan", "infinite", "zero", "constant", "duplicates", "sound"):
        assert getattr(found, name) == wanted[name], name
    assert found.rows == len(rows)
    assert found.non_negative == pytest.approx(wanted["non_negative"])
    assert found.unit == pytest.approx(wanted["unit"])
    assert (found.norms.mean is None) == (wanted["sound"] == 0)
    if found.norms.mean is not None:
        assert found.norms.mean == pytest.approx(wanted["mean"], rel=1e-5)
    assert len(found.sample) == wanted["sound"]


def test_the_sample_does_not_depend_on_the_batches_and_stands_for_all() -> None:
    rows = np.random.default_rng(1).normal(size=(3000, 8)).astype(np.float32)
    people = [f"p{row // 3}" for row in range(3000)]
    whole = figures(MemoryStore([one_batch(rows, people)]), keep=500, seed=3)
    cuts = [0, 1, 2, 700, 701, 2999, 3000]
    parts = [one_batch(rows[a:b], people[a:b]) for a, b in pairwise(cuts)]
    split = figures(MemoryStore(parts), keep=500, seed=3)
    np.testing.assert_array_equal(whole.sample, split.sample)
    assert whole.sample_subjects == split.sample_subjects
    assert len(whole.sample) == 500
    place = {row.tobytes(): at for at, row in enumerate(rows)}
    places = [place[row.tobytes()] for row in whole.sample]
    assert places == sorted(places)
    assert [people[at] for at in places] == list(whole.sample_subjects)
    assert 1400 < np.mean(places) < 1600  # from everywhere, not from the beginning
    other = figures(MemoryStore(parts), keep=500, seed=4)
    assert (other.sample != whole.sample).any()


@pytest.mark.parametrize("dim", [17, 18])
def test_rows_of_few_bits_are_not_taken_for_equal(dim: int) -> None:
    bits = (np.arange(1 << 16)[:, None] >> np.arange(dim)) & 1
    rows = bits.astype(np.float32) + 1
    assert figures(MemoryStore([one_batch(rows)])).duplicates == 0
    twice = figures(MemoryStore([one_batch(rows), one_batch(rows[5:9])]))
    assert twice.duplicates == 4


def test_lengths_have_mean_deviation_and_percentiles() -> None:
    lengths = np.linspace(1, 3, 2001)
    rows = np.zeros((2001, 3))
    rows[:, 1] = lengths
    found = figures(MemoryStore([one_batch(rows)])).norms
    assert found.mean == pytest.approx(2)
    assert found.std == pytest.approx(lengths.std(), rel=1e-5)
    assert (found.low, found.high) == (1, 3)
    assert found.percentiles["50"] == pytest.approx(2)
    assert found.percentiles["5"] == pytest.approx(1.1)


def test_subjects_and_names_are_counted_and_stay_in_memory() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 4))
    people = ["ann-1", "ann-1", "ann-1", "bob-2", None, "cy-3", "cy-3"]
    names = ["Ann Zed", "Ann Zed", None, "Bob", None, "Cy", "Cy"]
    inspection = inspect(MemoryStore([one_batch(rows, people, names)]))
    (found,) = inspection.collections
    assert (found.subjects, found.single, found.several, found.most) == (3, 1, 2, 3)
    assert (found.without_subject, found.names) == (1, 3)
    text = json.dumps(inspection.as_record())
    for word in ("ann-1", "Ann Zed", "Bob", "cy-3"):
        assert word not in text


def test_min_max_scaled_rows_are_told_from_unit_rows_without_negative_values() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 16))
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    assert figures(MemoryStore([one_batch((rows - low) / (high - low))])).min_max_scaled
    whole = (rows - rows.min()) / (rows.max() - rows.min())
    assert figures(MemoryStore([one_batch(whole)])).min_max_scaled
    positive = np.abs(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
    found = figures(MemoryStore([one_batch(positive)]))
    assert not found.min_max_scaled
    assert found.unit == 1
    assert found.non_negative == 1


def test_means_of_unit_templates_are_shorter() -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 1, 64))
    rows = centres + 0.4 * random.normal(size=(40, 9, 64))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    assert figures(MemoryStore([one_batch(rows.mean(axis=1))])).means_of_unit
    assert not figures(MemoryStore([one_batch(rows.reshape(-1, 64))])).means_of_unit


def test_collections_are_kept_apart_and_the_main_one_has_no_means() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4))
    few, means = one_batch(rows[:5], name="a"), one_batch(rows, name="b", mean=True)
    found = inspect(MemoryStore([few, means, few]))
    assert [one.rows for one in found.collections] == [10, 30]
    assert found.main is found.collections[0]
    assert found.collections[0].duplicates == 5
    assert found.rows == 40


def test_many_collections_share_the_room_for_samples() -> None:
    rows = np.ones((2, 3)) * [[1, 2, 3], [3, 2, 1]]
    parts = [one_batch(rows, name=f"file {at}") for at in range(60)]
    found = inspect(MemoryStore(parts))
    assert len(found.collections) == 60
    assert found.collections[0].sample.shape == (2, 3)


def test_a_store_that_breaks_off_keeps_what_was_read() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 4))
    found = inspect(MemoryStore([one_batch(rows)], broken="page 7 is damaged"))
    assert found.rows == 3
    assert found.broken == "page 7 is damaged"
    with pytest.raises(StoreError, match="page 7"):
        inspect(MemoryStore([], broken="page 7 is damaged"))


def test_the_record_has_stable_keys_and_is_json() -> None:
    tally = Tally(empty=2)
    tally.skip("row 9", "no list", 3)
    facts = StoreFacts("immich", "dump", rows={"a": 5}, evidence=("x",), backbones=("dlib",))
    rows = np.random.default_rng(0).normal(size=(3, 4))
    record = json.loads(
        json.dumps(inspect(MemoryStore([one_batch(rows)], facts, tally)).as_record())
    )
    assert set(record) == {
        "source", "store", "rows", "coverage", "read", "empty", "unreadable", "examples",
        "broken", "seed", "collections",
    }  # fmt: skip
    assert record["coverage"] == 0.5
    assert record["unreadable"] == {"no list": 3}
    assert record["store"]["backbones"] == ["dlib"]
    line = record["collections"][0]
    assert set(line) == {
        "name", "dim", "stored_as", "mean", "model", "rows", "nan", "infinite", "zero", "constant",
        "duplicates", "norms", "low", "high", "non_negative", "unit", "grids", "subjects",
        "without_subject", "single", "several", "most", "names", "min_max_scaled",
        "means_of_unit", "sampled",
    }  # fmt: skip


def test_nothing_at_all() -> None:
    found = inspect(MemoryStore([]))
    assert found.main is None
    assert (found.rows, found.coverage, found.broken) == (0, 1.0, "")


def test_progress_is_told_in_rows() -> None:
    told: list[int] = []
    rows = np.random.default_rng(0).normal(size=(6, 4))
    inspect(MemoryStore([one_batch(rows), one_batch(rows[:2])]), advance=told.append)
    assert told == [6, 2]


LARGE = """
import resource, sys
import numpy as np
from biometrics.stores.inspection import inspect
from tests.biometrics.stores.memory import MemoryStore, one_batch
class Large(MemoryStore):
    def batches(self):
        rows = np.random.default_rng(0).normal(size=(8000, 512)).astype(np.float32)
        for part in range(125):
            rows += np.float32(0.001)
            people = [f"person {(part * 8000 + row) // 2}" for row in range(8000)]
            yield one_batch(rows, people, people)
found = inspect(Large([])).collections[0]
assert (found.rows, found.subjects, found.duplicates) == (1_000_000, 500_000, 0)
assert "torch" not in sys.modules
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_a_million_templates_are_inspected_in_flat_memory() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 600  # MiB
