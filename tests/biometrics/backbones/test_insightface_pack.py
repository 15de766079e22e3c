from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.errors import UnknownNameError, WeightsError
from biometrics.faces.geometry import CANONICAL_POINTS, apply_affine

ARCFACE = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655)]
"""The published points but the last, once more."""


def write_model(path: Path) -> Path:
    """Means of 4x4 blocks [N, 3 * 28 * 28], of which every fourth or so is a value of the template:
    what each value is can be told from the picture."""
    picked = np.arange(512) * 4
    nodes = [
        helper.make_node("AveragePool", ["data"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["small"], ["flat"], axis=1),
        helper.make_node("Gather", ["flat", "picked"], ["template"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 3, 112, 112])],
        [helper.make_tensor_value_info("template", TensorProto.FLOAT, ["n", 512])],
        [numpy_helper.from_array(picked, "picked")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder of weights and a home folder, both without anything."""
    weights, home = tmp_path / "weights", tmp_path / "home"
    monkeypatch.setenv("FACELEAK_WEIGHTS_DIR", str(weights))
    monkeypatch.setenv("HOME", str(home))
    return weights, home


def test_a_pack_is_found_where_its_users_keep_it(folders: tuple[Path, Path]) -> None:
    weights, home = folders
    written = []
    for path in (
        home / ".insightface/models/buffalo_l/w600k_r50.onnx",
        weights / "buffalo_s/w600k_mbf.onnx",
        weights / "glintr100.onnx",
    ):
        written.append(write_model(path))
    for pack, path in zip(("buffalo_l", "buffalo_s", "antelopev2"), written, strict=True):
        spec = load_backbone(f"insightface:{pack}").spec
        assert spec.name == f"insightface:{pack}"
        assert spec.origin.endswith(path.name)
        assert (spec.dim, spec.input_size, spec.similarity) == (512, (112, 112), "cosine")
        assert spec.customary_threshold is None


def test_an_absent_pack_says_where_it_was_looked_for(folders: tuple[Path, Path]) -> None:
    weights, home = folders
    with pytest.raises(WeightsError) as raised:
        load_backbone("insightface:buffalo_l")
    text = str(raised.value)
    assert text.startswith("weights insightface:buffalo_l missing: looked for ")
    for place in (weights, weights / "buffalo_l", home / ".insightface/models/buffalo_l"):
        assert str(place / "w600k_r50.onnx") in text
    assert text.endswith("FACELEAK_WEIGHTS_DIR names the first folder")


def test_an_unknown_pack_names_the_known() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'insightface:buffalo_l'\?.*antelop"):
        load_backbone("insightface:bufalo_l")


def test_the_input_is_rgb_between_minus_one_and_one_at_the_published_points(
    tmp_path: Path, crops: NDArray[np.uint8]
) -> None:
    path = write_model(tmp_path / "mine.onnx")
    backbone = load_backbone(f"insightface:{path}")
    assert (
        np.abs(apply_affine(np.asarray(backbone.spec.crop), CANONICAL_POINTS)[:4] - ARCFACE).max()
        < 4
    )
    plain = np.zeros((1, 224, 224, 3), np.uint8)
    plain[..., 0], plain[..., 1], plain[..., 2] = 255, 128, 0  # RGB
    template = embed(backbone, plain)[0]
    # Values 0 to 195 are of the first channel, up to 391 of the second, the rest of the third.
    centre = 14 * 7 + 3
    red, green, blue = template[centre], template[196 + centre], template[392 + centre]
    assert (red, green, blue) == pytest.approx((1, 0.5 / 127.5, -1), abs=1e-5)
    labelled = load_backbone("insightface:mine.onnx", {"insightface:mine.onnx": str(path)})
    assert np.array_equal(embed(labelled, crops[:2]), embed(backbone, crops[:2]))
