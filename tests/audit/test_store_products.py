"""Every kind of store from the command line: inspected, recognised and audited, and nobody in it
named by anything that a run keeps."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from biometrics.templates import TemplateSet
from tests.audit.conftest import Faceleak
from tests.audit.kept import sign
from tests.audit.tiny import read
from tests.biometrics.stores.containers import FORMS, Leak, leak

SAMPLE = 24
SETTINGS = (f"sample={SAMPLE}", "nearest=200", "judges=[dlib]")

KEPT = "store/templates.parquet"
"""The only file of a run that holds templates of the store, under pseudonyms."""

BELONGING = ("results.json", "report.html", "manifest.json", "journal.jsonl", "audit.yaml")


class Told(NamedTuple):
    """What is told of a kind of store.

    Attributes:
        dim: of the templates that are audited.
        family: what their lengths say.
        inverted: whether they are recognised as dlib's, and inverted.
        beside: findings besides names, and whether the store is a dump.
        why: why nothing is inverted.
    """

    dim: int
    family: str
    inverted: bool = False
    beside: frozenset[str] = frozenset()
    why: str = ""


PICTURES, RUNS = frozenset({"store.pictures"}), frozenset({"store.executable"})
ARCFACE, UNIT, MEANS, SHORT = (
    *("ArcFace family, raw", "FaceNet, or ArcFace normalised"),
    *("means of unit templates", "OpenFace or SFace"),
)
TOLD = {
    "immich": Told(512, ARCFACE, why="InsightFace buffalo_l (ArcFace R50)"),
    "immich-old": Told(512, ARCFACE, why="InsightFace buffalo_l (ArcFace R50)"),
    "photoprism": Told(512, UNIT, why="FaceNet, 512 numbers"),
    "compreface": Told(512, UNIT, beside=PICTURES, why="facenet.Calculator"),
    "deepstack": Told(512, MEANS, why="ArcFace IR-SE50"),
    "librephotos": Told(128, "dlib", inverted=True, beside=PICTURES),
    "nextcloud-recognize": Told(128, "dlib", inverted=True),
    "nextcloud-facerecognition": Told(128, "dlib", inverted=True),
    "digikam8": Told(128, SHORT, why="OpenCV SFace"),
    "digikam7": Told(128, SHORT, why="OpenFace nn4.small2"),
    "digikam6": Told(128, "dlib", inverted=True, beside=PICTURES),
    "deepface-pickle": Told(128, "dlib", inverted=True, beside=RUNS),
    "deepface-postgres": Told(512, ARCFACE, beside=PICTURES, why="Facenet512"),
    "deepface-pgvector": Told(512, ARCFACE, beside=PICTURES, why="Facenet512"),
}


def findings_of(kind: str) -> set[str]:
    """All findings of a store, by what it is."""
    told = TOLD[kind]
    plain = "store.plain-dump" if "dump" in FORMS[kind] else "store.plain"
    found = {"store.names", plain, *told.beside}
    if told.inverted:
        found |= {"store.raw-open-model", "store.shared-backbone", "inversion.own-model"}
    return found


def test_no_kind_is_left_out() -> None:
    assert set(TOLD) == set(FORMS)
    assert len(TOLD) == 14


@pytest.mark.parametrize("kind", TOLD)
def test_a_kind_of_store_is_inspected_recognised_and_audited(
    kind: str, faceleak: Faceleak, tmp_path: Path
) -> None:
    leaked, told, run = leak(kind, tmp_path), TOLD[kind], tmp_path / "run"
    looked = faceleak("stores", "inspect", leaked.path, "--json")
    assert looked.code == 0, looked.err
    check_inspection(json.loads(looked.out), kind, leaked)
    sign(leaked.path)
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    ended = faceleak("audit", "--store", leaked.path, "--out", run, *settings)
    assert ended.code == 0, ended.err
    results = read(run)
    store = results["store"]
    assert (store["kind"], store["form"]) == (kind, FORMS[kind])
    assert (store["n_templates"], store["n_subjects"]) == (leaked.rows, leaked.people)
    assert (store["n_named"], store["coverage"]) == (leaked.named, 1.0)
    assert (store["dim"], sum(store["pictures"].values())) == (told.dim, leaked.pictures)
    assert {finding["id"] for finding in results["findings"]} == findings_of(kind)
    page = html.unescape((run / "report.html").read_text(encoding="utf-8"))
    if told.inverted:
        check_inverted(results, run)
    else:
        assert told.why in store["not_inverted"]
        assert "--backbone" in store["not_inverted"]
        assert store["not_inverted"] in results["verdict"]
        assert store["not_inverted"] in page
        assert results["attacks"] == []
        assert not (run / KEPT).exists()
        assert not (run / "reconstructions").exists()
    if kind == "librephotos":  # a dump holds the names of their files alone
        assert any("files of their own" in problem for problem in store["problems"])
    for title in (finding["title"] for finding in results["findings"]):
        assert title in page
    for text in (looked.out, looked.err, ended.out, ended.err):
        assert not {secret for secret in leaked.ids if secret in text}
    check_nobody_is_named(run, leaked)


def check_inspection(record: dict[str, Any], kind: str, leaked: Leak) -> None:
    told = TOLD[kind]
    assert (record["store"]["product"], record["store"]["form"]) == (kind, FORMS[kind])
    assert record["store"]["evidence"]
    assert (record["rows"], record["coverage"]) == (leaked.rows, 1.0)
    shapes = [(line["rows"], line["dim"]) for line in record["collections"]]
    assert shapes == [vectors.shape for vectors in leaked.vectors]
    first = record["collections"][0]
    assert (first["dim"], first["family"]["name"]) == (told.dim, told.family)
    assert record["backbone"] == ("dlib" if told.inverted else None)
    if told.inverted:
        assert first["recognition"]["backbone"] == "dlib"
        assert first["contradictions"] == []


def check_inverted(results: dict[str, Any], run: Path) -> None:
    """The shipped attack rebuilt faces, and dlib, who looked at them, takes them for the people."""
    store = results["store"]
    assert (store["backbone"], store["not_inverted"]) == ("dlib", "")
    count = store["n_audited_templates"]
    assert SAMPLE - 3 <= count <= SAMPLE  # whole people, with three templates each
    attack = next(row for row in results["attacks"] if not row["control"])
    assert (attack["attack"], attack["n_attempts"]) == ("appearance", count)
    crops = np.load(run / "reconstructions/appearance/crops.npy", mmap_mode="r")
    assert len(np.unique(crops.reshape(len(crops), -1), axis=0)) == count
    rate = attack["judges"]["dlib"]["type1"]["1e-3"]
    assert rate["value"] > 0.9
    assert "LFW" in store["calibration"]
    assert "would be accepted by dlib itself" in results["verdict"]
    assert len(results["samples"]) > 0


def check_nobody_is_named(run: Path, leaked: Leak) -> None:
    """No name, no identifier and no template of the store stands in what a run keeps; but for
    templates without either where the attack needs them."""
    assert leaked.names <= leaked.ids
    spelled = [form.encode() for secret in leaked.ids for form in spellings(secret)]
    starts = [row[:4].astype(kind).tobytes() for kind in ("<f4", "<f8") for row in every(leaked)]
    digits = [repr(float(row[0])).encode() for row in every(leaked)]
    seen = set()
    for path in sorted(p for p in run.rglob("*") if p.is_file()):
        name = path.relative_to(run).as_posix()
        seen.add(name)
        content = path.read_bytes()
        if name == KEPT:
            kept = TemplateSet.load(path).table
            for column, letter in (("template_id", "T"), ("subject_id", "S")):
                assert kept[column].str.fullmatch(f"{letter}-[0-9a-f]{{24}}").all()
            assert not [secret for secret in spelled if secret in content], name
            continue
        if path.suffix == ".parquet":
            content += pd.read_parquet(path).to_csv().encode()
        assert not [secret for secret in (*spelled, *starts, *digits) if secret in content], name
    assert {*BELONGING, "store/store.json"} <= seen


def spellings(secret: str) -> set[str]:
    """As text, in JSON and in HTML."""
    return {secret, json.dumps(secret)[1:-1], html.escape(secret)}


def every(leaked: Leak) -> list[NDArray[np.float32]]:
    return [row for vectors in leaked.vectors for row in vectors]
