"""What of a store can be attacked: which templates, of which backbone, at which length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.store_config import StoreAuditConfig
from audit.stores_tools import InspectedStore
from biometrics.backbones.base import load_backbone
from biometrics.errors import ConfigError, InputError, UnknownNameError, WeightsError, did_you_mean
from biometrics.stores.fingerprint import Recognition
from biometrics.stores.forms import RAW, UNIT_LENGTH, Form
from biometrics.stores.inspection import CollectionFigures, Inspection


@dataclass(frozen=True)
class Chosen:
    """What is audited.

    Attributes:
        figures: the collection; None where the store holds no usable template.
        target: name of the backbone, or empty where it is not known or not ready.
        form: how the templates are stored, as far as the backbone's own are known.
        why_not: why nothing is inverted, or empty.
        notes: what the reader should know of the choice.
    """

    figures: CollectionFigures | None
    target: str = ""
    form: Form | None = None
    why_not: str = ""
    notes: tuple[str, ...] = ()


def choose(config: StoreAuditConfig, store: InspectedStore) -> Chosen:
    """The collection and the backbone of an audit.

    A target that was named is believed as long as the number of values fits. Where none was named,
    the one that the templates themselves confirm is taken, and only then the product's own.

    Args:
        config: what was asked for.
        store: what it holds, and what the templates look like.

    Raises:
        ConfigError: no collection of that name.
        InputError: no collection has as many values as the target gives.
        WeightsError: the target that was named is not ready.
        UnknownNameError: there is no such backbone.
    """
    parts = sorted(_parts(config.collection, store.inspection), key=_rank)
    if not parts:
        return Chosen(None, why_not="the store holds no usable template")
    if config.target is not None:
        return _named(config.target, parts, config, store)
    for part in parts:
        known = store.recognised(part)
        if known is not None and known.best is not None:
            return _suited(Chosen(part, known.best.name, known.best.form))
    return _product(parts[0], config, store)


def _parts(name: str | None, found: Inspection) -> list[CollectionFigures]:
    parts = [c for c in found.collections if name in (None, c.collection.name)]
    if not parts and name is not None:
        names = list(dict.fromkeys(c.collection.name for c in found.collections))
        raise ConfigError(
            f"the store has no collection '{name}'{did_you_mean(name, names)}; it has "
            + (", ".join(names) or "none")
        )
    return [c for c in parts if c.sound]


def _rank(part: CollectionFigures) -> tuple[bool, int]:
    """Single templates before means, larger collections first."""
    return part.collection.mean, -part.sound


def _named(
    target: str,
    parts: Sequence[CollectionFigures],
    config: StoreAuditConfig,
    store: InspectedStore,
) -> Chosen:
    spec = load_backbone(target, config.weight_paths()).spec
    part = next((c for c in parts if c.collection.dim == spec.dim), None)
    if part is None:
        dims = ", ".join(str(d) for d in sorted({c.collection.dim for c in parts}))
        raise InputError(
            f"{target} gives {spec.dim} values, the store's templates have {dims}; name another "
            "target, or none to have it recognised"
        )
    known = store.recognised(part)
    notes: tuple[str, ...] = ()
    if known is not None and known.best is not None and known.best.name != spec.name:
        notes = (f"the templates look like those of {known.best.name}: {known.why}",)
    elif known is not None and known.best is None:
        notes = (f"that {spec.name} made the templates is not confirmed: {known.why}",)
    return _suited(Chosen(part, target, _form(known, spec.name), notes=notes))


def _form(known: Recognition | None, backbone: str) -> Form | None:
    """How templates are stored if that backbone made them."""
    matches = () if known is None else known.matches
    return next((match.form for match in matches if match.name == backbone), None)


def _product(part: CollectionFigures, config: StoreAuditConfig, store: InspectedStore) -> Chosen:
    """What the product itself says, where the templates alone do not tell."""
    known, facts = store.recognised(part), store.inspection.facts
    why = "nobody looked" if known is None else known.why
    for name in facts.backbones:
        try:
            spec = load_backbone(name, config.weight_paths()).spec
        except (WeightsError, UnknownNameError):
            continue
        if spec.dim == part.collection.dim:
            note = f"that {name} made them is what the product says: {why}"
            return _suited(Chosen(part, name, _form(known, name), notes=(note,)))
    said = part.collection.model or facts.model or "what made the templates"
    return Chosen(
        part,
        why_not=(
            f"{said} is not known or not at hand ({why}); name a backbone that is ready by "
            "--backbone, and an attack that was trained on it by --attack"
        ),
    )


def _suited(chosen: Chosen) -> Chosen:
    """With the reason why templates of this form cannot be inverted, if there is one."""
    form = chosen.form
    if form is None or (form.kept == form.dim and form.kind in (RAW, UNIT_LENGTH)):
        return chosen
    return replace(
        chosen,
        why_not=(
            f"the templates are stored as {form.name}; only whole ones, raw or of length 1, are "
            "inverted"
        ),
    )


def at_own_length(
    vectors: NDArray[np.float32], chosen: Chosen, length: float | None
) -> NDArray[np.float32]:
    """Templates [N, D] at the length that their backbone gives them: those of length 1 get its mean
    length, others stay as they are.

    Args:
        vectors: as they are stored; none of them zero.
        chosen: says how they are stored.
        length: the mean length of the backbone's own templates, None where it is not known.
    """
    if chosen.form is None or chosen.form.kind != UNIT_LENGTH or length is None:
        return vectors
    return (vectors * np.float32(length)).astype(np.float32)
