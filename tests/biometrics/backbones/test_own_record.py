from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from biometrics.backbones.own_record import ARCFACE_112, read_record, record_beside, required_keys
from biometrics.errors import WeightsError
from biometrics.faces.geometry import CANONICAL_POINTS, apply_affine
from tests.biometrics.backbones.own_models import RECORD, write_record


def read(folder: Path, **changes: Any) -> Any:
    return read_record(record_beside(write_record(folder / "model.onnx", **changes)))


def refusal(folder: Path, **changes: Any) -> str:
    with pytest.raises(WeightsError) as raised:
        read(folder, **changes)
    assert "\n" not in str(raised.value)
    assert str(folder / "model.yaml") in str(raised.value)
    return str(raised.value).removeprefix(f"{folder / 'model.yaml'}: ")


def test_a_complete_record_is_read(tmp_path: Path) -> None:
    record = read(tmp_path)
    assert (record.dim, record.input.height, record.colour) == (5, 16, "rgb")
    assert record.mean == (0.5, 0.5, 0.5)
    assert record.std == (0.25, 0.25, 0.25)
    assert (record.threshold, record.unit) == (None, False)
    assert read(tmp_path, mean=[1, 2, 3], threshold=0.3).mean == (1, 2, 3)


def test_nothing_that_matters_has_a_default() -> None:
    assert set(required_keys()) == set(RECORD)


def test_every_missing_key_is_named(tmp_path: Path) -> None:
    text = refusal(tmp_path, colour=None, mean=None, input={"height": 16})
    assert text == "missing: input.width, colour, mean"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"color": "rgb"}, "unknown key 'color' (did you mean 'colour'?)"),
        (
            {"input": {"heigth": 16, "width": 16}},
            "unknown key 'input.heigth' (did you mean 'height'?)",
        ),
        ({"crop": {"point": []}}, "unknown key 'crop.point' (did you mean 'points'?)"),
        ({"zzz": 1}, "unknown key 'zzz'; known: dim, input, crop"),
    ],
)
def test_an_unknown_key_names_the_nearest(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    assert refusal(tmp_path, **changes).startswith(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colour": "grey"}, "colour: input should be 'rgb' or 'bgr'; got 'grey'"),
        ({"pixel_range": 256}, "pixel_range: input should be 1 or 255; got 256"),
        ({"std": 0}, "std must be positive"),
        ({"std": [1, 2]}, "std"),
        ({"mean": float("nan")}, "mean"),
        ({"dim": 1}, "dim: "),
        ({"similarity": "l1"}, "similarity: input should be 'cosine' or 'l2'"),
        ({"licence": ""}, "licence: "),
        ({"crop": {}}, "crop: give exactly one of template, points or affine; got none"),
        (
            {"crop": {"template": "arcface-112", "affine": [[1, 0, 0], [0, 1, 0]]}},
            "crop: give exactly one of template, points or affine; got template and affine",
        ),
        ({"crop": "arcface-128"}, "crop.template: input should be 'arcface-112'"),
        ({"crop": "arcface-112"}, "crop arcface-112 belongs to an input of 112x112; got 16x16"),
        ({"crop": {"affine": [[0, 0, 1], [0, 0, 1]]}}, "crop: it shrinks the face to nothing"),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    assert expected in refusal(tmp_path, **changes)


def test_the_three_ways_to_say_the_crop(tmp_path: Path) -> None:
    size = {"height": 112, "width": 112}
    named = read(tmp_path, crop="arcface-112", input=size).crop.as_crop()
    points = read(tmp_path, crop={"points": ARCFACE_112.tolist()}, input=size).crop.as_crop()
    assert named == points
    affine = read(tmp_path, crop={"affine": [list(row) for row in named]}).crop.as_crop()
    assert affine == named
    # A similarity cannot bring five points onto five others, but it comes near.
    brought = apply_affine(np.asarray(named), CANONICAL_POINTS)
    assert np.abs(brought - ARCFACE_112).max() < 4


def test_a_record_that_is_absent_or_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"record .*model.yaml cannot be read: No such file"):
        read_record(tmp_path / "model.yaml")
    (tmp_path / "model.yaml").write_text("- 1\n")
    with pytest.raises(WeightsError, match=r"expected keys with values .*, got list"):
        read_record(tmp_path / "model.yaml")
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(dict(RECORD)) + "dim: 6\n")
    with pytest.raises(WeightsError, match="'dim' is given twice"):
        read_record(tmp_path / "model.yaml")
    (tmp_path / "model.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsError, match="it is no text"):
        read_record(tmp_path / "model.yaml")
