"""FAISS indexes. The oracle is the library itself, which runs in a process of its own here too."""

from __future__ import annotations

import contextlib
import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biometrics.errors import FaceleakError, StoreError
from biometrics.stores.base import open_store
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.readers import faiss_index
from tests.biometrics.stores.fuzz import EXAMPLES, SLOW_EXAMPLES, mutations

KINDS = (
    "Flat", "IDMap,Flat", "IDMap2,Flat", "IVF4,Flat", "PQ4x4np", "SQ8", "HNSW8", "IVF4,PQ4x4np",
    "IDMap,HNSW8", "LSH", "PCA8,Flat",
)  # fmt: skip
EXACT = ("Flat", "IDMap,Flat", "IDMap2,Flat", "IVF4,Flat", "HNSW8", "IDMap,HNSW8")

MAKE = """
import sys
import faiss, numpy as np
vectors, kinds = np.load("vectors.npy"), sys.argv[1:]
ids = np.arange(len(vectors)) * 7 + 5
for number, kind in enumerate(kinds):
    index = faiss.index_factory(vectors.shape[1], kind)
    index.train(vectors)
    index.add_with_ids(vectors, ids) if "IDMap" in kind else index.add(vectors)
    faiss.write_index(index, f"{number}.index")
for number, kind in enumerate(("Flat", "IDMap,Flat")):
    index = faiss.index_factory(vectors.shape[1], kind)
    index.add_with_ids(vectors[:20], ids[:20]) if number else index.add(vectors[:20])
    faiss.write_index(index, f"small{number}.index")
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)
faiss.write_index(index, "ip.index")
index = faiss.index_factory(vectors.shape[1], "IVF4,Flat")
index.train(vectors)
index.add_with_ids(vectors, ids[::-1].copy())
faiss.write_index(index, "ivf.index")
index = faiss.IndexBinaryFlat(64)
index.add(np.zeros((3, 8), np.uint8))
faiss.write_index_binary(index, "binary.index")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of indexes of the same vectors, written by the library."""
    folder = tmp_path_factory.mktemp("faiss")
    vectors = np.random.default_rng(1).normal(size=(300, 16)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors)
    command = [sys.executable, "-c", MAKE, *KINDS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


def vectors_of(made: Path) -> Any:
    return np.load(made / "vectors.npy")


def read(path: Path, limits: Limits | None = None) -> tuple[Any, Any, list[Any]]:
    """The store, its facts and its batches."""
    with open_store(str(path), limits or Limits()) as store:
        batches = list(store.batches())
        return store, store.facts, batches


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_vectors_or_says_that_they_are_approximate(
    kind: str, made: Path
) -> None:
    store, facts, (batch,) = read(made / f"{KINDS.index(kind)}.index")
    truth = vectors_of(made)
    assert (store.tally.read, store.tally.lost) == (300, 0)
    assert (facts.product, facts.form, facts.rows) == ("file", "FAISS index", {"vectors": 300})
    ids = np.arange(300) * 7 + 5 if "IDMap" in kind else np.arange(300)
    assert batch.texts("template_id") == list(map(str, ids))
    if kind in EXACT:
        np.testing.assert_array_equal(batch.vectors, truth)
        assert facts.notes == ()
    else:
        assert "the vectors are approximate" in facts.notes[0]
        assert "codes" in batch.collection.stored_as
        assert np.corrcoef(batch.vectors.ravel(), truth.ravel())[0, 1] > 0.3


def test_inner_products_lists_with_ids_and_gzip(made: Path, tmp_path: Path) -> None:
    truth = vectors_of(made)
    _, _, (batch,) = read(made / "ip.index")
    np.testing.assert_array_equal(batch.vectors, truth)
    _, _, (batch,) = read(made / "ivf.index")
    np.testing.assert_array_equal(batch.vectors, truth[::-1])
    assert batch.texts("template_id") == [str(7 * i + 5) for i in range(300)]
    for name in ("1.index", "3.index"):
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress((made / name).read_bytes()))
        _, facts, (batch,) = read(packed)
        np.testing.assert_array_equal(batch.vectors, truth)
        assert facts.form == "FAISS index, gzip"


