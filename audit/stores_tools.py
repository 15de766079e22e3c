"""What ``faceleak stores inspect`` does: open a store, measure it, recognise its backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from audit.watch import Watch
from biometrics.errors import CoverageError
from biometrics.stores.base import Store, open_store
from biometrics.stores.batch import StoreBatch
from biometrics.stores.families import Judgement, judge
from biometrics.stores.fingerprint import TOO_FEW, UNKNOWN, Fingerprint, Recognition, recognise
from biometrics.stores.inspection import CollectionFigures, Inspection, inspect
from biometrics.stores.known_backbones import shipped_fingerprints

FACES = 600
"""Generated people that the fingerprint of a backbone of the user's own is learnt from."""

RECOGNISED = 8
"""Collections whose backbone is looked for: those with the most rows."""

SEED = 7

OWN = ("onnx:", "torchscript:", "module:")
"""Begin the names of backbones that a user brings; ``insightface:FILE.onnx`` is one too."""


@dataclass(frozen=True, eq=False)
class InspectedStore:
    """A store, and what made its templates.

    Attributes:
        location: as it was given.
        inspection: the figures.
        judgements: of each collection, by its length and claims.
        recognitions: of each collection, by its covariances; None where nobody looked.
    """

    location: str
    inspection: Inspection
    judgements: tuple[Judgement, ...]
    recognitions: tuple[Recognition | None, ...]

    @property
    def backbone(self) -> str | None:
        """The backbone of the main collection, where it was recognised."""
        main = self.inspection.main
        for figures, found in zip(self.inspection.collections, self.recognitions, strict=True):
            if figures is main and found is not None and found.best is not None:
                return found.backbone
        return None

    def recognised(self, figures: CollectionFigures) -> Recognition | None:
        """What its covariances say of a collection of this store; None where nobody looked."""
        return self.recognitions[self.inspection.collections.index(figures)]

    def probably(self, figures: CollectionFigures) -> tuple[str, list[str]]:
        """What made a collection, as far as it is known, and the evidence."""
        place = self.inspection.collections.index(figures)
        family, known = self.judgements[place].family, self.recognitions[place]
        if known is not None and known.best is not None:
            return known.backbone, [family.evidence, known.why]
        name = f"{family.name}?" if family.name else ""
        return name, [family.evidence, *([known.why] if known is not None else [])]

    def contradictions(self, place: int) -> list[str]:
        """What claims, lengths and recognition of a collection say against each other."""
        found, said = self.recognitions[place], list(self.judgements[place].contradictions)
        product = self.inspection.facts.backbones
        named = None if found is None or found.best is None else found.backbone
        # What a user calls a file of one's own tells nothing of which model it is.
        own = named is not None and (named.startswith(OWN) or named.endswith(".onnx"))
        if named is not None and product and named not in product and not own:
            said.append(
                f"the store should hold templates of {' or '.join(product)}; these are of {named}"
            )
        return said

    def as_record(self) -> dict[str, Any]:
        """For JSON. To each of ``collections`` comes ``family`` (``name``, ``evidence``,
        ``backbones``), ``claims``, ``contradictions``, ``means`` (why they are taken for means) and
        ``recognition`` (``backbone``, ``why``, ``candidates``; null where nobody looked); to the
        whole ``backbone``, that of the main collection or null."""
        record = self.inspection.as_record()
        record["backbone"] = self.backbone
        for place, line in enumerate(record["collections"]):
            said, found = self.judgements[place], self.recognitions[place]
            line["family"] = {**said.family._asdict(), "backbones": list(said.family.backbones)}
            line["claims"] = list(said.claims)
            line["contradictions"] = self.contradictions(place)
            line["means"] = said.means
            line["recognition"] = None if found is None else _recognition(found)
        return record

    def check_coverage(self, minimum: float) -> None:
        """Refuse a store of which too little was read.

        Raises:
            CoverageError: naming the first rows.
        """
        inspection, tally = self.inspection, self.inspection.tally
        check_coverage(
            inspection.source,
            Coverage(inspection.coverage, tally.read, tally.lost, inspection.broken),
            tally.examples,
            minimum,
        )


class Coverage(NamedTuple):
    """How much of a store was read: the share, the rows behind it, and why the rest could not be
    read at all, or nothing."""

    share: float
    read: int
    lost: int
    broken: str


