"""Small recognition models of a user's own, in the formats that are read."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from biometrics.backbones.mobilefacenet import INPUT_POINTS, MobileFaceNet

SIDE, DIM = 16, 5
"""Of the input and the template of the tiny models."""

RECORD: Mapping[str, Any] = {
    "dim": DIM,
    "input": {"height": SIDE, "width": SIDE},
    "crop": {"affine": [[SIDE / 224, 0, 0], [0, SIDE / 224, 0]]},
    "colour": "rgb",
    "pixel_range": 1,
    "mean": 0.5,
    "std": 0.25,
    "layout": "nchw",
    "similarity": "cosine",
    "licence": "ours",
}
"""A complete record of a tiny model."""


def write_record(path: Path, **changes: Any) -> Path:
    """The record beside a model file; a value of None leaves its key out."""
    values = {key: value for key, value in {**RECORD, **changes}.items() if value is not None}
    beside = path.with_suffix(".yaml")
    beside.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


class _InputToTemplate(nn.Module):
    def __init__(self, network: MobileFaceNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.embed_input(x)


def export_mobilefacenet(network: MobileFaceNet, path: Path) -> Path:
    """The network as ONNX, from its input in [0, 1], with the record that belongs to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is an old one
        torch.onnx.export(
            _InputToTemplate(network),
            (torch.zeros(2, 3, 112, 96),),
            str(path),
            dynamo=False,
            input_names=["face"],
            output_names=["template"],
            dynamic_axes={"face": {0: "n"}, "template": {0: "n"}},
        )
    return write_record(
        path,
        dim=network.spec.dim,
        input={"height": 112, "width": 96},
        crop={"points": INPUT_POINTS.tolist()},
        mean=0,
        std=1,
    )


def weights_of_tiny() -> NDArray[np.float32]:
    """[3 * SIDE * SIDE, DIM]: what the tiny model multiplies its flattened input by."""
    rng = np.random.default_rng(5)
    return rng.normal(size=(3 * SIDE * SIDE, DIM)).astype(np.float32) / 16


def tiny_onnx(
    path: Path,
    *,
    shape: Sequence[int | str] = ("n", 3, SIDE, SIDE),
    extra: str | None = None,
    outputs: Sequence[str] = ("template",),
    opset: int = 13,
    matrix: NDArray[np.float32] | None = None,
) -> Path:
    """Flatten, multiply, and one more operator between where ``extra`` names it.

    ``matrix`` is [3 * SIDE * SIDE, D]; that of :func:`weights_of_tiny` where it is not given.
    """
    weights = weights_of_tiny() if matrix is None else matrix
    nodes = [helper.make_node("Flatten", ["face"], ["flat"], axis=1)]
    if extra is not None:
        nodes.append(helper.make_node(extra, ["flat"], ["more"]))
    nodes.append(helper.make_node("MatMul", ["more" if extra else "flat", "matrix"], ["template"]))
    if "second" in outputs:
        nodes.append(helper.make_node("Neg", ["template"], ["second"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, list(shape))],
        [
            helper.make_tensor_value_info(o, TensorProto.FLOAT, [shape[0], weights.shape[1]])
            for o in outputs
        ],
        [numpy_helper.from_array(weights, "matrix")],
    )
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    onnx.save(model, str(path))
    return path
