"""What templates tell of people, from an audit with a CSV of labels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from audit.store_attributes import store_attributes
from audit.store_sample import Drawing
from audit.watch import Watch
from biometrics.metrics import attributes
from biometrics.stores.batch import Collection, make_batch
from reports.results import Measured, NotMeasured, load_results
from tests.audit.conftest import Faceleak
from tests.audit.kept import sign

PEOPLE, PICTURES, DIM = 80, 3, 48


def planted(folder: Path) -> tuple[Path, Path]:
    """A store of no known backbone, in which one direction says who wears glasses; another label
    is drawn by lot."""
    random = np.random.default_rng(5)
    glasses = np.arange(PEOPLE) % 2
    person = np.repeat(np.arange(PEOPLE), PICTURES)
    centres = random.normal(size=(PEOPLE, DIM))
    centres[:, 0] += 6 * glasses
    vectors = centres[person] + 0.3 * random.normal(size=(len(person), DIM))
    names = [f"Person {i} O'Neil" for i in range(PEOPLE)]
    store = folder / "a.pickle"
    content = {"encodings": list(vectors), "names": [names[i] for i in person]}
    store.write_bytes(pickle.dumps(content))
    lots = random.permutation(PEOPLE) % 2
    words = [("without", "with"), ("heads", "tails")]
    lines = [
        f'"{name}",{words[0][glasses[i]]},{words[1][lots[i]]},"{name} junior"'
        for i, name in enumerate(names)
    ]
    table = folder / "labels.csv"
    table.write_text("name,glasses,lot,heir\n" + "\n".join(lines) + "\n")
    return store, table


@pytest.fixture(autouse=True)
def few_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "PERMUTATIONS", 2)
    monkeypatch.setattr(attributes, "PENALTIES", (1e-3, 1e-1))


def test_a_planted_attribute_is_found_and_a_random_one_is_not(
    faceleak: Faceleak, tmp_path: Path
) -> None:
    """Nothing of this store can be inverted; what it tells is measured all the same."""
    store, table = planted(tmp_path)
    sign(store)
    run = tmp_path / "run"
    ended = faceleak("audit", "--store", store, "--labels", table, "--out", run)
    assert ended.code == 0, ended.err
    found = load_results(run)
    assert found.store is not None
    assert found.store.not_inverted
    leaks = {leak.attribute: leak for leak in found.store.attributes}
    assert list(leaks) == ["glasses", "lot", "heir"]
    glasses, lot = leaks["glasses"], leaks["lot"]
    assert glasses.classes == {"with": 40, "without": 40}
    assert isinstance(glasses.balanced_accuracy, Measured)
    assert glasses.balanced_accuracy.value > 0.85
    assert glasses.balanced_accuracy.n == PEOPLE
    assert glasses.majority == pytest.approx(0.5)
    assert isinstance(glasses.permuted, Measured)
    assert abs(glasses.permuted.value - 0.5) < 0.2
    assert isinstance(lot.balanced_accuracy, Measured)
    assert lot.balanced_accuracy.low is not None
    assert lot.balanced_accuracy.low < 0.5 < 0.65
    assert abs(lot.balanced_accuracy.value - 0.5) < 0.15
    assert isinstance(leaks["heir"].balanced_accuracy, NotMeasured)
    ids = {finding.id for finding in found.findings}
    assert "attributes.glasses" in ids
    assert "attributes.lot" not in ids
    for path in run.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"Neil" not in content, path
            assert b"junior" not in content, path


def test_people_of_a_csv_are_found_by_any_key_or_said_to_be_nobody(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    where = Collection("x", 4, "float32")
    count = 120
    vectors = random.normal(size=(count, 4)).astype(np.float32)
    vectors[::2, 1] += 8
    ids = [f"t{i}" for i in range(count)]
    subjects: list[str | None] = [f"u{i}" for i in range(count)]
    names: list[str | None] = [f"N {i}" for i in range(count)]
    batch = make_batch(where, vectors, ids, subjects, names)
    sample = Drawing(1000, b"key").through([batch]).sample(where)
    nameless = make_batch(where, vectors, ids, None, names)
    unlabelled = Drawing(1000, b"key").through([nameless]).sample(where)
    table = tmp_path / "l.csv"
    for key, who in (("template_id", ids), ("subject_id", subjects), ("name", names)):
        lines = [f"{name},{'ab'[i % 2]}" for i, name in enumerate(who)]
        table.write_text(f"{key},kind\n" + "\n".join(lines))
        for drawn in (sample, unlabelled) if key == "name" else (sample,):
            (leak,), notes = store_attributes(table, drawn, seed=1, watch=Watch.quiet())
            assert isinstance(leak.balanced_accuracy, Measured)
            assert leak.balanced_accuracy.value > 0.95
            assert notes == []
    table.write_text("name,kind\nnobody,a\n")
    (leak,), notes = store_attributes(table, sample, seed=1, watch=Watch.quiet())
    assert isinstance(leak.balanced_accuracy, NotMeasured)
    assert "none of the 120 templates" in notes[0]


def test_a_value_of_few_people_is_counted_and_not_written(tmp_path: Path) -> None:
    where = Collection("x", 4, "float32")
    vectors = np.random.default_rng(2).normal(size=(60, 4)).astype(np.float32)
    ids = [f"t{i}" for i in range(60)]
    sample = Drawing(100, b"key").through([make_batch(where, vectors, ids)]).sample(where)
    table = tmp_path / "l.csv"
    values = [("common", "usual", "Ann")[0 if i < 25 else 1 if i < 57 else 2] for i in range(60)]
    lines = [f"{name},{value},{value}" for name, value in zip(ids, values, strict=True)]
    table.write_text("template_id,kind,again\n" + "\n".join(lines))
    (leak, _), _ = store_attributes(table, sample, seed=1, watch=Watch.quiet())
    assert "rarer values of 3 people" in leak.note
    assert "does not say whose" in leak.note
    table.write_text(
        "template_id,kind\n" + "\n".join(f"t{i},{'Ann' if i else 'Bo'}" for i in range(9))
    )
    (few,), _ = store_attributes(table, sample, seed=1, watch=Watch.quiet())
    assert "Ann" not in leak.model_dump_json() + few.model_dump_json()
