"""Linking stores: who is taken for whom, what is compared, and what is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audit import linkage, linkage_rows
from audit.linkage import StoreLinkage, link_stores
from audit.linkage_rows import LoadedStore, Loading, labels_of_people
from audit.linkage_words import sentences
from audit.watch import Watch
from biometrics.errors import ConfigError, FaceleakError, InputError, NotAuthorisedError
from biometrics.metrics.intervals import Interval
from biometrics.stores.base import Store, StoreFacts
from biometrics.stores.batch import Collection, StoreBatch, make_batch
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.source import FileSource, Source


class Made(Store):
    """A store in memory."""

    facts = StoreFacts("file", "made")

    def __init__(self, folder: Path, batches: list[StoreBatch]) -> None:
        path = folder / "made"
        path.write_bytes(b"made")
        super().__init__(FileSource(path, DEFAULT_LIMITS), DEFAULT_LIMITS)
        self.made = batches

    def batches(self) -> Iterator[StoreBatch]:
        yield from self.made


def batch(
    vectors: np.ndarray,
    subjects: list[str | None] | None = None,
    names: list[str | None] | None = None,
    collection: str = "faces",
) -> StoreBatch:
    ids = [str(row) for row in range(len(vectors))]
    return make_batch(
        Collection(collection, vectors.shape[1], "float32"), vectors, ids, subjects, names
    )


def signed(_source: Source) -> None:
    """Somebody signed."""


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Made]:
    """Stores by location; there are no readers yet that this would have to wait for."""
    made: dict[str, Made] = {}
    monkeypatch.setattr(linkage, "open_store", lambda location: made[location])
    return made


def linked(**changes: object) -> StoreLinkage:
    settings = {"check_authorisation": signed, "watch": Watch.quiet(), **changes}
    return link_stores("a", "b", **settings)  # type: ignore[arg-type]


def loaded(subjects: list[str], names: dict[str, str] | None = None) -> LoadedStore:
    vectors = np.zeros((len(subjects), 2), dtype=np.float32)
    return LoadedStore(Collection("x", 2, "float32"), vectors, subjects, names or {}, 1.0, 0, 0)


def load_store(store: Store, seed: int, name: str = "faces") -> LoadedStore:
    loading = Loading(seed)
    for found in store.batches():
        loading.add(found)
    dim = next(store.batches()).collection.dim
    return loading.loaded(Collection(name, dim, "float32"))


def alike(
    a: LoadedStore, b: LoadedStore, same: dict[str, str] | None = None
) -> set[tuple[str, str]]:
    found = labels_of_people(a, b, same)
    return {
        (x, y)
        for x, mine in zip(a.subjects, found.first, strict=True)
        for y, theirs in zip(b.subjects, found.second, strict=True)
        if mine == theirs
    }


def test_people_are_the_same_by_name_or_id_or_by_what_is_told() -> None:
    a = loaded(["id 1", "id u-7", "name Ann", "row 3"], {"id 1": "Zoe"})
    b = loaded(["id 1", "id U-7", "id 9", "row 3"], {"id 9": "zoe ", "id 1": "Bob"})
    assert alike(a, b) == {("id 1", "id 9"), ("id u-7", "id U-7")}
    assert alike(a, b, {"1": "Ann", "nobody": "u-7"}) == {
        ("id 1", "id 9"),
        ("id u-7", "id U-7"),
        ("name Ann", "id 1"),
    }
    assert ("id 1", "id 1") in alike(a, b, {"1": "1"})  # told, and then zoe is nobody else
    assert len(alike(a, b, {"1": "1"})) == 2


def test_a_name_of_two_people_and_a_plain_number_say_nothing() -> None:
    a = loaded(["id x", "id y", "id 5"], {"id x": "Ann", "id y": "Ann"})
    b = loaded(["name Ann", "id 5"])
    assert alike(a, b) == set()


def test_one_collection_is_kept_and_what_is_not_finite_is_counted(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.float32)
    rows[1, 0] = np.nan
    made = [
        batch(rows, ["7", "7", None, None], [None, None, "Ann", None]),
        batch(np.ones((3, 2)), collection="other"),
        batch(np.eye(4)[:1]),
    ]
    found = load_store(Made(tmp_path, made), 0)
    assert found.subjects == ["id 7", "name Ann", "row 3", "row 4"]
    assert found.names == {"name Ann": "Ann"}
    assert (found.dropped, found.others, found.share) == (1, 3, 1.0)
    np.testing.assert_array_equal(found.vectors, np.eye(4)[[0, 2, 3, 0]])


def test_beyond_the_cap_whole_subjects_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkage_rows, "MOST_ROWS", 100)
    rows = np.arange(400, dtype=np.float32)[:, None]
    subjects = [f"s{row // 4}" for row in range(400)]
    made = [
        batch(rows[part : part + 50], list(subjects[part : part + 50]))
        for part in range(0, 400, 50)
    ]
    found = load_store(Made(tmp_path, made), 0)
    assert len(found.subjects) <= 100
    assert found.share in (0.25, 0.125)
    counts = np.unique(found.subjects, return_counts=True)[1]
    assert set(counts.tolist()) == {4}
    assert len(counts) == pytest.approx(100 * found.share, rel=0.6)
    assert [int(v) // 4 for v in found.vectors[:, 0]] == [int(s[4:]) for s in found.subjects]
    assert load_store(Made(tmp_path, made), 0).subjects == found.subjects
    assert load_store(Made(tmp_path, made), 1).subjects != found.subjects


def fill(stores: dict[str, Made], folder: Path, people: int = 120) -> None:
    """Two stores of one model; all but ten are in both, called alike."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=(people, 16))
    names: list[str | None] = [f"Person {i}" for i in range(people)]
    moved = true + 0.2 * rng.normal(size=true.shape)
    stores["a"] = Made(folder, [batch(true[10:], names=names[10:])])
    stores["b"] = Made(folder, [batch(moved, names=names)])


