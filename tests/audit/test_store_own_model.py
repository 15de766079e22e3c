"""Stores whose templates have 512 numbers, inverted by an attack that was trained for the model:
one that the tests make, since none of that length ships."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.config import load_config
from audit.synthesis import generate_faces
from audit.trained import train_attack
from audit.watch import Watch
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from tests.audit.conftest import Faceleak
from tests.audit.kept import sign
from tests.audit.tiny import read
from tests.biometrics.backbones.own_models import SIDE, tiny_onnx, write_record
from tests.biometrics.stores.dumps import mysql_dump, pg_dump
from tests.biometrics.stores.made import MadePeople
from tests.biometrics.stores.made_albums import photoprism_of
from tests.biometrics.stores.made_servers import immich_of

DIM, PEOPLE, PICTURES = 512, 12, 2
NAME = "onnx:edges.onnx"
SYNTH = "{subjects: 2, pictures: 2, attacker_subjects: 120, threshold_subjects: 2}"


class Own(NamedTuple):
    """A model, an attack that was trained for it, and people with its templates."""

    model: Path
    attack: Path
    people: MadePeople


def edges() -> NDArray[np.float32]:
    """[3 * SIDE * SIDE, DIM]: random sums of edges, the second differences of a picture."""
    line = 2 * np.eye(SIDE) - np.eye(SIDE, k=1) - np.eye(SIDE, k=-1)
    plane = np.kron(line, np.eye(SIDE)) + np.kron(np.eye(SIDE), line)
    sums = np.random.default_rng(5).normal(size=(3 * SIDE * SIDE, DIM)) / SIDE
    return (np.kron(np.eye(3), plane) @ sums).astype(np.float32)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    folder = tmp_path_factory.mktemp("own")
    model = write_record(tiny_onnx(folder / "edges.onnx", matrix=edges()), dim=DIM)
    overrides = [f"faces={{synth: {SYNTH}}}", f"target='onnx:{model}'", "attacks=[linear]"]
    config = load_config(overrides=[*overrides, "judges=[dlib]"])
    attack = train_attack(config, "linear", folder / "attack", Watch.quiet()).parent
    crops = generate_faces(PEOPLE, PICTURES, seed=11).crops
    vectors = embed(load_backbone(f"onnx:{model}"), crops)
    names = [f"Xanthippe Quorn-{i}" for i in range(PEOPLE)]
    return Own(model, attack, MadePeople(vectors, np.repeat(np.arange(PEOPLE), PICTURES), names))


def of_length_one(people: MadePeople) -> MadePeople:
    lengths = np.linalg.norm(people.vectors, axis=1, keepdims=True)
    return MadePeople(people.vectors / lengths, people.person, people.names)


@pytest.mark.parametrize("kind", ["immich", "photoprism"])
def test_templates_of_512_numbers_are_inverted(
    kind: str, own: Own, faceleak: Faceleak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Immich keeps them as the model gives them, PhotoPrism at length 1."""
    monkeypatch.setattr("audit.stores_tools.FACES", 200)
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(own.model.with_name("cache")))  # faces of nobody
    if kind == "immich":
        content = pg_dump(immich_of(own.people).tables)
    else:
        content = mysql_dump(photoprism_of(of_length_one(own.people)).tables)
    leak, run = tmp_path / "backup.sql.gz", tmp_path / "run"
    leak.write_bytes(gzip.compress(content, 1))
    sign(leak)
    ended = faceleak(
        *("audit", "--store", leak, "--backbone", f"onnx:{own.model}", "--attack", own.attack),
        *("--out", run, "--set", "nearest=200", "--set", "judges=[dlib]", "--set", "fmr=[1e-2]"),
    )
    assert ended.code == 0, ended.err
    results = read(run)
    store = results["store"]
    assert (store["kind"], store["dim"], store["backbone"]) == (kind, DIM, NAME)
    assert (results["target"], store["not_inverted"], store["problems"]) == (NAME, "", [])
    assert store["normalised"] is (kind == "photoprism")
    assert store["n_audited_templates"] == PEOPLE * PICTURES
    assert store["calibration"] == "thresholds from 200 sampled people who do not exist"
    assert store["collections"][0]["backbone"] == NAME
    check_attack(results)
    assert {finding["id"] for finding in results["findings"]} == {
        *("inversion.own-model", "store.names", "store.plain-dump")
    }
    for path in (p for p in run.rglob("*") if p.is_file()):
        content = path.read_bytes()
        assert b"Quorn" not in content, path
        if path.name != "audit.yaml":  # what the run was told stays where it can be told again
            assert str(own.model.parent).encode() not in content, path


def check_attack(results: dict[str, Any]) -> None:
    """Most reconstructions are accepted, far more than nobody's face and somebody else's."""
    rates = {row["attack"]: row["judges"][NAME]["type1"]["1e-2"] for row in results["attacks"]}
    controls = [f"control:{name}" for name in ("mean", "nearest", "random", "shuffled")]
    assert set(rates) == {"linear", *controls}
    assert rates["linear"]["value"] > 0.8
    for name in controls:
        assert rates[name]["value"] < rates["linear"]["value"] - 0.2
