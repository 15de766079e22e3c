"""``faceleak stores link`` on stores that real readers read."""

from __future__ import annotations

import json
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from audit import linkage
from audit.authorisation import FORM, check_one_of
from audit.cli import app, main
from audit.linkage import link_stores
from audit.linkage_rows import LoadedStore
from audit.linkage_sides import Side, scale_of
from audit.linkage_words import sentences
from audit.synthesis import generate_faces
from audit.watch import Watch
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.errors import InputError
from biometrics.stores.batch import Collection
from biometrics.stores.known_backbones import shipped_calibration
from tests.audit.kept import sign
from tests.biometrics.stores.made import dlib_people
from tests.biometrics.stores.made_product import write_sqlite
from tests.biometrics.stores.products import PRODUCTS

NAMES = [f"Person {i} O'Neil" for i in range(12)]


def encodings(folder: Path, vectors: NDArray[np.floating], names: list[str]) -> Path:
    folder.mkdir()
    path = folder / "encodings.pickle"
    path.write_bytes(pickle.dumps({"encodings": list(vectors), "names": names}))
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A photo library, and a tutorial's pickle with other pictures of half of its people."""
    people = dlib_people()
    (tmp_path / "photos").mkdir()
    library = write_sqlite(PRODUCTS["librephotos"].tables, tmp_path / "photos" / "db.sqlite3")
    noise = np.random.default_rng(3).normal(size=(12, 128)).astype(np.float32)
    again = people.vectors[::3] + 0.01 * noise
    names = [name if i % 2 else f"Stranger {i}" for i, name in enumerate(people.names)]
    return library, encodings(tmp_path / "pickle", again, names)


def run(*words: object) -> Any:
    return CliRunner().invoke(app, ["stores", "link", *map(str, words)])


def test_two_products_are_linked_by_readable_names_at_the_shipped_thresholds(
    pair: tuple[Path, Path],
) -> None:
    for store in pair:
        sign(store)
    told = run(*pair, "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert [side["backbone"] for side in found["stores"]] == ["dlib", None]
    assert any("they have as many values as dlib's" in note for note in found["notes"])
    assert found["stores"][0]["collection"] == "api_face.encoding"
    known = shipped_calibration("dlib")
    assert known is not None
    at = {f"{fmr:.0e}".replace("e-0", "e-"): cut for fmr, cut in known.thresholds.items()}
    assert {label: line["threshold"] for label, line in found["given"].items()} == at
    # Persons 1, 3, ... 11 carry their names in both; 0 and the last faces have none.
    assert found["shared"] == 6
    assert found["rank1"]["value"] == 1.0
    assert found["map"] is None
    plain = run(*pair)
    assert "6 are in both by their labels" in plain.output
    assert "The first holds templates of dlib, the second of an unknown model" in plain.output
    assert "from 5,755 photographs" in plain.output
    for name in (*NAMES, "Stranger", str(pair[0].parent)):
        assert name not in plain.output + told.stdout


def test_without_a_form_for_both_nothing_is_linked(
    pair: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(linkage, "read_side", lambda *_: pytest.fail("read"))
    words = ["stores", "link", *map(str, pair)]
    for ready in ((), pair[:1], pair[1:]):
        for store in pair:
            (store.parent / FORM).unlink(missing_ok=True)
        for store in ready:
            sign(store)
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code == 5
        unsigned = pair[1] if ready == pair[:1] else pair[0]
        assert f"{unsigned.name}: no {FORM}" in capsys.readouterr().err
    # Two forms that lie elsewhere are told apart by the stores' hashes; a third store's is none.
    forms = []
    for number, store in enumerate(pair):
        forms.append(sign(store).rename(tmp_path / f"{number}.yaml"))
    both = [word for form in forms[::-1] for word in ("--authorization", str(form))]
    with pytest.raises(BaseException, match="read"):
        main([*words, *both])
    with pytest.raises(SystemExit) as end:
        main([*words, *both[:2]])
    assert end.value.code == 5
    assert "made for another store" in capsys.readouterr().err


def test_two_models_are_linked_through_a_map_with_its_calibration(tmp_path: Path) -> None:
    """Sampled people of another seed than the map's, in one store by each model."""
    faces = generate_faces(25, 2, 77)
    one = embed(load_backbone("dlib"), faces.crops[::2])
    two = embed(load_backbone("faceleak-mini"), faces.crops[1::2])
    names = [f"Person {i}" for i in range(25)]
    a, b = encodings(tmp_path / "a", one, names), tmp_path / "mini.parquet"
    pd.DataFrame({"name": names, "embedding": list(two)}).to_parquet(b)
    for store in (a, b):
        sign(store)
    linked = link_stores(
        str(a),
        str(b),
        check_authorisation=partial(check_one_of, forms=[]),
        backbone_a="dlib",
        backbone_b="faceleak-mini",
        sampled=100,
        fmrs=[5e-2],
        watch=Watch.quiet(),
    )
    found = linked.as_json()
    assert [side["backbone"] for side in found["stores"]] == ["dlib", "faceleak-mini"]
    assert found["shared"] == 25
    assert found["rank1"]["value"] > 0.3  # 1 in 25 by chance
    made = found["map"]
    assert (made["fitted_on"], made["pairs"], made["held_out"]) == (60, 120, 40)
    assert 0 < made["explained"] < 1
    assert made["at"]["5e-2"]["fmr"]["value"] <= 0.05
    assert "photographs" not in " ".join(found["notes"])  # the map has thresholds of its own
    assert "The map predicts" in "\n".join(sentences(linked))


def side(rows: NDArray[np.float32], backbone: str, **changes: Any) -> Side:
    place = Collection("x", rows.shape[1], "float32")
    loaded = LoadedStore(place, rows, [f"row {i}" for i in range(len(rows))], {}, 1.0, 0, 0)
    given: dict[str, Any] = {
        "changed": False,
        "unit": False,
        "notes": (),
        "lost": 0,
        "broken": "",
        **changes,
    }
    return Side(loaded, backbone, **given)


def test_templates_stored_at_length_1_get_their_own_length_back() -> None:
    rows = dlib_people().vectors
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    scale = scale_of(side(rows, "dlib"), side(unit, "dlib", unit=True), {})
    assert scale.similarity == "l2"
    np.testing.assert_array_equal(scale.first, rows)
    known = shipped_calibration("dlib")
    assert known is not None
    lengths = np.linalg.norm(scale.second, axis=1)
    np.testing.assert_allclose(lengths, known.norm_mean, rtol=1e-5)


def test_what_is_unknown_or_changed_is_compared_by_the_cosine_or_refused() -> None:
    rows = dlib_people().vectors
    supposed = scale_of(side(rows, ""), side(rows, "dlib"), {})
    assert supposed.similarity == "l2"
    assert supposed.thresholds
    assert "of the first store was not recognised" in " ".join(supposed.notes)
    for one, two in (
        (side(rows, ""), side(rows, "")),
        (side(rows, "dlib", changed=True), side(rows, "dlib")),
        (side(rows, "dlib", changed=True), side(rows, "")),
    ):
        scale = scale_of(one, two, {})
        assert (scale.similarity, scale.thresholds, scale.mapped) == ("cosine", None, None)
    for one, two in (
        (side(rows[:, :64], "dlib", changed=True), side(rows, "dlib")),
        (side(rows[:, :64], ""), side(rows, "dlib")),
        (side(rows, "mobilefacenet", changed=True), side(rows, "dlib")),
    ):
        with pytest.raises(InputError, match="cannot be compared"):
            scale_of(one, two, {})
