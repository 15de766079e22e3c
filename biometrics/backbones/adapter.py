"""``adapter:SOURCE->TARGET``: the templates of one backbone in the space of another.

What was made for TARGET's templates, such as an attack trained on them, can then be used on those
of SOURCE. The map between them is affine and fitted on a few hundred of the attacker's pictures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from biometrics.backbones.adapter_name import PREFIX, REST, Sides, adapter_sides
from biometrics.backbones.base import (
    BACKBONES,
    Backbone,
    BackboneSpec,
    identity,
    load_backbone,
    register_backbone_family,
)
from biometrics.backbones.embed import embed
from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import ConfigError, WeightsError
from biometrics.template_map import (
    PAIRS,
    SMALLEST_LENGTH,
    TemplateMap,
    draw_pairs,
    fit_template_map,
)

SEED = 0
"""Of the draw of pictures: a map is a fact of the attacker's faces, not of a run."""


class Adapter(Backbone):
    """A backbone and the map that its templates go through.

    Args:
        spec: the record.
        source: whose templates are mapped.
        found: the map.
    """

    mean: Tensor
    weights: Tensor
    offset: Tensor

    def __init__(self, spec: BackboneSpec, source: Backbone, found: TemplateMap) -> None:
        super().__init__(spec)
        self.source, self.unit = source, found.unit
        for name in ("mean", "weights", "offset"):
            values = torch.from_numpy(np.array(getattr(found, name)))
            self.register_buffer(name, values, persistent=False)

    def embed_input(self, inputs: Tensor) -> Tensor:
        """Templates [N, D] of SOURCE's own input [N, 3, H, W], RGB in [0, 1]."""
        vectors = self.source.embed_input(inputs)
        if self.unit:
            vectors = F.normalize(vectors, eps=SMALLEST_LENGTH)
        return (vectors - self.mean) @ self.weights + self.offset

    def features(self, crops: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`Backbone.features`: those of SOURCE."""
        return self.source.features(crops)


class AdapterFactory:
    """Fits the map between two backbones and makes the adapter from it.

    Raises:
        UnknownNameError: a side that does not exist.
    """

    def __init__(self, sides: Sides) -> None:
        for side in sides:
            BACKBONES.get(side)
        self.sides = sides
        self.parts: tuple[str, ...] = tuple(sides)

    def __call__(self, weights: Mapping[str, str]) -> Backbone:
        """The adapter of the map ``weights["adapter:SOURCE->TARGET"]``.

        Raises:
            WeightsError: a side is not ready, or the map is absent, damaged, or of other models.
        """
        name = self.sides.name
        source, target = (load_backbone(side, weights) for side in self.sides)
        if name not in weights:
            raise WeightsError(
                f"weights {name} missing: the map is fitted on an audit's faces; give the file of "
                f"an earlier run as weights.{name}"
            )
        path = Path(weights[name]).expanduser()
        found = TemplateMap.load(path)
        _check_fits(found, source.spec, target.spec, path)
        adapter = Adapter(_spec(name, source.spec, target.spec, path), source, found)
        adapter.parts = (source.spec, target.spec)
        adapter.note = (
            f"an affine map fitted on {found.pairs:,} pictures; it predicts "
            f"{found.explained:.0%} of the variance of templates left out"
        )
        made_of = json.dumps([identity(side, weights) for side in (source, target)])
        adapter.fingerprint = hashlib.sha256(made_of.encode()).hexdigest()
        return adapter

    def fit(
        self,
        crops: NDArray[np.uint8],
        path: Path,
        *,
        subjects: NDArray[np.str_],
        weights: Mapping[str, str],
    ) -> None:
        """Fit the map on ``PAIRS`` of the crops, of as many subjects as there are, and write it.

        Args:
            crops: uint8 [N, 224, 224, 3] RGB; only those that are drawn are read.
            path: of the safetensors file.
            subjects: whose the crops are, text [N].
            weights: of the two sides, where they need any.

        Raises:
            InputError: fewer than two crops, or of another shape.
            WeightsError: a side is not ready.
            OutputError: the file cannot be written.
        """
        source, target = (load_backbone(side, weights) for side in self.sides)
        chosen = crops[draw_pairs(subjects, PAIRS, SEED)]
        fit_template_map(
            embed(source, chosen),
            embed(target, chosen),
            unit=source.spec.similarity == "cosine",
            about=_about(source.spec, target.spec),
        ).save(path)


def _spec(name: str, source: BackboneSpec, target: BackboneSpec, path: Path) -> BackboneSpec:
    """Pictures go in as SOURCE takes them, templates come out as TARGET's are compared."""
    return replace(
        source,
        name=name,
        dim=target.dim,
        similarity=target.similarity,
        licence=f"{source.name}: {source.licence}; {target.name}: {target.licence}",
        origin=f"templates of {source.name}, mapped to those of {target.name}",
        sha256=read_weight_file(path).sha256,
        may_be_unseen_judge=source.may_be_unseen_judge and target.may_be_unseen_judge,
        customary_threshold=None,  # of genuine templates of TARGET, which these are not
        ignored_keys=(),
    )


def _about(source: BackboneSpec, target: BackboneSpec) -> str:
    """What a map belongs to: the weights of both sides, where they have a hash."""
    return json.dumps([source.sha256, target.sha256])


def _check_fits(found: TemplateMap, source: BackboneSpec, target: BackboneSpec, path: Path) -> None:
    """Refuse a map between other models: one of the same sizes would go unnoticed.

    Raises:
        WeightsError: in one line.
    """
    got, wanted = found.weights.shape, (source.dim, target.dim)
    if got != wanted:
        raise WeightsError(
            f"{path} maps {got[0]} values to {got[1]}, {source.name} and {target.name} have "
            f"{wanted[0]} and {wanted[1]}"
        )
    if found.unit != (source.similarity == "cosine"):
        raise WeightsError(
            f"{path} was fitted on templates that do not compare by {source.similarity}"
        )
    try:
        made_for = json.loads(found.about)
        known = list(zip(made_for, (source, target), strict=True))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path} is not the map of an adapter") from error
    for sha256, side in known:
        if sha256 and side.sha256 and sha256 != side.sha256:
            raise WeightsError(f"{path} was fitted on another model than {side.name} is here")


@register_backbone_family(PREFIX, REST)
def adapter_backbone(rest: str) -> AdapterFactory:
    """The adapter between two backbones.

    Raises:
        ConfigError: there are not two different sides.
        UnknownNameError: a side that does not exist.
    """
    sides = adapter_sides(f"{PREFIX}:{rest}")
    if sides is None:  # the prefix says that it is one
        raise ConfigError(f"no adapter: {rest}")
    return AdapterFactory(sides)