def test_stores_of_one_backbone_are_linked_directly(
    stores: dict[str, Made], tmp_path: Path
) -> None:
    fill(stores, tmp_path)
    found = linked(fmrs=[1e-2])
    assert found.linkage.subjects == (110, 120)
    assert found.linkage.shared == 110
    assert isinstance(found.linkage.rank1, Interval)
    assert found.linkage.rank1.value > 0.97
    text = "\n".join(sentences(found))
    assert "110 people of the first store were compared with 120 of the second; 110" in text
    assert "At FMR 0.01, a threshold from the stores themselves:" in text
    assert "compared by the cosine, without thresholds of a backbone" in text
    assert found.backbones == ("", "")
    assert "Person" not in text + json.dumps(found.as_json())


def test_nothing_is_read_before_both_are_signed_for(
    stores: dict[str, Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stores, tmp_path)
    monkeypatch.setattr(Made, "batches", lambda _: pytest.fail("read"))
    asked: list[Source] = []

    def second_is_not(source: Source) -> None:
        asked.append(source)
        if len(asked) == 2:
            raise NotAuthorisedError("nobody signed")

    with pytest.raises(NotAuthorisedError):
        linked(check_authorisation=second_is_not)
    assert len(asked) == 2


def test_stores_that_cannot_be_compared_are_refused(
    stores: dict[str, Made], tmp_path: Path
) -> None:
    stores["a"] = Made(tmp_path, [batch(np.ones((2, 3)))])
    stores["b"] = Made(tmp_path, [batch(np.ones((2, 4)))])
    with pytest.raises(InputError, match="templates of 3 and 4 numbers cannot be compared"):
        linked()
    with pytest.raises(ConfigError, match="name both backbones"):
        linked(backbone_a="dlib")
    with pytest.raises(InputError, match="dlib gives 128 values, the store's templates have 3"):
        linked(backbone_a="dlib", backbone_b="dlib")
    stores["a"] = Made(tmp_path, [batch(np.ones((2, 128)))])
    with pytest.raises(FaceleakError, match="unknown backbone"):
        linked(backbone_a="dlib", backbone_b="dlbi")
    stores["a"] = Made(tmp_path, [])
    with pytest.raises(InputError, match="holds no templates that can be compared"):
        linked()
