"""Make a PyTorch module of an ONNX graph, for its gradients.

onnx2torch knows operators up to about version 17 and wants a convolution's weights to be plain
constants. PyTorch's exporter writes newer versions, and where two layers hold equal numbers it
keeps them once and passes them on by ``Identity`` nodes. Both are taken out here first; whether the
module still computes the same is for the caller to test.
"""

from __future__ import annotations

from typing import Any

from torch import nn

NEWEST = 17
"""Version of the operators to which newer graphs are brought down."""


def to_torch(model: Any) -> nn.Module:
    """The module of an ``onnx.ModelProto``, which may be changed.

    Raises:
        Exception: onnx2torch's own, where an operator is not known to it.
    """
    import onnx2torch
    from onnx import version_converter

    version = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if version > NEWEST:
        model = version_converter.convert_version(model, NEWEST)
    drop_identities(model.graph)
    network: nn.Module = onnx2torch.convert(model)
    return network


def drop_identities(graph: Any) -> None:
    """Let every node read what an ``Identity`` in front of it would pass on, in place; one that
    makes an output of the graph stays."""
    outputs = {value.name for value in graph.output}
    source: dict[str, str] = {}
    for node in list(graph.node):
        for place, name in enumerate(node.input):
            node.input[place] = source.get(name, name)
        if node.op_type == "Identity" and node.output[0] not in outputs:
            source[node.output[0]] = node.input[0]
            graph.node.remove(node)
