"""What a backbone (a face-recognition model) is to the rest of faceleak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import ConfigError, UnknownNameError
from biometrics.faces.geometry import (
    CANONICAL_POINTS,
    CROP_SIZE,
    fit_similarity,
    invert_affine,
)
from biometrics.registry import Registry

Similarity = Literal["cosine", "l2"]
"""How two templates are compared: the cosine, or minus the Euclidean distance."""

OWN_LICENCE = "not known"
"""Terms of a weight file of the user's own."""

Crop = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Affine [2, 3] from canonical-crop pixels to a backbone's input pixels."""


@dataclass(frozen=True)
class BackboneSpec:
    """The record that belongs to a backbone's weights. Nothing in it has a default that could be
    silently wrong.

    Attributes:
        name: the name under which it is registered.
        dim: length D of a template.
        input_size: (height, width) of the network's own input in pixels.
        crop: affine [2, 3] as nested tuples, from canonical-crop pixels to input pixels.
        similarity: how templates are compared.
        licence: terms of the weights, in words.
        origin: where the weights come from.
        sha256: of the weight file, or None where there is none (fitted models).
        differentiable: whether gradients reach the crop.
        may_be_unseen_judge: False for controls whose acceptance says nothing (eigenfaces, lbp).
        customary_threshold: the similarity at which its users accept, or None.
        ignored_keys: tensors that the weight file may hold and the network does not use: the
            classifiers under which it was trained.
        bf16_measured: whether it was measured that templates computed in bf16 recognise as well
            (``benchmarks/precision.py``); False where nobody did.
    """

    name: str
    dim: int
    input_size: tuple[int, int]
    crop: Crop
    similarity: Similarity
    licence: str
    origin: str
    sha256: str | None
    differentiable: bool
    may_be_unseen_judge: bool
    customary_threshold: float | None
    ignored_keys: tuple[str, ...] = ()
    bf16_measured: bool = False

    def of_user_file(self, path: Path, sha256: str) -> BackboneSpec:
        """This record for a weight file of the user's own: same network, other origin and terms.

        What was found of the published weights, the customary threshold and how well they bear
        bf16, goes.
        """
        return replace(
            self,
            sha256=sha256,
            licence=OWN_LICENCE,
            origin=f"a file of the user's own, {path.name}",
            customary_threshold=None,
            bf16_measured=False,
        )


class Backbone(nn.Module):
    """A frozen face-recognition model with its record.

    Subclasses set ``spec`` and write :meth:`embed_input`; colour order, value range and
    normalisation live there and nowhere else.

    Convention: ``forward`` takes canonical crops [N, 3, 224, 224], RGB, float in [0, 1], and gives
    templates [N, D]. Values in [0, 255] or BGR order give templates that look valid and match
    nobody; ``tests/biometrics/backbones/test_contract.py`` pins the convention.
    """

    spec: BackboneSpec
    grid: Tensor
    note: str = ""
    """What reports should say of it, beyond its record."""
    learnt_from: frozenset[str] = frozenset()
    """Names of the subjects that it was trained on, where they are known: it is no unseen judge of
    reconstructions of them."""
    fingerprint: str = ""
    """Hash of what its templates depend on besides the weights of ``spec.sha256``, if anything."""
    parts: tuple[BackboneSpec, ...] = ()
    """Records of the backbones that it is made of, if it is made of others."""

    @property
    def runs_in_torch(self) -> bool:
        """Whether PyTorch computes its templates where it lies: what PyTorch is told about
        precision is then heeded."""
        return True

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        self.spec = spec
        grid = input_grid(spec.crop, spec.input_size)
        self.register_buffer("grid", grid, persistent=False)

    def forward(self, crops: Tensor) -> Tensor:
        """Templates [N, D] of canonical crops [N, 3, 224, 224], RGB in [0, 1]; differentiable
        where the record says so."""
        return self.embed_input(self.to_input(crops))

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """What its inner convolutional stages make of canonical crops, for perceptual losses.

        Args:
            crops: [N, 3, 224, 224], RGB in [0, 1].

        Returns:
            One tensor [N, C, H, W] for each stage, shallow to deep, on the way that
            :meth:`forward` goes; differentiable where the record says so.

        Raises:
            ConfigError: its inner stages are not open to see.
        """
        raise ConfigError(
            f"backbone '{self.spec.name}' shows no inner layers to compare pictures by; "
            "choose one that does, such as dlib"
        )

    def to_input(self, crops: Tensor) -> Tensor:
        """The network's own input [N, 3, H, W], RGB in [0, 1], cut from canonical crops."""
        if crops.shape[1:] != (3, CROP_SIZE, CROP_SIZE):
            raise ValueError(f"expected crops [N, 3, 224, 224], got {list(crops.shape)}")
        grid = self.grid.to(crops.dtype).expand(len(crops), -1, -1, -1)
        return F.grid_sample(crops, grid, padding_mode="zeros", align_corners=True)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, D] of the network's own input [N, 3, H, W], RGB in [0, 1]."""
        raise NotImplementedError