def test_a_file_that_is_cut_short_gives_what_is_there(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.index"
    for number, start in ((0, 45), (1, 82)):
        path.write_bytes((made / f"{number}.index").read_bytes()[: start + 64 * 100 + 7])
        store, _, (batch,) = read(path)
        np.testing.assert_array_equal(batch.vectors, vectors_of(made)[:100])
        assert (store.tally.read, store.tally.lost) == (100, 200)


def changed(made: Path, number: int, at: int, value: int, size: int) -> bytes:
    data = bytearray((made / f"{number}.index").read_bytes())
    data[at : at + size] = value.to_bytes(size, "little")
    return bytes(data)


def test_claims_of_billions_take_no_memory(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "claim.index"
    rows = 1 << 40
    data = bytearray(changed(made, 0, 8, rows, 8))
    data[37:45] = (rows * 16).to_bytes(8, "little")
    path.write_bytes(data)
    store, _, (batch,) = read(path)
    assert (len(batch), store.tally.lost) == (300, rows - 300)


@pytest.mark.parametrize(
    ("number", "at", "value", "size", "line"),
    [
        (0, 8, 1 << 40, 8, "its size is not rows times numbers"),
        (0, 8, 1 << 63, 8, "it claims -9,223,372,036,854,775,808 vectors"),
        (0, 4, 0, 4, "it claims 300 vectors of 0 numbers"),
        (0, 4, 1 << 30, 4, "vectors of 1,073,741,824 numbers"),
        (1, 8, 1 << 40, 8, "the map of ids does not fit"),
        (3, 8, 1 << 40, 8, "the index claims 1,099,511,627,776 vectors of 16 numbers"),
        (6, 8, 1 << 40, 8, "damaged FAISS index|the index claims|its parser"),
    ],
)
def test_headers_that_lie_are_refused(
    number: int, at: int, value: int, size: int, line: str, made: Path, tmp_path: Path
) -> None:
    path = tmp_path / "lie.index"
    path.write_bytes(changed(made, number, at, value, size))
    with pytest.raises(StoreError, match=line):
        read(path, Limits(memory=1024 * MIB, seconds=5))


def test_what_has_no_vectors_says_so(made: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="damaged FAISS index, or one of an unknown kind"):
        read(made / "binary.index")
    path = tmp_path / "short.index"
    path.write_bytes(b"IxF2\x10\x00\x00\x00")
    with pytest.raises(StoreError, match="it is cut short"):
        read(path)


def test_the_library_never_comes_into_this_process(made: Path) -> None:
    read(made / "3.index")
    assert "faiss" not in sys.modules


def try_damaged(made: Path, data: Any, number: int, limits: Limits) -> None:
    path = made / "damaged"
    path.write_bytes(data.draw(mutations((made / f"{number}.index").read_bytes())))
    with contextlib.suppress(FaceleakError):
        store, _, batches = read(path, limits)
        assert store.tally.read == sum(map(len, batches)) <= 310


def flat(made: Path, data: Any) -> None:
    """Flat indexes alone, which are read in this process; other letters are left out."""
    number = data.draw(st.sampled_from([0, 1]))
    valid = (made / f"small{number}.index").read_bytes()
    path = made / "damaged"
    damaged = bytearray(data.draw(mutations(valid)))
    damaged[:4] = valid[:4]
    if number == 1:
        damaged[37:41] = valid[37:41]
    path.write_bytes(damaged)
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(FaceleakError):
        patch.setattr(faiss_index, "run_limited", refuse)
        store, _, batches = read(path)
        assert store.tally.read == sum(map(len, batches))


def refuse(*_arguments: Any, **_named: Any) -> Any:
    raise StoreError("the library is not asked here")


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_damaged_flat_indexes_raise_typed_errors_alone(data: Any, made: Path) -> None:
    flat(made, data)


@pytest.mark.slow
@settings(max_examples=SLOW_EXAMPLES, deadline=None, suppress_health_check=QUIET)
@given(data=st.data())
def test_many_damaged_flat_indexes_raise_typed_errors_alone(data: Any, made: Path) -> None:
    flat(made, data)


@settings(max_examples=8, deadline=None, suppress_health_check=QUIET)
@given(data=st.data(), number=st.sampled_from([3, 4, 6, 7]))
def test_damaged_indexes_crash_at_most_their_own_process(
    data: Any, number: int, made: Path
) -> None:
    try_damaged(made, data, number, Limits(memory=1024 * MIB, seconds=2))
