"""``faceleak stores link A B``: who of one store is who of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.estimates import estimate
from audit.linkage_rows import LoadedStore, labels_of_people
from audit.linkage_sides import Side, read_side, scale_of
from audit.store_labels import read_same
from audit.synthesis import generate_faces
from audit.watch import Watch
from biometrics.backbones.base import Backbone
from biometrics.backbones.embed import embed
from biometrics.errors import ConfigError
from biometrics.metrics.intervals import Measured, NotMeasured
from biometrics.metrics.linkage import Linkage, LinkedAt, link
from biometrics.metrics.mapped_linkage import CalibratedMap, calibrated_map
from biometrics.stores.base import open_store
from biometrics.stores.source import Source

FMRS = (1e-2, 1e-3, 1e-4)
SAMPLED, PICTURES = 800, 2
"""People who do not exist, on whose pictures a map between two backbones is fitted and tried: 480
and 320 of them, so that an FMR of 1e-3 has enough pairs."""


@dataclass(frozen=True)
class StoreLinkage:
    """What linking two stores found.

    Attributes:
        stores: what was compared.
        backbones: what made the templates, as far as it is known.
        linkage: who was found.
        calibrated: the map that the first store's templates went through, or None.
        notes: what else a reader must know.
    """

    stores: tuple[LoadedStore, LoadedStore]
    backbones: tuple[str, str]
    linkage: Linkage
    calibrated: CalibratedMap | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything but templates and names."""
        found = self.linkage
        return {
            "stores": [
                {
                    "collection": store.collection.name,
                    "backbone": backbone or None,
                    "templates": len(store.vectors),
                    "subjects": subjects,
                    "share_of_subjects": store.share,
                    "not_finite": store.dropped,
                    "of_other_collections": store.others,
                }
                for store, backbone, subjects in zip(
                    self.stores, self.backbones, found.subjects, strict=True
                )
            ],
            "shared": found.shared,
            "rank1": _plain(found.rank1),
            "rank10": _plain(found.rank10),
            "given": _by_fmr(found.given),
            "own": _by_fmr(found.own),
            "map": None if self.calibrated is None else _map(self.calibrated),
            "notes": list(self.notes),
        }


def link_stores(
    a: str,
    b: str,
    *,
    check_authorisation: Callable[[Source], object],
    backbone_a: str | None = None,
    backbone_b: str | None = None,
    same: Path | None = None,
    fmrs: Sequence[float] = FMRS,
    weights: Mapping[str, str] | None = None,
    sampled: int = SAMPLED,
    seed: int = 0,
    watch: Watch,
) -> StoreLinkage:
    """Compare the people of two stores.

    Args:
        a, b: where they lie; see :func:`open_store`.
        check_authorisation: raises where nobody signed for a store; asked for both before any
            template is read.
        backbone_a, backbone_b: whose templates they hold; recognised where they are not named.
        same: a CSV of pairs that are one person, see :func:`read_same`.
        fmrs: at which thresholds are worked out.
        weights: files of backbones, by name.
        sampled: people who do not exist, for a map between two backbones.
        seed: of samples and intervals.
        watch: shows progress.

    Raises:
        NotAuthorisedError: nobody signed.
        ConfigError: one backbone is named and the other is not.
        WeightsError: a map is needed, and one of the two backbones is not ready.
        InputError: a store cannot be read, or the two cannot be compared.
    """
    if (backbone_a is None) != (backbone_b is None):
        raise ConfigError("name both backbones (--backbone-a and --backbone-b), or none")
    pairs = None if same is None else read_same(same)
    with open_store(a) as first, open_store(b) as second:
        for store in (first, second):
            check_authorisation(store.source)
        one = read_side(first, backbone_a, weights or {}, seed, watch)
        two = read_side(second, backbone_b, weights or {}, seed, watch)
    scale = scale_of(one, two, weights or {})
    notes = [*_notes(one, two), *scale.notes]
    vectors, thresholds = scale.first, scale.thresholds
    made: CalibratedMap | None = None
    if scale.mapped is not None:
        made = _map_between(*scale.mapped, fmrs, sampled, seed, watch)
        vectors, thresholds = made.map.apply(vectors), made.measured
        notes.append(MAPPED)
    people = labels_of_people(one.loaded, two.loaded, pairs)
    total = 2 * len(set(people.first)) + len(set(people.second))
    with watch.task("compare everybody with everybody", total) as step:
        found = link(
            vectors,
            people.first,
            scale.second,
            people.second,
            scale.similarity,
            thresholds=thresholds,
            fmrs=fmrs,
            seed=seed,
            advance=step,
        )
    return StoreLinkage(
        (one.loaded, two.loaded), (one.backbone, two.backbone), found, made, tuple(notes)
    )


MAPPED = (
    "The first store's templates went through a map that was fitted on sampled people who do not "
    "exist. Its calibration is of such people too: real ones may be linked more or less often."
)


def _map_between(
    source: Backbone, target: Backbone, fmrs: Sequence[float], people: int, seed: int, watch: Watch
) -> CalibratedMap:
    with watch.task(f"sample {people:,} people", people * PICTURES) as step:
        faces = generate_faces(people, PICTURES, seed, advance=step)
    sides = []
    for model in (source, target):
        with watch.task(f"embed them with {model.spec.name}", len(faces.crops)) as step:
            sides.append(embed(model, faces.crops, advance=step))
    return calibrated_map(
        sides[0],
        sides[1],
        faces.subject_ids,
        target.spec.similarity,
        fmrs,
        unit=source.spec.similarity == "cosine",
        seed=seed,
    )


def _notes(*sides: Side) -> list[str]:
    notes = []
    for place, side in zip(("first", "second"), sides, strict=True):
        store = side.loaded
        if store.share < 1:
            notes.append(
                f"The {place} store is large: a sample of about {store.share:.3g} of its subjects "
                "was compared, and more people are linked in the whole."
            )
        if store.dropped:
            notes.append(f"{store.dropped:,} templates of the {place} store are not finite.")
        if store.others:
            notes.append(
                f"{store.others:,} templates of other collections of the {place} store were left "
                "out."
            )
        if side.lost:
            notes.append(f"{side.lost:,} rows of the {place} store could not be read.")
        if side.broken:
            notes.append(f"The {place} store was read in part: {side.broken}.")
    return notes


def _map(made: CalibratedMap) -> dict[str, Any]:
    return {
        "fitted_on": made.fitted_on,
        "pairs": made.map.pairs,
        "explained": made.map.explained,
        "held_out": made.held_out.shared,
        "rank1": _plain(made.held_out.rank1),
        "at": _by_fmr(made.held_out.given),
    }


def _by_fmr(found: Mapping[float, LinkedAt | NotMeasured]) -> dict[str, Any]:
    return {f"{fmr:.0e}".replace("e-0", "e-"): _linked(at) for fmr, at in found.items()}


def _linked(at: LinkedAt | NotMeasured) -> dict[str, Any]:
    if isinstance(at, NotMeasured):
        return _plain(at)
    return {
        "threshold": at.threshold,
        "tmr": _plain(at.tmr),
        "fmr": _plain(at.fmr),
        "pairs": at.pairs,
        "people": at.people,
        "expected_false": at.expected_false,
        "right": at.right,
    }


def _plain(fact: Measured) -> dict[str, Any]:
    return estimate(fact).model_dump(mode="json")
