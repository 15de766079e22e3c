"""Every file of weights that took part is named with its terms."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from attacks.trained import load_trained, shipped_attack
from audit.weights_used import (
    SHIPPED_TERMS,
    of_attacks,
    of_audit,
    of_backbones,
    of_landmarks,
    of_measures,
    of_shipped_appearance,
    of_store,
)
from biometrics.backbones.base import OWN_LICENCE, load_backbone
from biometrics.metrics.perceptual import FILES
from biometrics.weights import KNOWN, known
from reports.results import NotMeasured
from tests.reports import factory


@pytest.fixture(scope="module")
def dlib() -> Any:
    return load_backbone("dlib", {})


def test_a_backbone_and_its_parts_are_named_once(dlib: Any) -> None:
    part = replace(dlib.spec, name="part", licence="MIT", sha256=None)
    made = SimpleNamespace(spec=replace(dlib.spec, name="made"), parts=(dlib.spec, part))
    found = {w.name: w for w in of_backbones([dlib, made], ["dlib"])}
    assert list(found) == ["dlib", "made", "part"]
    assert found["dlib"].use == "made the templates that leaked"
    assert found["made"].use == "recognition"
    assert (found["dlib"].licence, found["dlib"].sha256) == ("CC0", dlib.spec.sha256)
    assert (found["part"].licence, found["part"].sha256) == ("MIT", "")


@pytest.mark.parametrize("trunk", FILES)
def test_what_a_measure_needs_is_named_where_it_was_measured(trunk: str) -> None:
    measure = f"lpips_{trunk}"
    row = factory.attack("a", 0.5, image={measure: factory.rate(0.3)})
    missing = factory.attack("b", 0.5, image={"fid": NotMeasured(not_measured="no file")})
    (weight,) = of_measures([row, missing])
    assert weight.licence == known(FILES[trunk]).licence  # type: ignore[index]
    both = factory.attack("c", 0.5, image={"fid": factory.rate(0.3), "kid": factory.rate(0.2)})
    assert [w.name for w in of_measures([both])] == ["fid-inception"]


def test_every_known_file_says_which_measures_need_it() -> None:
    names = {record.purpose for record in KNOWN}
    assert names == {"backbone", "fid, kid", *(f"lpips_{trunk}" for trunk in FILES)}


def test_attacks_that_bring_nothing_name_nothing() -> None:
    assert of_attacks([("linear", {}), ("appearance", {})]) == []


def test_what_ships_says_its_terms() -> None:
    assert of_shipped_appearance().licence == SHIPPED_TERMS
    assert len(of_shipped_appearance().sha256) == 64
    (points,) = of_landmarks()
    assert "non-commercial" in points.licence


def test_a_store_names_the_attack_that_inverted(dlib: Any, tmp_path: Any) -> None:
    trained = load_trained(shipped_attack("dlib"))
    found = {w.name: w for w in of_store(trained, [dlib], "dlib")}
    assert set(found) == {"dlib", "attack dlib", "dlib landmarks", "appearance-lfw"}
    assert found["attack dlib"].licence == SHIPPED_TERMS
    (tmp_path / "own").mkdir()
    own = replace(trained, folder=tmp_path / "own")
    assert {w.name: w.licence for w in of_store(own, [dlib], "dlib")}["attack own"] == OWN_LICENCE


def test_several_targets_name_each_file_once(dlib: Any) -> None:
    models: Any = SimpleNamespace(ready={"dlib": dlib}, target="dlib")
    other: Any = SimpleNamespace(ready={"dlib": dlib}, target="other")
    found = of_audit([models, other], [], [], generated=True)
    assert [w.name for w in found] == ["dlib", "dlib landmarks", "appearance-lfw"]
    assert found[0].use == "made the templates that leaked"
