"""Adapters between backbones, where the map between them is known."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import ortho_group
from torch import Tensor

from biometrics.backbones import adapter
from biometrics.backbones.adapter import Adapter, AdapterFactory
from biometrics.backbones.adapter_name import Sides, adapter_sides
from biometrics.backbones.base import (
    BACKBONES,
    Backbone,
    BackboneSpec,
    Fittable,
    identity,
    load_backbone,
    parts_of,
)
from biometrics.backbones.embed import embed
from biometrics.backbones.lbp import SPEC as LBP
from biometrics.errors import ConfigError, InputError, UnknownNameError, WeightsError
from biometrics.template_map import TemplateMap
from tests.biometrics.backbones.pictures import smooth_pictures

DIM = 24
COUNT = 90


class Coarse(Backbone):
    """Coarse pixels, turned by an orthogonal matrix."""

    turn: Tensor

    def __init__(self, spec: BackboneSpec, turn: NDArray[np.float64]) -> None:
        super().__init__(spec)
        self.register_buffer("turn", torch.from_numpy(turn).float())

    def embed_input(self, inputs: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(inputs, 4).flatten(1)[:, :DIM] @ self.turn


ROTATION = ortho_group.rvs(DIM, random_state=1)
SPEC = replace(LBP, dim=DIM, similarity="l2", differentiable=True, may_be_unseen_judge=True)
PLAIN = replace(SPEC, name="plain", licence="free", sha256="a" * 64, customary_threshold=-1.0)
TURNED = replace(SPEC, name="turned", licence="ours", sha256="b" * 64)
COSINE = replace(TURNED, name="cosine", similarity="cosine")


class _Made:
    def __init__(self, spec: BackboneSpec, turn: NDArray[np.float64]) -> None:
        self.spec, self.turn = spec, turn

    def __call__(self, weights: Mapping[str, str]) -> Backbone:
        if weights.get(self.spec.name) == "absent":
            raise WeightsError(f"weights {self.spec.name} missing")
        sha256 = weights.get(f"{self.spec.name} sha256", self.spec.sha256)
        return Coarse(replace(self.spec, sha256=sha256), self.turn)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    BACKBONES.names()
    for spec in (PLAIN, TURNED, COSINE):
        turn = np.eye(DIM) if spec is PLAIN else ROTATION
        monkeypatch.setitem(BACKBONES._entries, spec.name, _Made(spec, turn))


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return smooth_pictures(COUNT)


def fitted(
    name: str, crops: NDArray[np.uint8], folder: Path, weights: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Weights with the map of that adapter, each picture of somebody else."""
    factory = BACKBONES.get(name)
    assert isinstance(factory, Fittable)
    path = folder / "map.safetensors"
    names = np.array([f"p{i}" for i in range(len(crops))])
    factory.fit(crops, path, subjects=names, weights=weights or {})
    return {name: str(path)}


# --- what it gives


