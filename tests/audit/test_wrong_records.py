"""A user's own model whose record is wrong in one line: the line is found out and named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from audit import backbone_check
from audit.backbone_check import Check, check_backbone
from audit.input_variants import VARIANTS
from biometrics.backbones.base import load_backbone
from biometrics.faces.faceset import FaceSet
from tests.audit.conftest import Faceleak
from tests.audit.own_network import LEFT, RECORD, SIDE, TOP, patterned_people

NAME = "module:tests.audit.own_network.Network"
MIDDLE = (SIDE - 1) / 2 * (1 - 0.8)
WRONG: dict[str, dict[str, Any]] = {
    "colour order": {"colour": "bgr"},
    "value range": {"pixel_range": 255},
    "crop": {"crop": {"affine": [[0.8, 0, MIDDLE - 0.8 * LEFT], [0, 0.8, MIDDLE - 0.8 * TOP]]}},
}
UNDONE = {
    "colour order": "with BGR",
    "value range": "with 1/255 of it",
    "crop": "enlarged by 1.25",
}
SENTENCE = r"TMR (0|\.\d\d) as declared, (\.\d\d) (.*): check the (.*)"


@pytest.fixture(scope="module")
def people() -> FaceSet:
    """40 people, three pictures of each: 780 pairs, an FMR of .038."""
    return patterned_people(40, 3, noise=0.13)


@pytest.fixture
def one_of_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that undo the mistakes, and some that undo nothing."""
    taken = {*UNDONE.values(), "with [0, 255]", "moved left by 10 %"}
    monkeypatch.setattr(backbone_check, "VARIANTS", tuple(v for v in VARIANTS if v.name in taken))


def checked(people: FaceSet, folder: Path, **changes: Any) -> Check:
    record = folder / "record.yaml"
    record.write_text(yaml.safe_dump({**RECORD, **changes}), encoding="utf-8")
    return check_backbone(load_backbone(NAME, {NAME: str(record)}), people)


def test_the_right_record_is_not_accused(people: FaceSet, tmp_path: Path) -> None:
    check = checked(people, tmp_path)
    assert check.suspect is None
    assert check.outcomes[0].tmr is not None
    assert 0.9 < check.outcomes[0].tmr.value < 1


@pytest.mark.usefixtures("one_of_each_kind")
@pytest.mark.parametrize("point", UNDONE)
def test_the_wrong_line_is_said_with_both_rates(
    people: FaceSet, tmp_path: Path, point: str
) -> None:
    right = checked(people, tmp_path).outcomes[0].tmr
    check = checked(people, tmp_path, **WRONG[point])
    found = re.fullmatch(SENTENCE, check.verdict)
    assert found, check.verdict
    declared, undone = float(found[1]), float(found[2])
    assert found[3] == UNDONE[point]
    assert found[4] == point
    assert declared < 0.75
    assert right is not None
    assert undone == pytest.approx(right.value, abs=0.02)  # it is the right record again


@pytest.mark.usefixtures("one_of_each_kind")
def test_the_command_says_it_in_one_line(
    people: FaceSet, faceleak: Faceleak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "people"
    folder.mkdir()
    people.save(folder)
    record = tmp_path / "wrong.yaml"
    record.write_text(yaml.safe_dump({**RECORD, **WRONG["colour order"]}), encoding="utf-8")
    ended = faceleak(
        "doctor", "--backbone", NAME, "--faces", folder, "--weights", f"{NAME}={record}"
    )
    assert ended.code == 0, ended.err
    first = " ".join(ended.out.split())
    assert re.match(rf"{NAME}: TMR 0 as declared, \.9\d with BGR: check the colour order", first)


@pytest.mark.usefixtures("one_of_each_kind")
def test_where_everybody_is_accepted_the_separation_tells(tmp_path: Path) -> None:
    """Little noise: the wrong crop takes in some of the noise around and accepts all the same."""
    strong = patterned_people(40, 3, noise=0.02)
    right = checked(strong, tmp_path)
    assert right.suspect is None
    check = checked(strong, tmp_path, **WRONG["crop"])
    assert check.suspect is not None, check.outcomes
    assert check.suspect.better == "separation"
    assert check.verdict.startswith("TMR 1 as declared, 1 enlarged by 1.25, but separation ")
    assert check.verdict.endswith(": check the crop")
    numbers = [
        float(n) for n in re.findall(r"separation (\d+\.\d), not (\d+\.\d)", check.verdict)[0]
    ]
    assert numbers == pytest.approx(
        [right.outcomes[0].separation, check.outcomes[0].separation], abs=0.35
    )
    assert np.diff(numbers) < 0
