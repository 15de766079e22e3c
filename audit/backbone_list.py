"""Which backbones there are, and which of them can be used right now."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal, TypedDict

from biometrics.backbones.base import BACKBONES, BackboneFactory, BackboneSpec
from biometrics.errors import FaceleakError


class BackboneLine(TypedDict):
    """One backbone as ``faceleak backbones --json`` gives it; null where nothing is known.

    ``fitted``: it has no weights of its own and is fitted on the faces of each audit.
    """

    name: str
    dim: int | None
    similarity: Literal["cosine", "l2"] | None
    differentiable: bool | None
    licence: str | None
    ready: bool
    fitted: bool
    missing: str | None


def list_backbones(weights: Mapping[str, str]) -> list[BackboneLine]:
    """Try to load every registered backbone with those weight files."""
    return [_line(name, BACKBONES.get(name), weights) for name in BACKBONES.names()]


def _line(name: str, factory: BackboneFactory, weights: Mapping[str, str]) -> BackboneLine:
    missing = None
    try:
        spec: BackboneSpec | None = factory(weights).spec
    except FaceleakError as error:
        spec, missing = _record(factory), str(error)
    return BackboneLine(
        name=name,
        dim=spec.dim if spec else None,
        similarity=spec.similarity if spec else None,
        differentiable=spec.differentiable if spec else None,
        licence=spec.licence if spec else None,
        ready=missing is None,
        fitted=hasattr(factory, "fit"),
        missing=missing,
    )


def _record(factory: BackboneFactory) -> BackboneSpec | None:
    """What is known of a backbone without its weights: the factory's ``spec``, or the ``SPEC`` of
    its module."""
    if isinstance(own := getattr(factory, "spec", None), BackboneSpec):
        return own
    module = sys.modules[getattr(factory, "__module__", type(factory).__module__)]
    spec = getattr(module, "SPEC", None)
    return spec if isinstance(spec, BackboneSpec) else None