@pytest.mark.parametrize("name", ["adapter:turned->plain", "adapter:plain->turned"])
def test_an_adapter_of_a_turned_model_is_the_model(
    name: str, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    weights = fitted(name, pictures[:60], tmp_path)
    target = load_backbone(name.partition("->")[2])
    wanted = embed(target, pictures[60:])
    np.testing.assert_allclose(
        embed(load_backbone(name, weights), pictures[60:]), wanted, atol=1e-3
    )
    assert wanted.std() > 0.1


def test_lengths_of_a_source_that_compares_directions_say_nothing(
    pictures: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "adapter:cosine->plain"
    weights = fitted(name, pictures, tmp_path)
    one = embed(load_backbone(name, weights), pictures[:5])
    monkeypatch.setitem(BACKBONES._entries, "cosine", _Made(COSINE, 3 * ROTATION))
    np.testing.assert_allclose(embed(load_backbone(name, weights), pictures[:5]), one, rtol=1e-4)


def test_it_gives_what_the_map_gives(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    """The same in numpy and in torch, for both kinds of source."""
    for source in ("turned", "cosine"):
        name = f"adapter:{source}->plain"
        weights = fitted(name, pictures, tmp_path)
        found = TemplateMap.load(Path(weights[name]))
        wanted = found.apply(embed(load_backbone(source), pictures[:7]))
        made = embed(load_backbone(name, weights), pictures[:7])
        np.testing.assert_allclose(made, wanted, rtol=1e-4, atol=1e-5)


def test_the_record_is_of_both(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    name = "adapter:cosine->plain"
    backbone = load_backbone(name, fitted(name, pictures, tmp_path))
    spec = backbone.spec
    assert (spec.name, spec.dim, spec.similarity) == (name, DIM, "l2")
    assert (spec.input_size, spec.crop) == (COSINE.input_size, COSINE.crop)
    assert spec.licence == "cosine: ours; plain: free"
    assert spec.customary_threshold is None
    assert spec.differentiable
    assert spec.may_be_unseen_judge
    assert parts_of(name) == ("cosine", "plain")
    assert [part.name for part in backbone.parts] == ["cosine", "plain"]
    assert f"fitted on {COUNT} pictures; it predicts 9" in backbone.note


@pytest.mark.parametrize("change", [{"differentiable": False}, {"may_be_unseen_judge": False}])
def test_a_limit_of_the_source_is_its_own(
    change: dict[str, bool],
    pictures: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = _Made(replace(TURNED, **change), ROTATION)
    monkeypatch.setitem(BACKBONES._entries, "turned", made)
    name = "adapter:turned->plain"
    spec = load_backbone(name, fitted(name, pictures, tmp_path)).spec
    assert {key: getattr(spec, key) for key in change} == change


def test_a_control_as_target_is_no_unseen_judge(
    pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    name = "adapter:turned->lbp"
    assert not load_backbone(name, fitted(name, pictures, tmp_path)).spec.may_be_unseen_judge


# --- what it is fitted on


def test_one_picture_of_each_person_is_taken_first(
    pictures: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many copies of one man's picture: a map of him alone knows nothing."""
    monkeypatch.setattr(adapter, "PAIRS", 60)
    crops = np.concatenate([np.repeat(pictures[:1], 500, axis=0), pictures[1:60]])
    names = np.array(["one man"] * 500 + [f"p{i}" for i in range(59)])
    factory = BACKBONES.get("adapter:turned->plain")
    assert isinstance(factory, AdapterFactory)
    factory.fit(crops, tmp_path / "map", subjects=names, weights={})
    found = TemplateMap.load(tmp_path / "map")
    assert found.pairs == 60
    assert found.explained > 0.99


def test_too_few_pictures_are_refused(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two or more pairs"):
        fitted("adapter:turned->plain", pictures[:1], tmp_path)


def test_weights_reach_both_sides(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    name = "adapter:turned->plain"
    weights = fitted(name, pictures, tmp_path)
    for side in ("turned", "plain"):
        with pytest.raises(WeightsError, match=f"weights {side} missing"):
            fitted(name, pictures, tmp_path, {side: "absent"})
        with pytest.raises(WeightsError, match=f"weights {side} missing"):
            load_backbone(name, {**weights, side: "absent"})


def test_the_fingerprint_tells_other_weights_of_a_side(
    pictures: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source without a hash, such as eigenfaces, is known by its file."""
    monkeypatch.setitem(BACKBONES._entries, "plain", _Made(replace(PLAIN, sha256=None), ROTATION))
    name = "adapter:plain->turned"
    weights = fitted(name, pictures, tmp_path)
    for file in ("a", "b", "c"):
        (tmp_path / file).write_text("one" if file == "c" else file)
    prints = [
        load_backbone(name, {**weights, "plain": str(tmp_path / file)}).fingerprint
        for file in ("a", "b")
    ]
    assert len({*prints, load_backbone(name, weights).fingerprint}) == 3
    backbone = load_backbone(name, weights)
    assert identity(backbone, weights)[1:3] == [backbone.spec.sha256, backbone.fingerprint]


# --- what is refused


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("adapter:", ConfigError, "names nothing: write adapter:SOURCE->TARGET"),
        ("adapter:plain", ConfigError, "write adapter:SOURCE->TARGET, such as"),
        ("adapter:plain->", ConfigError, "write adapter:SOURCE->TARGET, such as"),
        ("adapter:->plain", ConfigError, "write adapter:SOURCE->TARGET, such as"),
        ("adapter:plain->turned->plain", ConfigError, "write adapter:SOURCE->TARGET, such as"),
        ("adapter:plain->plain", ConfigError, "leads from 'plain' to itself"),
        ("adapter:plain->truned", UnknownNameError, "unknown backbone 'truned'.*mean 'turned'"),
        ("adapter:plian->turned", UnknownNameError, "unknown backbone 'plian'.*mean 'plain'"),
        ("adapter:adapter:plain->turned->lbp", ConfigError, "cannot be an adapter itself"),
        ("adapter:lbp->adapter:plain->turned", ConfigError, "cannot be an adapter itself"),
    ],
)
def test_wrong_names_are_told_in_one_line(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        load_backbone(name)
    assert "\n" not in str(raised.value)


def test_sides_may_be_families() -> None:
    name = "adapter:onnx:a b/x.onnx->torchscript:y.pt"
    assert adapter_sides(name) == Sides("onnx:a b/x.onnx", "torchscript:y.pt")
    assert parts_of(name) == ("onnx:a b/x.onnx", "torchscript:y.pt")
    with pytest.raises(WeightsError, match=r"'onnx:a b/x.onnx': no such file"):
        load_backbone(name)
    assert adapter_sides("dlib") is None
    assert parts_of("dlib") == ()


def test_without_a_map_it_says_where_maps_come_from() -> None:
    said = "adapter:turned->plain missing: the map is fitted on an audit's faces"
    with pytest.raises(WeightsError, match=said):
        load_backbone("adapter:turned->plain")


def test_a_map_between_other_models_is_refused(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    """All of these have the same sizes."""
    path = Path(fitted("adapter:turned->plain", pictures, tmp_path)["adapter:turned->plain"])

    def load(name: str, **weights: str) -> None:
        load_backbone(name, {name: str(path), **weights})

    with pytest.raises(WeightsError, match="another model than plain is here"):
        load("adapter:plain->turned")
    with pytest.raises(WeightsError, match="another model than turned is here"):
        load("adapter:turned->plain", **{"turned sha256": "c" * 64})
    with pytest.raises(WeightsError, match="do not compare by cosine"):
        load("adapter:cosine->plain")
    with pytest.raises(WeightsError, match="maps 24 values to 24, turned and lbp have 24 and 2891"):
        load("adapter:turned->lbp")
    for text in ("", "5", "{}", "[1]", "nothing"):
        found = TemplateMap.load(path)
        replace(found, about=text).save(tmp_path / "other")
        with pytest.raises(WeightsError, match="not the map of an adapter"):
            load_backbone(
                "adapter:turned->plain", {"adapter:turned->plain": str(tmp_path / "other")}
            )
    path.write_text("no map")
    with pytest.raises(WeightsError, match="no readable safetensors"):
        load("adapter:turned->plain")


def test_equal_pictures_give_equal_bytes(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    name = "adapter:turned->plain"
    first = fitted(name, pictures, tmp_path)[name]
    shutil.move(first, tmp_path / "first")
    assert (
        Path(fitted(name, pictures, tmp_path)[name]).read_bytes()
        == (tmp_path / "first").read_bytes()
    )


def test_it_is_an_adapter(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    name = "adapter:turned->plain"
    assert isinstance(load_backbone(name, fitted(name, pictures, tmp_path)), Adapter)
