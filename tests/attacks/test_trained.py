"""Attacks that were trained before: how they are found, and what their records must hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attacks import trained
from attacks.trained import RECORD, find_attack, load_trained, shipped_attack
from biometrics.errors import ConfigError, InputError, UnknownNameError, WeightsError
from tests.attacks.kept import linear, vectors


def test_a_kept_attack_draws_what_it_drew(kept_attack: Path) -> None:
    found = load_trained(kept_attack)
    assert found.record["target"] == "dlib"
    np.testing.assert_array_equal(
        found.attack.invert(vectors()).crops, linear().invert(vectors()).crops
    )


@pytest.mark.parametrize(
    "record",
    [None, "", "[]", "5", '"linear"', "{}", '{"attack": "linear", "settings": {}}'],
    ids=["absent", "empty", "list", "number", "text", "nothing in it", "half"],
)
def test_a_folder_without_an_attack_is_refused(kept_attack: Path, record: str | None) -> None:
    (kept_attack / RECORD).unlink()
    if record is not None:
        (kept_attack / RECORD).write_text(record)
    with pytest.raises(InputError, match=r"holds no trained attack .attack.json.; make one with"):
        load_trained(kept_attack)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"attack": "linaer"}, UnknownNameError, "did you mean 'linear'"),
        ({"settings": {"rigde": 1}}, ConfigError, "has no setting 'rigde'"),
    ],
)
def test_a_record_of_another_version_is_explained(
    kept_attack: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    record = json.loads((kept_attack / RECORD).read_text())
    (kept_attack / RECORD).write_text(json.dumps(record | change))
    with pytest.raises(error, match=said):
        load_trained(kept_attack)


def test_absent_weights_are_told(kept_attack: Path) -> None:
    (kept_attack / "linear.safetensors").unlink()
    with pytest.raises(WeightsError, match="is not a readable attack"):
        load_trained(kept_attack)


def test_an_attack_is_a_folder_or_ships_for_a_backbone(
    kept_attack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_attack(str(kept_attack)) == kept_attack
    monkeypatch.setattr(trained, "files", lambda _package: tmp_path)
    with pytest.raises(InputError, match="attack nothing: neither a folder nor a backbone"):
        find_attack("nothing")
    with pytest.raises(
        WeightsError, match=r"no attack ships .*'eigenfaces' .there is one for none"
    ):
        shipped_attack("eigenfaces")
    (tmp_path / "pretrained").mkdir()
    kept_attack.rename(tmp_path / "pretrained" / "dlib")
    assert find_attack("dlib") == shipped_attack("dlib") == tmp_path / "pretrained" / "dlib"
    with pytest.raises(WeightsError, match="there is one for dlib"):
        find_attack("eigenfaces")
