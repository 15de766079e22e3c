from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reports import results as schema
from reports.results import (
    AttackResult,
    Headline,
    JudgeResult,
    Landmarks,
    Measured,
    NotMeasured,
    Results,
    ResultsError,
    Sample,
    ScoreHistogram,
    load_results,
    save_results,
)
from tests.reports import factory

# The agreed names of schema_version 1, written down by hand: additions pass, renames fail.
TOP = [
    "schema_version",
    "title",
    "created",
    "headline",
    "grade",
    "provenance",
    "backbones",
    "attacks",
    "histograms",
    "det",
    "curves",
    "samples",
    "stress",
    "protections",
    "compare",
    "store",
    "findings",
    "gates",
]
ATTACK = [
    "attack",
    "backbone",
    "knowledge",
    "control",
    "n_attempts",
    "n_failed",
    "detection_rate",
    "judges",
    "image",
    "landmarks",
    "seconds",
    "templates_per_second",
]
JUDGE = [
    "unseen",
    "type1",
    "type2",
    "type2_reference",
    "margin_over_nearest",
    "reconstruction_fmr",
    "sar_ignoring_detection",
    "rank1",
    "rank10",
    "similarity",
]
BACKBONE = [
    "dim",
    "similarity",
    "differentiable",
    "licence",
    "thresholds",
    "tmr",
    "realised_fmr",
    "lfw_view2",
    "eer",
    "roc_auc",
]


def minimal() -> dict[str, Any]:
    provenance = {"faceleak": "0", "python": "3.12", "device": "cpu", "seed": 1}
    return {
        "schema_version": 1,
        "title": "t",
        "created": "2026-01-31T12:00:00Z",
        "provenance": provenance,
    }


def test_a_rich_document_survives_the_round_trip(tmp_path: Path) -> None:
    before = factory.results(**factory.extensions())
    save_results(before, tmp_path / "results.json")
    assert load_results(tmp_path / "results.json") == before
    assert load_results(tmp_path) == before  # the folder of a run does as well


