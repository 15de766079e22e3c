"""``onnx:FILE``: a recognition model as an ONNX file, with its record beside it.

onnxruntime computes templates; where a gradient is asked for, the graph as a PyTorch module does.
Both are compared when the file is loaded: a gradient of another model than the one that is attacked
would be worse than none.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from biometrics.backbones.base import Backbone, BackboneFactory, register_backbone_family
from biometrics.backbones.onnx_graph import to_torch
from biometrics.backbones.own_model import (
    OwnModel,
    as_templates,
    disagreement,
    inner_stages,
    line_of,
    named_file,
    origin_of,
    probes,
    try_out,
)
from biometrics.backbones.own_record import OwnRecord, read_record, record_beside
from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import ConfigError, WeightsError

PREFIX = "onnx"
MOST_DISAGREEMENT = 1e-3
"""Largest difference between the two ways, in lengths of a template."""


class Runtime(NamedTuple):
    """A session of onnxruntime and what its graph says: names, and the batch where it is fixed."""

    session: Any
    input: str
    fixed_batch: bool


class Network(NamedTuple):
    """The graph as a PyTorch module, or why there is none."""

    module: nn.Module | None
    why_not: str


class OnnxModel(OwnModel):
    """Templates by onnxruntime, gradients by PyTorch."""

    def __init__(
        self, spec: Any, record: OwnRecord, runtime: Runtime, network: Network, *, note: str
    ) -> None:
        super().__init__(spec, record, note=note)
        self.runtime, self.why_not = runtime, network.why_not
        self.network = network.module

    def compute(self, values: Tensor) -> Tensor:
        """[N, D]; by PyTorch where a gradient is asked for or the values lie on a GPU."""
        asked = values.requires_grad and torch.is_grad_enabled()
        if asked or self.runs_in_torch:
            return self.by_torch(values)
        return self.by_runtime(values)

    @property
    def runs_in_torch(self) -> bool:
        """On a GPU, where there is a PyTorch module."""
        return self.network is not None and self.grid.device.type != "cpu"

    def by_runtime(self, values: Tensor) -> Tensor:
        """[N, D] without gradient."""
        session, name, fixed_batch = self.runtime
        array = values.detach().float().cpu().contiguous().numpy()
        parts = np.split(array, len(array)) if fixed_batch else [array]
        made = np.concatenate([session.run(None, {name: part})[0] for part in parts])
        return as_templates(torch.from_numpy(made).to(values.device), len(values), self.spec)

    def by_torch(self, values: Tensor) -> Tensor:
        """[N, D], differentiable.

        Raises:
            ConfigError: there is no PyTorch module of this graph.
        """
        parts = values.split(1) if self.runtime.fixed_batch else (values,)
        network = self._torch_module()
        return as_templates(torch.cat([network(p) for p in parts]), len(values), self.spec)

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`Backbone.features`: the last layer of each size of the PyTorch module."""
        values = self.prepare(self.to_input(crops))
        parts = values.split(1) if self.runtime.fixed_batch and len(values) else (values,)
        stages = [inner_stages(self._torch_module(), part) for part in parts]
        if not stages[0]:
            return super().features(crops)
        return tuple(torch.cat(same) for same in zip(*stages, strict=True))

    def _torch_module(self) -> nn.Module:
        if self.network is None:
            raise ConfigError(f"backbone '{self.spec.name}' gives no gradient: {self.why_not}")
        return self.network


def load_onnx(path: Path, record: OwnRecord, name: str) -> OnnxModel:
    """The backbone of an ONNX file, tried out on seeded noise.

    Raises:
        WeightsError: one line with the path, where the file is not usable or does not fit the
            record, or where its two ways disagree.
    """
    data, sha256 = read_weight_file(path)
    model = _parsed(data, path)
    runtime = _runtime(data, path)
    _check_input(runtime, record, path)
    network = _network(model)
    spec = record.spec(
        name, origin=origin_of(path), sha256=sha256, differentiable=network.module is not None
    )
    backbone = OnnxModel(spec, record, runtime, network, note=f"no gradient: {network.why_not}")
    templates = try_out(backbone)
    if network.module is not None:
        backbone.note = _compared(backbone, templates, path)
    return backbone.eval()


def _compared(backbone: OnnxModel, templates: Tensor, path: Path) -> str:
    """How far the two ways agree, in words.

    Raises:
        WeightsError: they do not.
    """
    plain = backbone.by_runtime(backbone.prepare(probes(backbone)))
    with torch.no_grad():
        other = backbone.by_torch(backbone.prepare(probes(backbone)))
    found = disagreement(plain, other)
    if not found <= MOST_DISAGREEMENT:  # NaN too
        raise WeightsError(
            f"{path}: onnxruntime and onnx2torch disagree by {found:.1e} of a template's length "
            f"(at most {MOST_DISAGREEMENT:.0e}): gradients would be those of another model"
        )
    return f"onnxruntime and onnx2torch agree to {found:.0e} of a template's length"


def _parsed(data: bytes, path: Path) -> Any:
    onnx = _package("onnx")
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # hostile bytes make the parser raise anything
        raise WeightsError(f"{path} is no ONNX file ({type(error).__name__})") from error
    outside = onnx.TensorProto.EXTERNAL
    if any(tensor.data_location == outside for tensor in model.graph.initializer):
        raise WeightsError(f"{path} keeps its weights in another file: save it as one file")
    return model


def _runtime(data: bytes, path: Path) -> Runtime:
    runtime = _package("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is raised
    try:
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsError(f"{path} is not run by onnxruntime: {line_of(error)}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise WeightsError(
            f"{path}: expected one input and one output, got "
            f"{[i.name for i in inputs]} and {[o.name for o in outputs]}"
        )
    return Runtime(session, inputs[0].name, inputs[0].shape[:1] == [1])


def _check_input(runtime: Runtime, record: OwnRecord, path: Path) -> None:
    """What the graph says of its input must be what the record says."""
    (described,) = runtime.session.get_inputs()
    size = [record.input.height, record.input.width]
    wanted = [3, *size] if record.layout == "nchw" else [*size, 3]
    batch, *shape = described.shape or [None]
    fits = len(shape) == 3 and all(
        not isinstance(got, int) or got == want for got, want in zip(shape, wanted, strict=True)
    )
    if described.type != "tensor(float)" or not fits:
        raise WeightsError(
            f"{path} takes {described.type} {described.shape}, its record says "
            f"tensor(float) [N, {', '.join(map(str, wanted))}]"
        )
    if isinstance(batch, int) and batch != 1:
        raise WeightsError(f"{path} takes {batch} faces at a time: export it with a free batch")


def _network(model: Any) -> Network:
    try:
        network = to_torch(model)
    except Exception as error:  # ImportError, or whatever it cannot convert
        return Network(None, f"onnx2torch cannot convert it ({line_of(error)})")
    return Network(network.eval().requires_grad_(False), "")


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise WeightsError(f"package {name} is not installed: pip install {name}") from error


@register_backbone_family(PREFIX, "FILE", packages=("onnx", "onnxruntime"))
def onnx_backbone(rest: str) -> BackboneFactory:
    """The backbone ``onnx:FILE``; ``weights["onnx:FILE"]`` may say where the file lies."""
    name = f"{PREFIX}:{rest}"

    def load(weights: Mapping[str, str]) -> Backbone:
        path = named_file(name, rest, weights)
        return load_onnx(path, read_record(record_beside(path)), name)

    return load
