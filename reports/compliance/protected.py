"""What was measured of protected templates, as the rows of the tables look at it.

Controls and templates without protection never speak here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from reports.compliance.found import Evidence, Tried, acceptances
from reports.protection_select import (
    KEY_KNOWN,
    REVOKED,
    SAR,
    Setting,
    attacked,
    by_setting,
    is_keyed,
    knowledge_of,
    labels_of,
    linkages,
    setting_of,
    upper,
    without_controls,
)
from reports.protection_words import known
from reports.results import (
    ByFmr,
    Estimate,
    Linkage,
    Measured,
    NotMeasured,
    ProtectionResult,
    Results,
)
from reports.stress_select import shown_fmr
from reports.words import listed

_NONE = "no protection was measured"


def _nothing(why: str) -> list[Evidence]:
    return [Evidence(NotMeasured(not_measured=why))]


def _protecting(results: Results) -> list[ProtectionResult]:
    return [row for row in without_controls(results.protections) if setting_of(row).protects]


def protected(
    results: Results,
    measures: Sequence[str],
    fmr: str | None,
    *,
    keys: Iterable[bool] = (True, False),
    weak: str = "",
) -> list[Evidence]:
    """How often faces rebuilt from protected templates are accepted.

    Args:
        results: of a run.
        measures: of the rows, such as ``type2`` or ``revoked_type1``.
        fmr: the rate, or None for the headline's.
        keys: whether the attacker knows the key.
        weak: why these numbers cannot support anything.
    """
    rows = _protecting(results)
    told = [row for row in attacked(rows) if (knowledge_of(row) in KEY_KNOWN) in keys]
    some = [row for row in told if any(getattr(row, name) for name in measures)]
    if not some:
        return _nothing(_why(results, rows, told, measures))
    labels = labels_of(rows)
    found: list[Evidence] = []
    for name in measures:
        tried = [_tried(row, labels, getattr(row, name)) for row in some if getattr(row, name)]
        found += acceptances(tried, SAR[0], "any", fmr, weak=weak) if tried else []
    return found


def reductions(results: Results) -> list[Tried]:
    """Attacks on templates that were kept shortened, coarser or noisy to protect them."""
    rows = [row for row in attacked(_protecting(results)) if row.family == "reduction"]
    labels = labels_of(rows)
    return [replace(_tried(row, labels, row.type1), type2=row.type2) for row in rows]


def _why(
    results: Results,
    rows: Sequence[ProtectionResult],
    told: Sequence[ProtectionResult],
    measures: Sequence[str],
) -> str:
    if not results.protections or not rows:
        return _NONE
    if not told:
        return "no such attack on protected templates was tried"
    if set(measures) <= set(REVOKED):
        return "no template was renewed in this run"
    return "nothing was measured of the protection"


def _tried(row: ProtectionResult, labels: dict[Setting, str], rates: ByFmr) -> Tried:
    key = ", key known" if knowledge_of(row) in KEY_KNOWN else ", key secret" * row.keyed
    return Tried(
        attack=f"{row.attack} on {labels[setting_of(row)]}{key}",
        judge=row.judge,
        backbone=row.backbone,
        unseen=row.unseen,
        type1=rates,
        type2={},
        reference=row.type2_reference,
        own_fmr=row.reconstruction_fmr,
        margin={},
    )


def protected_recognition(results: Results, fmr: str | None) -> list[Evidence]:
    """How often protected templates recognise the right person, the key stolen."""
    rows = _protecting(results)
    told = [row for row in rows if row.tmr]
    key = fmr or shown_fmr(row.tmr for row in told)
    if not rows:
        return _nothing(_NONE)
    if key is None:
        return _nothing("nothing was measured of the protection")
    labels = labels_of(rows)
    lacking = NotMeasured(not_measured=f"not measured at FMR {key}")
    return [
        Evidence(
            row.tmr.get(key, lacking),
            attack=labels[setting_of(row)],
            judge=row.judge,
            backbone=row.backbone,
            fmr=key,
        )
        for row in told
    ]


def linkability(results: Results, *, weak: str = "") -> list[Evidence]:
    """D_sys less the upper end of what chance gives, of every linker: above 0 templates of one
    person were linked, below 0 they were not.

    A scheme with a key for which no linker had the keys is told as weak: it was not tried in full.
    """
    rows = _protecting(results)
    if not rows:
        return _nothing(_NONE)
    labels = labels_of(rows)
    groups = [
        (labels[key], some)
        for backbone in dict.fromkeys(row.backbone for row in rows)
        for key, some in by_setting(row for row in rows if row.backbone == backbone).items()
    ]
    tried = [(label, some) for label, some in groups if linkages(some)]
    if not tried:
        return _nothing("protected templates under two keys were not compared")
    half = [label for label, some in tried if is_keyed(some) and not _with_keys(some)]
    if half:
        names = listed(list(dict.fromkeys(half)))
        weak = weak or f"no linker that knows the keys was tried on {names}"
    return [
        Evidence(
            _above_chance(linkage),
            attack=f"{linkage.linker} on {label}, {known(linkage.knowledge, keyed=is_keyed(some))}",
            backbone=some[0].backbone,
            weak=weak,
        )
        for label, some in tried
        for linkage in linkages(some)
    ]


def _with_keys(rows: Sequence[ProtectionResult]) -> bool:
    """Whether a linker that has the keys gave a number."""
    return any(
        linkage.knowledge in KEY_KNOWN and isinstance(linkage.d_sys, Measured)
        for linkage in linkages(rows)
    )


def _above_chance(linkage: Linkage) -> Estimate:
    found, null = linkage.d_sys, linkage.null
    if not isinstance(found, Measured):
        return found
    if not isinstance(null, Measured):
        return NotMeasured(not_measured=f"what chance gives: {null.not_measured}")
    chance = upper(null)
    ends = [None if end is None else end - chance for end in (found.low, found.high)]
    return Measured(value=found.value - chance, low=ends[0], high=ends[1], n=found.n)
