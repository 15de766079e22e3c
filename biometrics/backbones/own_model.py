"""What all recognition models of the user's own have in common, whatever format they come in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.base import Backbone, BackboneSpec
from biometrics.backbones.own_record import OwnRecord
from biometrics.errors import MissingFileError, WeightsError

PROBES = 3
"""Pictures of seeded noise on which a model is tried when it is loaded."""

SMALLEST_STAGE = 4
"""Side in pixels below which an inner layer has no picture left to compare."""


class OwnModel(Backbone):
    """A network with the record that says how its input is made.

    Args:
        spec: the backbone's record.
        record: the user's.
        note: what reports should say of it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: BackboneSpec, record: OwnRecord, *, note: str = "") -> None:
        super().__init__(spec)
        self.record, self.note = record, note
        self.fingerprint = hashlib.sha256(record.model_dump_json().encode()).hexdigest()
        for name, values in (("mean", record.mean), ("std", record.std)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, D] of the network's own input [N, 3, H, W], RGB in [0, 1].

        Raises:
            ConfigError: a gradient is asked for and there is none.
        """
        if not len(inputs):
            return inputs.new_zeros(0, self.spec.dim)
        vectors = self.compute(self.prepare(inputs))
        return F.normalize(vectors) if self.record.unit else vectors

    def prepare(self, inputs: Tensor) -> Tensor:
        """The numbers that the network takes, from RGB [N, 3, H, W] in [0, 1].

        Convention: channels are put into the record's order first, then ``(x * pixel_range - mean)
        / std``, then the layout; mean and std are in the network's order.
        """
        pixels = inputs.flip(1) if self.record.colour == "bgr" else inputs
        values = (pixels * self.record.pixel_range - self.mean) / self.std
        if self.record.layout == "nhwc":
            return values.permute(0, 2, 3, 1)  # N C H W -> N H W C
        return values

    def compute(self, values: Tensor) -> Tensor:
        """What the network makes of prepared values: [N, D]."""
        raise NotImplementedError


class TorchModel(OwnModel):
    """One that is a PyTorch module: gradients come of themselves."""

    def __init__(
        self, spec: BackboneSpec, record: OwnRecord, network: nn.Module, *, note: str = ""
    ) -> None:
        super().__init__(spec, record, note=note)
        self.network = network

    def compute(self, values: Tensor) -> Tensor:
        """[N, D]."""
        return as_templates(self.network(values), len(values), self.spec)

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`Backbone.features`: the last layer of each size, found by watching."""
        stages = inner_stages(self.network, self.prepare(self.to_input(crops)))
        return stages or super().features(crops)


def as_templates(output: object, count: int, spec: BackboneSpec) -> Tensor:
    """A network's output as templates [N, D]; sides of length 1 behind D are dropped.

    Raises:
        WeightsError: it is no tensor, or has another shape than the record says.
    """
    if not isinstance(output, Tensor):
        raise WeightsError(
            f"backbone '{spec.name}' gives {type(output).__name__}, expected one tensor [N, D]"
        )
    shape = list(output.shape)
    if shape[:2] != [count, spec.dim] or output.numel() != count * spec.dim:
        raise WeightsError(
            f"backbone '{spec.name}' gives {shape} for {count} faces, "
            f"its record says dim: {spec.dim}"
        )
    return output.flatten(1).float()


def inner_stages(network: nn.Module, values: Tensor) -> tuple[Tensor, ...]:
    """The last output [N, C, H, W] of each size inside a network, shallow to deep; empty where
    fewer than two layers show themselves.

    What has three channels (the picture itself, normalised) or a side below ``SMALLEST_STAGE`` is
    left out.
    """
    seen: list[Tensor] = []

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[1] > 3:
            seen.append(output)

    parts = [module for module in network.modules() if module is not network]
    hooks = [module.register_forward_hook(note) for module in parts]
    try:
        network(values)
    finally:
        for hook in hooks:
            hook.remove()
    found: list[Tensor] = []
    for output in seen:
        if min(output.shape[2:]) < SMALLEST_STAGE:
            continue
        while found and _area(output) >= _area(found[-1]):
            found.pop()
        found.append(output)
    return tuple(found) if len(found) > 1 else ()


def _area(output: Tensor) -> int:
    return output.shape[2] * output.shape[3]


def try_out(backbone: OwnModel) -> Tensor:
    """Templates [PROBES, D] of seeded noise, on the way that asks for no gradient.

    Raises:
        WeightsError: the network does not run on such input, or gives another shape, or NaN.
    """
    try:
        with torch.inference_mode():
            vectors = backbone.embed_input(probes(backbone))
    except WeightsError:
        raise
    except Exception as error:  # somebody else's network: it may raise anything
        raise WeightsError(
            f"backbone '{backbone.spec.name}' does not run on {_shape(backbone)}: {line_of(error)}"
        ) from error
    if not torch.isfinite(vectors).all():
        raise WeightsError(f"backbone '{backbone.spec.name}' gives NaN or infinite templates")
    return vectors


def settled(backbone: TorchModel) -> TorchModel:
    """The model after it was tried out, with what its record says of gradients put right.

    Raises:
        WeightsError: see :func:`try_out`.
    """
    backbone.eval().requires_grad_(False)
    try_out(backbone)
    inputs = probes(backbone).requires_grad_()
    try:
        vectors = backbone.embed_input(inputs)
        (gradient,) = torch.autograd.grad(vectors[:, ::2].sum() - vectors[:, 1::2].sum(), inputs)
        problem = "" if gradient.isfinite().all() and gradient.any() else "it is zero or not finite"
    except RuntimeError as error:
        problem = line_of(error)
    if problem:
        backbone.spec = replace(backbone.spec, differentiable=False)
        backbone.note = f"no gradient: {problem}"
    return backbone


def probes(backbone: Backbone) -> Tensor:
    """Seeded noise [PROBES, 3, H, W] in [0, 1], of the network's own size."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(PROBES, 3, *backbone.spec.input_size, generator=generator)


def _shape(backbone: OwnModel) -> str:
    height, width = backbone.spec.input_size
    order = {"nchw": [PROBES, 3, height, width], "nhwc": [PROBES, height, width, 3]}
    return f"input {order[backbone.record.layout]}"


def disagreement(one: Tensor, other: Tensor) -> float:
    """Largest absolute difference of templates [N, D], relative to the length of the first."""
    lengths = one.norm(dim=1, keepdim=True).clamp_min(torch.finfo(one.dtype).tiny)
    return float(((one - other).abs() / lengths).max())


def named_file(name: str, rest: str, weights: Mapping[str, str]) -> Path:
    """The file of a name such as ``onnx:FILE``: what ``weights`` says of it, or FILE itself.

    Raises:
        MissingFileError: there is none; before anybody asks for its record.
    """
    try:
        path = Path(weights.get(name, rest)).expanduser()
    except RuntimeError as error:
        raise MissingFileError(f"no home folder for '{rest}'") from error
    if not path.is_file():
        raise MissingFileError(f"backbone '{name}': no such file: {path}")
    return path


def origin_of(path: Path) -> str:
    """The file's name without its folders: reports travel."""
    return f"a file of the user's own, {path.name}"


def line_of(error: BaseException) -> str:
    """An error of somebody else's as one line of bounded length."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= 400 else f"{text[:397]}..."