def test_saving_twice_gives_equal_bytes_whatever_the_order_of_the_keys(tmp_path: Path) -> None:
    one = factory.results()
    judges = dict(reversed(one.attacks[0].judges.items()))
    attacks = [one.attacks[0].model_copy(update={"judges": judges}), *one.attacks[1:]]
    save_results(one, tmp_path / "a")
    save_results(one.model_copy(update={"attacks": attacks}), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_document_has_the_agreed_names(tmp_path: Path) -> None:
    save_results(factory.results(), tmp_path / "results.json")
    document = json.loads((tmp_path / "results.json").read_text())
    attack = document["attacks"][0]
    assert set(TOP) <= document.keys()
    assert set(ATTACK) <= attack.keys()
    assert set(JUDGE) <= attack["judges"]["dlib"].keys()
    assert set(BACKBONE) <= document["backbones"]["dlib"].keys()
    assert {"accuracy", "std", "dropped_pairs"} <= document["backbones"]["dlib"]["lfw_view2"].keys()
    assert attack["judges"]["dlib"]["type1"]["1e-2"].keys() == {"value", "low", "high", "n"}
    assert attack["judges"]["dlib"]["type1"]["1e-4"].keys() == {"not_measured"}
    assert document["backbones"]["dlib"]["thresholds"]["1e-3"] == -0.6


def test_the_json_schema_can_be_written_and_names_every_estimate() -> None:
    text = json.dumps(Results.model_json_schema())
    assert '"NotMeasured"' in text
    assert '"Measured"' in text


def test_only_the_owner_can_read_the_file_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    save_results(factory.results(), tmp_path / "results.json")
    assert stat.S_IMODE((tmp_path / "results.json").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.json").write_text("old")

    def refuse(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("reports.files.os.replace", refuse)
    with pytest.raises(OSError, match="no space"):
        save_results(factory.results(), tmp_path / "results.json")
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
    assert (tmp_path / "results.json").read_text() == "old"


@pytest.mark.parametrize("where", [(), ("provenance",)])
def test_unknown_keys_are_refused(where: tuple[str, ...]) -> None:
    document = minimal()
    part = document
    for key in where:
        part = part[key]
    part["surprise"] = 1
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Results.model_validate(document)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_refused_everywhere(bad: float, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Measured(value=bad, n=3)
    with pytest.raises(ValidationError, match="finite"):
        factory.results(curves={"a": {"loss": [1.0, bad]}})
    sneaked = factory.results()
    sneaked.curves["landmark-texture"]["texture loss"].append(bad)
    with pytest.raises(ResultsError, match="curves"):
        save_results(sneaked, tmp_path / "results.json")
    assert not (tmp_path / "results.json").exists()


def test_an_estimate_on_nothing_or_turned_round_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Measured(value=0.0, n=0)
    with pytest.raises(ValidationError, match=r"low 0\.6 is above high 0\.4"):
        Measured(value=0.5, low=0.6, high=0.4, n=3)
    with pytest.raises(ValidationError, match="both or not at all"):
        Measured(value=0.5, low=0.4, n=3)
    with pytest.raises(ValidationError, match="at least 1 character"):
        NotMeasured(not_measured="")


@pytest.mark.parametrize("key", ["0.001", "1e-03", "1E-3", "", "0e-3"])
def test_other_spellings_of_an_fmr_are_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        JudgeResult(unseen=True, type1={key: Measured(value=0.1, n=1)})


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.png", "a/../../x", "C:\\x", "..\\x", ""])
def test_pictures_lie_inside_the_run(path: str) -> None:
    with pytest.raises(ValidationError, match="inside the run folder"):
        Sample(
            template="t", subject="s", attack="a", original=path, reconstruction=None, detected=True
        )


def test_lists_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(ValidationError, match="67 entries, expected 0 or 68"):
        Landmarks(per_point=[1.0] * 67)
    with pytest.raises(ValidationError, match="expected 2 shares"):
        ScoreHistogram(edges=[0.0, 1.0, 2.0], mated=[1])
    with pytest.raises(ValidationError, match="increasing"):
        ScoreHistogram(edges=[0.0, 0.0])


def test_more_failures_than_attempts_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 failures in 2 attempts"):
        AttackResult(
            attack="a",
            backbone="b",
            knowledge="",
            control=False,
            n_attempts=2,
            n_failed=3,
            detection_rate=schema.NOT_RUN,
        )


def test_everybodys_face_begins_above_three_times_the_nominal_fmr() -> None:
    def own(value: float) -> bool:
        estimate = Measured(value=value, n=9)
        return JudgeResult(unseen=True, reconstruction_fmr={"1e-2": estimate}).everybody("1e-2")

    assert not own(0.029)
    assert own(0.031)
    assert not JudgeResult(unseen=True).everybody("1e-2")


def test_defaults_are_not_shared_between_documents() -> None:
    one, two = (Results.model_validate(minimal()) for _ in range(2))
    one.notes.append("x")
    one.backbones["x"] = factory.backbone("l2", None)
    assert two.notes == []
    assert two.backbones == {}


def test_a_headline_may_be_absent_and_may_be_not_measured() -> None:
    assert Results.model_validate(minimal()).headline is None
    head = Headline(attack="a", judge="j", fmr="1e-3", sar=factory.FEW)
    assert isinstance(head.sar, NotMeasured)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b"[]", "schema_version is None, expected 1"),
        (b'{"schema_version": 2}', "schema_version is 2, expected 1"),
        (b'{"schema_version": 1}', r"title: Field required \(and 2 more\)"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b"[" * 200_000, "not JSON"),
    ],
)
def test_a_damaged_file_is_one_readable_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(ResultsError, match=message) as caught:
        load_results(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"results\.json: cannot be read .* is this a run\?"):
        load_results(tmp_path)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="time with its zone"):
        Results.model_validate(minimal() | {"created": "2026-01-31T12:00:00"})
