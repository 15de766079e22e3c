"""The two stores of a linkage: what made their templates, and how these can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.linkage_rows import LoadedStore, Loading
from audit.store_config import StoreAuditConfig
from audit.store_summary import is_normalised
from audit.store_target import choose
from audit.stores_tools import look_into
from audit.watch import Watch
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.errors import InputError, StoreError, WeightsError
from biometrics.metrics.scores import Similarity
from biometrics.stores.base import Store
from biometrics.stores.known_backbones import shipped_calibration, shipped_fingerprints


@dataclass(frozen=True)
class Side:
    """One of the two stores.

    Attributes:
        loaded: its templates.
        backbone: what made them, or empty where that is not known.
        changed: whether they were shortened or scaled so that its thresholds mean nothing.
        unit: whether they were stored at length 1.
        notes: how the backbone is known, or why it is not.
        lost: rows that could not be read.
        broken: why the rest could not be read at all, or empty.
    """

    loaded: LoadedStore
    backbone: str
    changed: bool
    unit: bool
    notes: tuple[str, ...]
    lost: int
    broken: str

    @property
    def dim(self) -> int:
        """D."""
        return self.loaded.collection.dim

    def at_length(self, length: float | None) -> NDArray[np.float32]:
        """The templates, those stored at length 1 at the length that their backbone gives."""
        vectors = self.loaded.vectors
        return vectors * np.float32(length) if self.unit and length is not None else vectors


class Scale(NamedTuple):
    """How two stores are compared.

    Attributes:
        similarity: of templates.
        first, second: the templates [N, D] that are compared, the first perhaps mapped before.
        thresholds: of the backbone, by FMR; None where none are known.
        mapped: the first's and the second's backbone, where they are two.
        notes: what a reader must know of this.
    """

    similarity: Similarity
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    thresholds: Mapping[float, float] | None = None
    mapped: tuple[Backbone, Backbone] | None = None
    notes: tuple[str, ...] = ()


def read_side(
    store: Store, backbone: str | None, weights: Mapping[str, str], seed: int, watch: Watch
) -> Side:
    """Read a store once, and tell what made its templates, as an audit does.

    Args:
        store: opened.
        backbone: what made them, where that was said.
        weights: files of backbones, by name.
        seed: of samples.
        watch: shows progress.

    Raises:
        StoreError: it holds no usable template.
        InputError: its templates have not as many values as the backbone gives.
        UnknownNameError, WeightsError: the backbone that was named is unknown or not ready.
    """
    loading, name = Loading(seed), store.source.name
    found = look_into(store, name, shipped_fingerprints(), watch, seed=seed, also=loading.add)
    asked = StoreAuditConfig.model_validate({"store": name, "target": backbone, "weights": weights})
    chosen = choose(asked, found)
    if chosen.figures is None:
        raise StoreError(f"{name} holds no templates that can be compared")
    inspection = found.inspection
    return Side(
        loading.loaded(chosen.figures.collection),
        chosen.target,
        changed=bool(chosen.target and chosen.why_not),
        unit=is_normalised(chosen.figures, chosen) is True,
        notes=(*chosen.notes, *((chosen.why_not,) if chosen.why_not and chosen.target else ())),
        lost=inspection.tally.lost,
        broken=inspection.broken,
    )


def scale_of(one: Side, two: Side, weights: Mapping[str, str]) -> Scale:
    """How two stores are compared: by their one backbone's own rule and thresholds, through a map
    between two, or by the cosine where it is not known what made them.

    Raises:
        WeightsError: a map is needed, and one of the two backbones is not ready.
        InputError: they have other lengths, and nothing is known of them.
    """
    notes = [f"The first store: {note}." for note in one.notes]
    notes += [f"The second store: {note}." for note in two.notes]
    known, changed = {side.backbone for side in (one, two)} - {""}, one.changed or two.changed
    if len(known) == 2 and not changed:
        source, target = (load_backbone(side.backbone, weights) for side in (one, two))
        first, second = (side.at_length(_mean_length(side.backbone)) for side in (one, two))
        kind = target.spec.similarity
        return Scale(kind, first, second, mapped=(source, target), notes=tuple(notes))
    if one.dim != two.dim or len(known) == 2:
        raise InputError(
            f"templates of {one.dim} and {two.dim} numbers cannot be compared: of two backbones, "
            "both must be known (--backbone-a and --backbone-b) and both stores hold whole "
            "templates, raw or of length 1"
        )
    if changed or not known:
        notes.append("Templates are compared by the cosine, without thresholds of a backbone.")
        return Scale("cosine", one.loaded.vectors, two.loaded.vectors, notes=tuple(notes))
    (name,) = known
    for place, side in (("first", one), ("second", two)):
        if not side.backbone:
            notes.append(
                f"What made the templates of the {place} store was not recognised; they have as "
                f"many values as {name}'s and are taken for such."
            )
    rule = _rule_of(name, weights)
    first, second = one.at_length(rule.length), two.at_length(rule.length)
    return Scale(rule.similarity, first, second, rule.thresholds, notes=(*notes, rule.note))


class _Rule(NamedTuple):
    """How templates of one backbone are compared."""

    similarity: Similarity
    length: float | None
    thresholds: Mapping[float, float] | None
    note: str


def _rule_of(name: str, weights: Mapping[str, str]) -> _Rule:
    """The shipped figures are of the published weights; files of one's own may be others."""
    shipped, spec = shipped_calibration(name), None
    if shipped is None or name in weights:
        try:
            spec = load_backbone(name, weights).spec
        except WeightsError:
            return _Rule("cosine", None, None, f"{name} is not ready: compared by the cosine.")
    if shipped is not None and (spec is None or spec.sha256 == shipped.sha256):
        kind: Similarity = "l2" if shipped.similarity == "l2" else "cosine"
        note = (
            f"The thresholds of {name} are from {shipped.pictures:,} photographs of "
            f"{shipped.subjects:,} people (the shipped calibration, LFW); other cameras differ."
        )
        return _Rule(kind, shipped.norm_mean, shipped.thresholds, note)
    assert spec is not None
    return _Rule(spec.similarity, _mean_length(name), None, f"No thresholds of {name} are known.")


def _mean_length(name: str) -> float | None:
    found = (mark.norm_mean for mark in shipped_fingerprints() if mark.name == name)
    return next(found, None)
