"""Which backbones there are, and which of them can be used right now."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal, TypedDict

from biometrics.backbones.base import BACKBONES, BackboneFactory, BackboneSpec
from biometrics.errors import FaceleakError


class BackboneLine(TypedDict):
    """One backbone as ``faceleak backbones --json`` gives it; null where nothing is known.

    ``fitted``: it has no weights of its own and is fitted on the faces of each audit.
    ``own``: a way to name a model of the user's own, such as ``onnx:FILE``; ready where what it
    needs is installed.
    """

    name: str
    dim: int | None
    similarity: Literal["cosine", "l2"] | None
    differentiable: bool | None
    licence: str | None
    ready: bool
    fitted: bool
    own: bool
    missing: str | None
    note: str | None


def list_backbones(weights: Mapping[str, str]) -> list[BackboneLine]:
    """Try to load every registered backbone with those weight files; then the ways to bring one."""
    lines = [_line(name, BACKBONES.get(name), weights) for name in BACKBONES.names()]
    return lines + [
        _family(usage, family.packages) for usage, family in BACKBONES.families().items()
    ]


def look_at(name: str, weights: Mapping[str, str]) -> BackboneLine:
    """The same of one backbone, by any name that an audit takes.

    Raises:
        UnknownNameError: no such backbone.
    """
    return _line(name, BACKBONES.get(name), weights)


def _family(usage: str, packages: tuple[str, ...]) -> BackboneLine:
    absent = next((package for package in packages if not _installed(package)), None)
    return BackboneLine(
        name=usage,
        dim=None,
        similarity=None,
        differentiable=None,
        licence=None,
        ready=absent is None,
        fitted=False,
        own=True,
        missing=absent and f"package {absent} is not installed: pip install {absent}",
        note=None,
    )


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # somebody put a stand-in among the imported modules
        return False


def _line(name: str, factory: BackboneFactory, weights: Mapping[str, str]) -> BackboneLine:
    spec: BackboneSpec | None
    missing, note = None, None
    try:
        backbone = factory(weights)
        spec, note = backbone.spec, backbone.note or None
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
        own=False,
        missing=missing,
        note=note,
    )


def _record(factory: BackboneFactory) -> BackboneSpec | None:
    """What is known of a backbone without its weights: the factory's ``spec``, or the ``SPEC`` of
    its module."""
    if isinstance(own := getattr(factory, "spec", None), BackboneSpec):
        return own
    module = sys.modules[getattr(factory, "__module__", type(factory).__module__)]
    spec = getattr(module, "SPEC", None)
    return spec if isinstance(spec, BackboneSpec) else None