def crop_to_points(points: NDArray[np.floating]) -> Crop:
    """The crop of a backbone whose makers bring eye centres, nose tip and mouth corners to
    ``points`` [5, 2] of its input (pixel centres at whole numbers)."""
    (a, b, c), (d, e, f) = fit_similarity(CANONICAL_POINTS, points).tolist()
    return ((a, b, c), (d, e, f))


def input_grid(crop: Crop, size: tuple[int, int]) -> Tensor:
    """Sampling grid [1, H, W, 2] for ``grid_sample`` with ``align_corners=True``.

    ``crop`` maps canonical pixels to input pixels; the grid is its inverse in [-1, 1].
    """
    height, width = size
    inverse = invert_affine(np.asarray(crop))
    ys, xs = np.mgrid[:height, :width].astype(np.float64)
    points = np.stack([xs, ys], axis=-1) @ inverse[:, :2].T + inverse[:, 2]
    return torch.from_numpy(points / ((CROP_SIZE - 1) / 2) - 1).float()[None]


class BackboneFactory(Protocol):
    """What is registered: makes a ready backbone (eval mode, no parameter requires a gradient).

    ``weights`` maps backbone names to the paths that the user gave. A factory whose weights are not
    at hand raises WeightsError saying what is missing and how to provide it.
    """

    def __call__(self, weights: Mapping[str, str]) -> Backbone:
        """A new backbone from these weights."""
        ...


@runtime_checkable
class Fittable(Protocol):
    """A factory whose weights an audit fits itself, on the attacker's subjects.

    ``fit`` takes crops uint8 [N, 224, 224, 3] RGB with the names of their subjects, text [N], and
    writes the weight file to ``path``, which is afterwards given to the factory as
    ``weights[name]``. ``weights`` are those of other backbones, as a factory gets them.
    """

    def fit(
        self,
        crops: NDArray[np.uint8],
        path: Path,
        *,
        subjects: NDArray[np.str_],
        weights: Mapping[str, str],
    ) -> None:
        """Fit on ``crops`` and write ``path``."""
        ...


@runtime_checkable
class Composite(Protocol):
    """A factory whose backbones are made of others; ``parts`` are their names."""

    parts: tuple[str, ...]


@runtime_checkable
class Variant(Protocol):
    """A factory of one of several backbones that share a network; ``weights`` is the name under
    which its file is given, the same for all of them."""

    weights: str


BACKBONES: Registry[BackboneFactory] = Registry(
    "backbone", group="faceleak.backbones", builtin="biometrics.backbones"
)
register_backbone = BACKBONES.register
register_backbone_family = BACKBONES.register_family


def load_backbone(name: str, weights: Mapping[str, str] | None = None) -> Backbone:
    """A registered backbone, ready for use: eval mode, frozen, channels last.

    Raises:
        UnknownNameError: no such backbone.
        WeightsError: its weights are absent, damaged or of the wrong shape.
    """
    backbone = BACKBONES.get(name)(weights or {}).eval().requires_grad_(False)
    # torch's annotations lack this overload
    backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return backbone


def parts_of(name: str) -> tuple[str, ...]:
    """Names of the backbones that one is made of: the two sides of an adapter; mostly none.

    Raises:
        UnknownNameError: no such backbone.
    """
    factory = BACKBONES.get(name)
    return factory.parts if isinstance(factory, Composite) else ()


def kin_of(name: str) -> frozenset[str]:
    """The backbone itself, what it is made of, and the network that it shares with others. A name
    that is not registered has no other kin."""
    try:
        factory = BACKBONES.get(name)
    except UnknownNameError:
        return frozenset([name])
    shared = [factory.weights] if isinstance(factory, Variant) else []
    return frozenset([name, *parts_of(name), *shared])


def identity(backbone: Backbone, weights: Mapping[str, str]) -> list[str | None]:
    """All that a template depends on besides the picture: the name, the hash of the weights, the
    fingerprint, and the hash of the file that ``weights`` names.

    Raises:
        WeightsError: that file cannot be read.
    """
    spec = backbone.spec
    file = weights.get(spec.name)
    sha256 = None if file is None else read_weight_file(Path(file).expanduser()).sha256
    return [spec.name, spec.sha256, backbone.fingerprint, sha256]
