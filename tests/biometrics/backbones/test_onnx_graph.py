from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from biometrics.backbones.onnx_graph import drop_identities, to_torch

KERNEL = np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32)


def passed_on(opset: int) -> Any:
    """A convolution whose weights come through two Identity nodes, and one behind it that makes the
    output."""
    nodes = [
        helper.make_node("Identity", ["kernel"], ["once"]),
        helper.make_node("Identity", ["once"], ["twice"]),
        helper.make_node("Conv", ["face", "twice"], ["made"], kernel_shape=[3, 3]),
        helper.make_node("Identity", ["made"], ["template"]),
    ]
    graph = helper.make_graph(
        nodes,
        "passed on",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("template", TensorProto.FLOAT, ["n", 4, 6, 6])],
        [numpy_helper.from_array(KERNEL, "kernel")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("opset", [13, 20])
def test_weights_that_are_passed_on_and_new_operators_are_converted(opset: int) -> None:
    faces = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    wanted = torch.nn.functional.conv2d(faces, torch.from_numpy(KERNEL))
    torch.testing.assert_close(to_torch(passed_on(opset))(faces), wanted)


def test_only_what_makes_an_output_stays() -> None:
    graph = passed_on(13).graph
    drop_identities(graph)
    assert [node.op_type for node in graph.node] == ["Conv", "Identity"]
    assert list(graph.node[0].input) == ["face", "kernel"]
