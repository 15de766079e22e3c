"""A whole protection run: what is not protected is the audit itself, and nothing is done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.config import AuditConfig
from audit.pipeline import run_audit
from audit.purge import purge
from audit.run_folder import RunFolder, Stage
from audit.watch import Watch
from reports.results import Measured, NotMeasured, ProtectionResult, Results, load_results
from tests.audit.protect.small import (
    CONFIG,
    PICTURES,
    SUBJECTS,
    TARGET,
    rows_of,
    run_small,
    small_config,
)

FEW: dict[str, Any] = {"leaks": ["template"], "knowledge": ["scheme"]}
SCHEMES: list[Any] = ["random-projection", {"biohash": {"bits": 64}}, {"pca": {"keep": 16}}]
FMR = "1e-2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("protect") / "run"


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return run_small(folder, SCHEMES)


@pytest.fixture(scope="module")
def audited(folder: Path, results: Results) -> Results:
    """A plain audit of the same people; the finished stages of the run are not its own."""
    keys = ("title", "faces", "judges", "attacks", "fmr", "output")
    config = AuditConfig.model_validate({**{k: CONFIG[k] for k in keys}, "target": TARGET})
    return load_results(run_audit(config, folder.parent / "audit", Watch(None)))


def plain(results: Results, judged: str) -> ProtectionResult:
    (row,) = rows_of(
        results, "none", leak="template", control=False, judged=judged, attack="linear"
    )
    return row


@pytest.mark.parametrize("judged", ["protected", "plain"])
def test_what_is_not_protected_is_the_plain_audit_exactly(
    results: Results, audited: Results, judged: str
) -> None:
    row = plain(results, judged)
    (attack,) = [a for a in audited.attacks if a.attack == "linear"]
    told = attack.judges[TARGET]
    assert row.n_attempts == attack.n_attempts == SUBJECTS * PICTURES
    assert row.n_failed == attack.n_failed
    assert row.detection_rate == attack.detection_rate
    for name in ("type1", "type2", "type2_reference", "reconstruction_fmr"):
        mine, theirs = getattr(row, name)[FMR], getattr(told, name)[FMR]
        assert isinstance(mine, Measured)
        assert mine == theirs, name
    assert row.image["ssim_crop"] == attack.image["ssim_crop"]
    assert isinstance(row.recovered_cosine, Measured)
    assert row.recovered_cosine.value == pytest.approx(1.0, abs=1e-6)


def test_recognition_without_protection_is_that_of_the_model(
    results: Results, audited: Results
) -> None:
    (scheme,) = rows_of(results, "none", attack="")
    assert scheme.tmr[FMR] == scheme.tmr_plain[FMR] == audited.backbones[TARGET].tmr[FMR]
    assert scheme.realised_fmr[FMR] == audited.backbones[TARGET].realised_fmr[FMR]
    change = scheme.tmr_difference[FMR]
    assert isinstance(change, Measured)
    assert change.value == 0.0
    assert isinstance(scheme.tmr["1e-3"], NotMeasured)


def test_every_knowledge_and_leak_has_its_rows(results: Results) -> None:
    told = {
        (row.knowledge, row.leak, row.records)
        for row in rows_of(results, "biohash", attack="linear", control=False)
    }
    assert told == {
        ("nothing", "template", 1),
        ("scheme", "template", 1),
        ("one-key", "template", 1),
        ("key", "template", 1),
        ("all-keys", "template", 2),
        ("scheme", "score", 1),
        ("scheme", "decision", 1),
    }
    assert {row.knowledge for row in rows_of(results, "pca", attack="linear", leak="template")} == {
        "nothing",
        "scheme",
    }
    for row in results.protections:
        assert row.backbone == TARGET
        assert row.n_attempts == (SUBJECTS * PICTURES if row.type1 and not _silent(row) else 0)


def _silent(row: ProtectionResult) -> bool:
    return all(isinstance(value, NotMeasured) for value in row.type1.values())


def test_a_known_key_gives_back_more_than_an_unknown_one(results: Results) -> None:
    """The pre-image of a square projection is the template itself."""
    (known,) = [
        row
        for row in rows_of(results, "random-projection", knowledge="key", judged="plain")
        if isinstance(row.recovered_cosine, Measured)
    ]
    assert isinstance(known.recovered_cosine, Measured)
    assert known.recovered_cosine.value > 0.999
    (unknown,) = rows_of(
        results, "random-projection", knowledge="scheme", judged="plain", leak="template"
    )
    assert value(known.type1) > value(unknown.type1) + 0.3


def value(rates: dict[str, Any]) -> float:
    found = rates[FMR]
    assert isinstance(found, Measured)
    return found.value


def test_controls_are_told_for_every_scheme(results: Results) -> None:
    for scheme in ("none", "random-projection", "biohash", "pca"):
        controls = rows_of(results, scheme, control=True)
        assert {row.attack for row in controls} == {
            "control:mean-template",
            "control:random-template",
        }
        for row in controls:
            assert row.judged == "protected"
            assert value(row.type1) <= value(plain(results, "protected").type1)


def test_keys_are_renewed_and_reductions_have_none(results: Results) -> None:
    (row,) = [
        row
        for row in rows_of(results, "random-projection", knowledge="key", judged="protected")
        if isinstance(row.recovered_cosine, Measured)
    ]
    # Whoever has the template itself makes a face that opens the system under any key.
    assert value(row.revoked_type1) == pytest.approx(value(row.type1), abs=0.2)
    (scheme,) = rows_of(results, "random-projection", attack="")
    assert scheme.keys == 4
    assert {link.knowledge for link in scheme.linkage} == {"scheme", "all-keys"}
    for row in rows_of(results, "pca", attack="linear", judged="protected", leak="template"):
        if not _silent(row):
            assert row.revoked_type1[FMR] == NotMeasured(
                not_measured="there is no key to change: a new template is the old one"
            )


def test_one_key_for_all_tells_nothing_of_another_key(results: Results) -> None:
    for row in rows_of(results, "biohash", knowledge="one-key", judged="protected"):
        assert isinstance(row.type1[FMR], Measured)
        assert row.revoked_type1[FMR] == NotMeasured(
            not_measured="the threshold belongs to the one key that leaked"
        )


def test_who_has_the_keys_links_better_than_who_has_not(results: Results) -> None:
    """A dozen people tell little, but under one key both linkers would see the same."""
    (row,) = rows_of(results, "random-projection", attack="")
    told = {link.knowledge: link for link in row.linkage}
    blind, known = told["scheme"], told["all-keys"]
    assert blind.mated == known.mated == SUBJECTS
    assert isinstance(blind.d_sys, Measured)
    assert isinstance(known.d_sys, Measured)
    assert isinstance(known.null, Measured)
    assert known.null.high is not None
    assert known.d_sys.value > known.null.high
    assert known.d_sys.value > blind.d_sys.value + 0.05
    few = row.tmr_genuine_key[FMR]  # a quarter of the pairs has one key, the rest are too few
    assert isinstance(few, NotMeasured)
    assert "distinct subject pairs" in few.not_measured


def test_a_second_run_does_nothing_and_tells_the_same(
    folder: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    stage = RunFolder.stage

    def watched(self: RunFolder, name: str, inputs: Any, build: Any) -> Stage:
        done = stage(self, name, inputs, build)
        built.extend([name] * done.fresh)
        return done

    monkeypatch.setattr(RunFolder, "stage", watched)
    again = run_small(folder, SCHEMES)
    assert built == []
    timed = {"microseconds": None}
    assert [row.model_copy(update=timed) for row in again.protections] == [
        row.model_copy(update=timed) for row in results.protections
    ]
    assert again.findings == results.findings


def test_a_scheme_without_labels_is_told_as_not_measured(tmp_path: Path) -> None:
    results = run_small(tmp_path, ["disentangle"], {"leaks": ["template"]})
    (row,) = rows_of(results, "disentangle")
    assert isinstance(row.tmr[FMR], NotMeasured)
    assert "label" in row.note


def test_a_scheme_that_cannot_learn_from_so_few_ends_no_run(tmp_path: Path) -> None:
    results = run_small(tmp_path, [{"pca": {"keep": 100}}, {"pca:few": {"keep": 4}}], FEW)
    (row,) = rows_of(results, "pca")
    assert isinstance(row.tmr[FMR], NotMeasured)
    assert "need 101 templates" in row.note
    assert rows_of(results, "pca:few", attack="linear")


def test_purge_takes_pictures_and_vectors(tmp_path: Path) -> None:
    run_small(tmp_path / "run", [{"pca": {"keep": 8}}], {"leaks": ["template"]})
    assert list((tmp_path / "run").rglob("*.png"))
    purge(tmp_path / "run")
    left = {p.name for p in (tmp_path / "run").rglob("*") if p.suffix in {".png", ".npy"}}
    assert left == set()
    kept = load_results(tmp_path / "run")
    assert kept.protections
    assert all(not row.samples for row in kept.protections)


def test_unknown_schemes_and_settings_are_refused() -> None:
    for schemes, said in (
        (["biohsh"], "did you mean 'biohash'"),
        ([{"biohash": {"bit": 3}}], "did you mean 'bits'"),
        (["none"], "always comes first"),
        (["pca", "pca"], "named twice"),
    ):
        with pytest.raises(Exception, match=said):
            small_config(schemes, {})
    with pytest.raises(Exception, match="need more keys"):
        small_config(["biohash"], {"keys": 2, "records": [2]})


def test_a_quick_run_leaves_out_attacks_that_take_long() -> None:
    attacks = ["appearance", "linear"]
    assert [a.name for a in small_config(["pca"], {}, attacks=attacks).tried()] == attacks
    quick = small_config(["pca"], {}, attacks=attacks, quick=True)
    assert [a.name for a in quick.tried()] == ["linear"]
    assert [
        a.name for a in small_config(["pca"], {}, attacks="appearance", quick=True).tried()
    ] == ["appearance"]
    assert quick.protect.keys == 4  # set by hand, so it counts in a quick run too
    assert quick.protect.leaks == ("template", "score")


def test_measures_of_single_schemes(tmp_path: Path) -> None:
    schemes = [
        {"noise": {"epsilon": 100.0}},
        {"disentangle": {"name": "smile", "steps": 0}},
        "ckks",
    ]
    results = run_small(
        tmp_path, schemes, {"leaks": ["template"], "labels": "landmarks"}, quick=True
    )
    told = {row.scheme: row.measures for row in results.protections if not row.attack}
    epsilon = told["noise"]["epsilon"]
    assert isinstance(epsilon, Measured)
    assert epsilon.value == pytest.approx(100.0, rel=1e-3)
    assert set(told["disentangle"]) == {
        "attribute_before",
        "attribute_not_retrained",
        "attribute_retrained",
    }
    error = told["ckks"]["he_largest_error"]
    assert isinstance(error, Measured)
    assert error.value < 1e-4
    (silent, *_) = rows_of(results, "ckks", knowledge="scheme")
    assert silent.type1[FMR] == NotMeasured(
        not_measured="a ciphertext without its key: no attack of this tool applies"
    )
    (row,) = rows_of(results, "ckks", attack="")
    (link,) = row.linkage
    assert link.knowledge == "key"  # without it there is nothing to compare
    spent = row.measures["he_encryption_seconds"]
    assert isinstance(spent, Measured)
    assert row.microseconds == Measured(value=spent.value * 1e6, n=spent.n)
    assert not silent.key_known
    (known,) = rows_of(results, "ckks", knowledge="key", judged="protected")
    assert known.key_known
    (without,) = rows_of(
        results, "none", leak="template", judged="protected", attack="linear", control=False
    )
    assert known.type1 == without.type1
