"""The published schema of results.json: up to date, and what it accepts and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports.json_schema import schema_text
from reports.results import Results, dump_results
from tests.reports import (
    compare_factory,
    factory,
    protection_factory,
    store_factory,
    stress_factory,
)

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "results.schema.json"

KINDS: dict[str, Callable[[], Results]] = {
    "audit": lambda: factory.results(**factory.extensions()),
    "store": store_factory.results,
    "comparison": compare_factory.document,
    "stress": stress_factory.document,
    "protection": protection_factory.document,
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_published_schema_is_up_to_date() -> None:
    same = PUBLISHED.read_text(encoding="utf-8") == schema_text()
    assert same, "python -m reports.json_schema > docs/results.schema.json"


@pytest.mark.parametrize("kind", KINDS)
def test_what_faceleak_writes_fits(kind: str, validator: Draft202012Validator) -> None:
    validator.validate(json.loads(dump_results(KINDS[kind]())))


def spoilt(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(dump_results(factory.results()))
    change(document)
    return document


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("title"),
        lambda d: d.update(schema_version=2),
        lambda d: d.update(unknown=1),
        lambda d: d.update(grade="G"),
        lambda d: d["headline"]["sar"].pop("n"),
        lambda d: d["headline"].update(sar=0.5),
        lambda d: d["headline"].update(fmr="0.001"),
        lambda d: d["attacks"][0].update(n_attempts=-1),
        lambda d: d["attacks"][0]["judges"]["dlib"]["type1"].update({"1e-2": {}}),
    ],
)
def test_what_does_not_fit_is_refused(
    change: Callable[[dict[str, Any]], object], validator: Draft202012Validator
) -> None:
    assert not validator.is_valid(spoilt(change))
