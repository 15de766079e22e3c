"""Whole audits of small stores, as a user starts them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from audit.authorisation import FORM
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.faces.folder import load_folder_faces, read_pictures
from biometrics.faces.shipped import shipped_subjects
from biometrics.templates import TemplateSet
from reports.results import Measured, NotMeasured, Results, load_results
from tests.audit import tiny
from tests.audit.conftest import Faceleak
from tests.audit.kept import sign
from tests.audit.test_scores import check_type1
from tests.biometrics.stores.made import dlib_people

SMALL = ("--set", "nearest=200", "--set", "judges=[dlib]", "--set", "fmr=[1e-2,1e-3]")
NO_PAGE = ("--set", "output.formats=[json]")
"""Drawing the page takes a good part of so small an audit."""
PEOPLE = 12


def write(
    path: Path,
    vectors: NDArray[np.floating] | None = None,
    names: list[str] | None = None,
) -> Path:
    """The best-known file of all: a pickle of encodings and names, 36 templates of 12 people."""
    people = dlib_people(PEOPLE)
    content = {
        "encodings": list(people.vectors if vectors is None else vectors),
        "names": [people.names[i] for i in people.person] if names is None else names,
    }
    path.write_bytes(pickle.dumps(content))
    return path


Audit = Callable[..., Results]


@pytest.fixture
def audit(faceleak: Faceleak, tmp_path: Path) -> Audit:
    """Signs for a store and audits it; the results of the run folder ``run``."""

    def call(store: Path, *argv: object, code: int = 0) -> Results:
        sign(store)
        ended = faceleak("audit", "--store", store, "--out", tmp_path / "run", *SMALL, *argv)
        assert ended.code == code, ended.err
        return load_results(tmp_path / "run")

    return call


def test_a_store_that_nobody_signed_for_is_inspected_and_no_more(
    faceleak: Faceleak, tmp_path: Path
) -> None:
    store = write(tmp_path / "a.pickle")
    ended = faceleak("audit", "--store", store, "--out", tmp_path / "run", *SMALL)
    assert ended.code == 5
    assert "authorization.yaml" in ended.error
    assert "36" in ended.out
    assert "dlib" in ended.out
    assert not (tmp_path / "run").exists()
    told = faceleak("audit", "--store", store, "--out", tmp_path / "run", "--json")
    assert told.code == 5
    assert json.loads(told.out)["rows"] == 36


def test_an_audit_without_photographs(audit: Audit, faceleak: Faceleak, tmp_path: Path) -> None:
    store = write(tmp_path / "a.pickle")
    found = audit(store)
    assert found.headline is None
    assert "own model only" in found.verdict
    assert found.faces is None
    summary = found.store
    assert summary is not None
    assert (summary.kind, summary.backbone, summary.dim) == ("file", "dlib", 128)
    assert (summary.n_templates, summary.n_subjects, summary.n_named) == (36, PEOPLE, PEOPLE)
    assert (summary.n_audited_templates, summary.n_audited_subjects) == (36, PEOPLE)
    assert summary.normalised is False
    assert summary.executable
    assert summary.authorised_by
    assert "LFW" in summary.calibration
    rows = {row.attack: row for row in found.attacks}
    controls = {f"control:{name}" for name in ("mean", "nearest", "random", "shuffled")}
    assert set(rows) == {"appearance", *controls}
    judge = rows["appearance"].judges["dlib"]
    assert not judge.unseen
    for rates in (judge.type1, judge.type2, judge.type2_reference, judge.margin_over_nearest):
        assert isinstance(rates["1e-2"], Measured)
    own, mean = judge.type1["1e-3"], rows["control:mean"].judges["dlib"].type1["1e-3"]
    assert isinstance(own, Measured)
    assert isinstance(mean, Measured)
    assert own.value >= 0.95
    assert own.value > mean.value
    assert isinstance(found.backbones["dlib"].realised_fmr["1e-2"], Measured)
    assert summary.all_pairs_rate == {}
    names = {finding.id for finding in found.findings}
    assert {"store.names", "store.executable", "store.raw-open-model"} <= names
    assert all(sample.original is None for sample in found.samples)
    run = tmp_path / "run"
    assert oct(sum(p.stat().st_mode & 0o077 for p in run.rglob("*"))) == "0o0"
    assert faceleak("journal", "verify", run).code == 0
    _no_name_below(run)
    again = faceleak("audit", "--store", store, "--out", run, *SMALL)
    assert again.code == 0
    assert "invert" not in again.err  # everything was done
    assert load_results(run) == found


def _no_name_below(run: Path) -> None:
    for path in run.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"Person " not in content, path
            assert b"O'Neil" not in content, path


def test_what_an_audit_keeps_of_a_leak_needs_the_form_too(
    audit: Audit, faceleak: Faceleak, tmp_path: Path
) -> None:
    audit(write(tmp_path / "a.pickle"), *NO_PAGE)
    kept = tmp_path / "elsewhere" / "templates.parquet"
    kept.parent.mkdir()
    shutil.copy(tmp_path / "run" / "store" / "templates.parquet", kept)
    ended = faceleak("audit", "--store", kept, "--out", tmp_path / "other", *SMALL)
    assert ended.code == 5


def test_the_order_of_what_is_kept_gives_nobody_away(audit: Audit, tmp_path: Path) -> None:
    audit(write(tmp_path / "a.pickle"), *NO_PAGE)
    kept = TemplateSet.load(tmp_path / "run" / "store" / "templates.parquet")
    assert kept.table["subject_id"].is_monotonic_increasing
    outcomes = pd.read_parquet(tmp_path / "run" / "outcomes.parquet")
    assert outcomes["subject"].is_monotonic_increasing


def test_a_changed_form_is_said_in_the_next_report(
    audit: Audit, faceleak: Faceleak, tmp_path: Path
) -> None:
    store = write(tmp_path / "a.pickle")
    audit(store, *NO_PAGE)
    form = tmp_path / FORM
    form.write_text(form.read_text().replace('purpose: "tests"', 'purpose: "more tests"'))
    ended = faceleak("audit", "--store", store, "--out", tmp_path / "run", *SMALL)
    assert ended.code == 0
    found = load_results(tmp_path / "run").store
    assert found is not None
    assert found.purpose == "more tests"


def test_a_purge_leaves_the_figures_and_nothing_of_anybody(
    audit: Audit, faceleak: Faceleak, tmp_path: Path
) -> None:
    before = audit(write(tmp_path / "a.pickle"))
    assert faceleak("purge", tmp_path / "run", "--yes").code == 0
    after = load_results(tmp_path / "run")
    assert after.attacks == before.attacks
    assert after.store == before.store
    left = {p.name for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert not {name for name in left if name.endswith((".parquet", ".npy", ".png"))} - {
        "outcomes.parquet"
    }
    assert faceleak("report", tmp_path / "run").code == 0


def test_two_starts_give_the_same_numbers(audit: Audit, tmp_path: Path) -> None:
    store = write(tmp_path / "a.pickle")
    first = tiny.without_times(audit(store, *NO_PAGE).model_dump())
    (tmp_path / "run").rename(tmp_path / "other")
    assert tiny.without_times(audit(store, *NO_PAGE).model_dump()) == first


def test_templates_of_length_1_get_their_models_length(audit: Audit, tmp_path: Path) -> None:
    vectors = dlib_people(PEOPLE).vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found = audit(write(tmp_path / "a.pickle", vectors / lengths), *NO_PAGE)
    assert found.store is not None
    assert found.store.normalised is True
    judge = found.attacks[0].judges["dlib"]
    near = judge.similarity
    assert isinstance(near, Measured)
    assert near.value > -0.6  # at length 1 they would lie half a length away from themselves
    assert "store.raw-open-model" not in {finding.id for finding in found.findings}


@pytest.mark.parametrize("form", ["min-max", "first 64"])
def test_what_cannot_be_undone_is_recognised_and_not_inverted(
    form: str, audit: Audit, tmp_path: Path
) -> None:
    vectors = dlib_people(PEOPLE).vectors
    if form == "min-max":
        low, high = vectors.min(axis=1, keepdims=True), vectors.max(axis=1, keepdims=True)
        vectors = (vectors - low) / (high - low)
    else:
        vectors = vectors[:, :64]
    found = audit(write(tmp_path / "a.pickle", vectors))
    assert found.store is not None
    assert found.store.backbone == "dlib"
    assert "stored as" in found.store.not_inverted
    assert form in found.store.not_inverted
    assert found.attacks == []
    assert found.grade == "not graded"
    assert found.findings
    assert found.store.not_inverted in (tmp_path / "run" / "report.html").read_text()


def test_unknown_templates_need_a_backbone(audit: Audit, tmp_path: Path) -> None:
    random = np.random.default_rng(0).normal(size=(36, 128))
    random *= 1.44 / np.linalg.norm(random, axis=1, keepdims=True)
    store = write(tmp_path / "a.pickle", random)
    found = audit(store)
    assert found.store is not None
    assert found.store.backbone == ""
    assert "--backbone" in found.store.not_inverted
    named = audit(store, "--backbone", "dlib", *NO_PAGE)
    assert named.store is not None
    assert any("not confirmed" in problem for problem in named.store.problems)
    assert {row.attack for row in named.attacks} >= {"appearance"}


def test_without_labels_the_rate_of_all_pairs_is_an_upper_bound(
    audit: Audit, tmp_path: Path
) -> None:
    vectors = dlib_people(PEOPLE).vectors
    store = tmp_path / "a.npy"
    np.save(store, vectors)
    found = audit(store, *NO_PAGE)
    assert found.store is not None
    assert found.store.n_subjects is None
    assert found.store.n_audited_subjects == 0
    assert found.store.n_audited_of_nobody == found.store.n_audited_templates == 36
    judge = found.attacks[0].judges["dlib"]
    assert isinstance(judge.type2["1e-2"], NotMeasured)
    assert isinstance(found.backbones["dlib"].realised_fmr["1e-2"], NotMeasured)
    bound = found.store.all_pairs_rate["1e-2"]
    threshold = found.backbones["dlib"].thresholds["1e-2"]
    assert isinstance(bound, Measured)
    assert isinstance(threshold, float)
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    pairs = -distances[np.triu_indices(36, 1)]
    assert bound.value == pytest.approx((pairs >= threshold).mean())
    assert isinstance(found.store.told_apart, NotMeasured)
    assert "36 templates (whose, nobody says)" in found.verdict


def test_other_models_are_asked_beside_their_calibration(audit: Audit, tmp_path: Path) -> None:
    found = audit(
        write(tmp_path / "a.pickle"),
        *("--set", "judges=[dlib,faceleak-mini,mobilefacenet]"),
        *NO_PAGE,
    )
    assert found.store is not None
    (predicted,) = found.store.predicted
    assert predicted.judge == "faceleak-mini"
    for rates in (predicted.agreement, predicted.same_picture, predicted.strangers):
        assert isinstance(rates["1e-2"], Measured)
    assert list(found.judges_missing) == ["mobilefacenet"]
    assert all(set(row.judges) == {"dlib"} for row in found.attacks)


def test_settings_come_from_a_file_too(faceleak: Faceleak, tmp_path: Path) -> None:
    store = write(tmp_path / "a.pickle")
    sign(store)
    config = tmp_path / "mine.yaml"
    config.write_text(
        f"store: {store}\ntitle: Mine\nnearest: 200\njudges: dlib\nsample: 10\n"
        "output: {samples: 2, formats: [html, csv, scores-csv]}\n"
    )
    ended = faceleak("audit", config)
    assert ended.code == 0, ended.err
    found = load_results(Path("runs/mine"))
    assert found.title == "Mine"
    assert len(found.samples) == 2
    assert found.store is not None
    assert found.store.n_audited_templates == 9  # three whole people
    assert Path("runs/mine/results.csv").is_file()
    scores = pd.read_csv("runs/mine/scores.csv")
    assert len(scores) == 9 * len(found.attacks)
    check_type1(found, Path("runs/mine"))


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--backbone", "nonsense"), "unknown backbone 'nonsense'"),
        (("--backbone", "faceleak-mini"), "faceleak-mini gives 256 values"),
        (("--set", "collection=nonsense"), "no collection 'nonsense'"),
        (("--attack", "nowhere"), "attack nowhere"),
        (("--labels", "nowhere.csv"), "labels: no such file"),
        (("--set", "weights.dlib=nowhere"), "no such file"),
        (("--set", "sampel=3"), "unknown setting 'sampel'"),
        (("--set", "store=null"), "only for an audit of a store"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_line(
    argv: tuple[str, ...], said: str, faceleak: Faceleak, tmp_path: Path
) -> None:
    store = write(tmp_path / "a.pickle")
    sign(store)
    given: list[Any] = ["audit", "--store", store, "--out", tmp_path / "run", *argv]
    if "store=null" in argv:
        given = ["audit", "--backbone", "dlib"]
    ended = faceleak(*given)
    assert ended.code == 2
    assert said in ended.error


@pytest.mark.skipif("FACELEAK_LFW" not in os.environ, reason="FACELEAK_LFW names no pictures")
def test_real_people_outside_the_attackers_list(audit: Audit, tmp_path: Path) -> None:
    """Photographs of 40 people of LFW on whom nothing that ships was trained, two of each."""
    listed = shipped_subjects()
    folders = sorted(p for p in Path(os.environ["FACELEAK_LFW"]).iterdir() if p.is_dir())
    others = [p for p in folders if p.name not in listed and len(list(p.iterdir())) > 1]
    files = [file for p in others[:40] for file in sorted(p.iterdir())[:2]]
    (tmp_path / "faces").mkdir()
    read_pictures(files, tmp_path / "faces")
    faces = load_folder_faces(tmp_path / "faces").faces
    vectors = embed(load_backbone("dlib"), faces.crops)
    found = audit(write(tmp_path / "a.pickle", vectors, faces.subject_ids.tolist()), *NO_PAGE)
    rows = {row.attack: row.judges["dlib"] for row in found.attacks}
    own = rows["appearance"].type1["1e-3"]
    mean = rows["control:mean"].type1["1e-3"]
    assert isinstance(own, Measured)
    assert isinstance(mean, Measured)
    assert own.value >= 0.85
    assert mean.value <= 0.05
    assert found.store is not None
    assert found.store.n_subjects is not None
    assert found.store.n_subjects >= 35


def test_a_run_does_not_grow_in_the_store(faceleak: Faceleak, tmp_path: Path) -> None:
    folder = tmp_path / "leak"
    folder.mkdir()
    write(folder / "a.pickle")
    ended = faceleak("audit", "--store", folder, "--out", folder / "run", *SMALL)
    assert ended.code == 2
    assert "lies in the store" in ended.error
    assert [p.name for p in folder.iterdir()] == ["a.pickle"]


def test_nothing_to_audit_is_said(faceleak: Faceleak) -> None:
    ended = faceleak("audit")
    assert ended.code == 2
    assert "--store" in ended.error