def check_coverage(
    source: str, found: Coverage, examples: Sequence[str], minimum: float, then: str = ""
) -> None:
    """Refuse a store of which too little was read.

    Args:
        source: its name.
        found: how much was read.
        examples: the first rows that were not, in words.
        minimum: the share that is asked for.
        then: what was done all the same, for the end of the message.

    Raises:
        CoverageError: naming the first rows.
    """
    if found.broken:
        raise CoverageError(f"{source} was read in part: {found.broken}{then}")
    if found.share < minimum:
        raise CoverageError(
            f"{found.lost:,} of {found.read + found.lost:,} rows of {source} cannot be read: "
            f"coverage {found.share:.3f}, below {minimum:g}; {'; '.join(examples[:3])}{then}"
        )


def inspect_store(
    location: str,
    watch: Watch,
    *,
    backbones: Sequence[str] = (),
    weights: Mapping[str, str] | None = None,
    seed: int = 0,
) -> InspectedStore:
    """Inspect what lies at a path or behind an address.

    Args:
        location: see :func:`biometrics.stores.base.open_store`.
        watch: shows progress.
        backbones: further candidates, by name; their fingerprints are learnt here, from generated
            people.
        weights: weight files by backbone.
        seed: of samples and halves.

    Raises:
        InputError: there is nothing, or it is no store.
        UnknownNameError, WeightsError: a candidate is unknown or not ready.
    """
    marks = candidates(backbones, watch, weights=weights or {})
    with open_store(location) as store:
        return look_into(store, location, marks, watch, seed=seed)


def candidates(
    backbones: Sequence[str], watch: Watch, *, weights: Mapping[str, str]
) -> list[Fingerprint]:
    """The fingerprints that ship, and those of further backbones, learnt here.

    Raises:
        UnknownNameError, WeightsError: one is unknown or not ready.
    """
    marks = list(shipped_fingerprints())
    wanted = [n for n in backbones if n in weights or n not in {mark.name for mark in marks}]
    if not wanted:
        return marks
    learnt = learn_fingerprints(wanted, watch, weights=weights)
    return [mark for mark in marks if mark.name not in wanted] + learnt


def look_into(
    store: Store,
    location: str,
    marks: Sequence[Fingerprint],
    watch: Watch,
    *,
    seed: int = 0,
    also: Callable[[StoreBatch], None] | None = None,
) -> InspectedStore:
    """The same of a store that is open, with these fingerprints for candidates; ``also`` is shown
    every batch."""
    with watch.task(f"read {store.source.name}") as advance:
        inspection = inspect(store, seed=seed, advance=advance, also=also)
    largest = sorted(inspection.collections, key=lambda found: -found.sound)[:RECOGNISED]
    found = tuple(
        _recognise(figures, marks, seed) if figures in largest else None
        for figures in inspection.collections
    )
    judged = tuple(judge(figures, inspection.facts) for figures in inspection.collections)
    return InspectedStore(location, inspection, judged, found)


def learn_fingerprints(
    names: Sequence[str], watch: Watch, *, weights: Mapping[str, str]
) -> list[Fingerprint]:
    """The fingerprints of backbones that are ready, from generated people.

    Raises:
        UnknownNameError, WeightsError: one is unknown or not ready.
    """
    from audit.synthesis import generate_faces  # torch takes seconds
    from biometrics.backbones.base import load_backbone
    from biometrics.stores.fingerprint import learn_from

    ready = [load_backbone(name, weights) for name in dict.fromkeys(names)]
    with watch.task(f"generate {FACES:,} people", FACES) as advance:
        crops = generate_faces(FACES, 1, SEED, advance=advance).crops
    marks = []
    for backbone in ready:
        with watch.task(f"learn the fingerprint of {backbone.spec.name}"):
            marks.append(learn_from(backbone, crops, "generated people"))
    return marks


def _recognise(figures: CollectionFigures, marks: Sequence[Fingerprint], seed: int) -> Recognition:
    return recognise(figures.sample, marks, subjects=figures.sample_subjects, seed=seed)


def _recognition(found: Recognition) -> dict[str, Any]:
    named = None if found.backbone in (UNKNOWN, TOO_FEW) else found.backbone
    candidates = [
        {
            "backbone": match.name,
            "score": match.score,
            "sigmas": match.sigmas,
            "mean": match.mean,
            "fits": match.fits,
            "form": match.form.name,
        }
        for match in found.matches
    ]
    return {"backbone": named, "answer": found.backbone, "why": found.why, "candidates": candidates}
