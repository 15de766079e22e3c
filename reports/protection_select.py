"""Which rows about protection stand beside each other, and which attack is the strongest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from reports.results import (
    NOT_RUN,
    UNPROTECTED,
    ByFmr,
    Estimate,
    Knowledge,
    Linkage,
    Measured,
    NotMeasured,
    ProtectionResult,
)
from reports.stress_select import distinct, shown_fmr

KNOWLEDGE: tuple[Knowledge, ...] = get_args(Knowledge)
"""From the attacker who knows least to the one who knows most."""
KEY_KNOWN: tuple[Knowledge, ...] = ("one-key", "key", "all-keys")
"""What an attacker knows who has the keys of the templates."""
BY_FMR = tuple(n for n, f in ProtectionResult.model_fields.items() if f.annotation == ByFmr)
"""All that a row holds by FMR."""
SAR = ("type1", "type2")
REVOKED = ("revoked_type1", "revoked_type2")

_CONTROL = "control:"

Found = Literal["above", "inside", "open", "not measured"]
"""What a linkage says: scores tell who belongs together, or no more than chance, or neither is
certain."""


class Setting(NamedTuple):
    """A scheme with its parameters."""

    scheme: str
    parameters: str

    @property
    def protects(self) -> bool:
        """Whether it is a scheme at all."""
        return self.scheme != UNPROTECTED


class Strongest(NamedTuple):
    """The attack that sets a bound: its row, which of the row's rates, and that rate."""

    row: ProtectionResult
    rate: str
    value: Measured


def setting_of(row: ProtectionResult) -> Setting:
    """The scheme of a row with its parameters, as text."""
    told = json.dumps(row.parameters, sort_keys=True) if row.parameters else ""
    return Setting(row.scheme, told)


def by_setting(rows: Iterable[ProtectionResult]) -> dict[Setting, list[ProtectionResult]]:
    """Schemes in their order, templates without protection first."""
    found: dict[Setting, list[ProtectionResult]] = {}
    for row in rows:
        found.setdefault(setting_of(row), []).append(row)
    return dict(sorted(found.items(), key=lambda item: item[0].protects))


def backbones_of(rows: Iterable[ProtectionResult]) -> list[str]:
    """Whose templates they are, in their order."""
    return distinct(row.backbone for row in rows)


def of_backbone(rows: Iterable[ProtectionResult], backbone: str) -> list[ProtectionResult]:
    """The rows of one backbone's templates."""
    return [row for row in rows if row.backbone == backbone]


def labels_of(rows: Iterable[ProtectionResult]) -> dict[Setting, str]:
    """Every scheme in words; two that would read alike are told apart by their parameters."""
    labels: dict[Setting, str] = {}
    for key, some in by_setting(rows).items():
        name = key.scheme if key.protects else "unprotected"
        labels[key] = next((row.label for row in some if row.label), name)
    words = list(labels.values())
    return {
        key: f"{label} ({parameters_of(key)})"
        if words.count(label) > 1 and key.parameters
        else label
        for key, label in labels.items()
    }


def parameters_of(key: Setting) -> str:
    """``bits 64, orthonormal yes``."""
    known = json.loads(key.parameters) if key.parameters else {}
    words = {True: "yes", False: "no"}
    return ", ".join(
        f"{name.replace('_', ' ')} {words[v] if isinstance(v, bool) else v}"
        for name, v in known.items()
    )


def is_control(row: ProtectionResult) -> bool:
    """Whether a row only gives the others their meaning."""
    return row.control or row.attack.startswith(_CONTROL)


def without_controls(rows: Iterable[ProtectionResult]) -> list[ProtectionResult]:
    """The rows that tell of schemes."""
    return [row for row in rows if not is_control(row)]


def attacked(rows: Iterable[ProtectionResult]) -> list[ProtectionResult]:
    """Rows of attacks, controls excluded."""
    return [row for row in rows if row.attack and not is_control(row)]


def on_templates(rows: Iterable[ProtectionResult]) -> list[ProtectionResult]:
    """Rows of attacks for which protected templates leaked, not scores or decisions alone."""
    return [row for row in attacked(rows) if row.leak == "template"]


def plain_rows(rows: Iterable[ProtectionResult]) -> list[ProtectionResult]:
    """Rows that tell of a scheme alone: its price in recognition, its linkage, its size."""
    return [row for row in rows if not row.attack]


def knowledge_of(row: ProtectionResult) -> Knowledge:
    """What the attacker knows; rows that do not say so tell whether the key is known."""
    return row.knowledge or ("key" if row.key_known else "scheme")


def is_keyed(rows: Iterable[ProtectionResult]) -> bool:
    """Whether the scheme of these rows has a key."""
    return any(row.keyed for row in rows)


def is_encrypted(rows: Iterable[ProtectionResult]) -> bool:
    """Whether what is stored are ciphertexts, under one key for all."""
    return any(row.family == "encryption" for row in rows)


def with_keys(rows: Sequence[ProtectionResult]) -> list[ProtectionResult]:
    """Attacks on leaked templates that know all there is to know: with the keys, where there are
    any."""
    told = on_templates(rows)
    if not is_keyed(rows):
        return told
    return [row for row in told if knowledge_of(row) in KEY_KNOWN]


def protection_fmr(rows: Iterable[ProtectionResult]) -> str | None:
    """The headline's FMR where anything was measured at it; else the strictest that was."""
    return shown_fmr(getattr(row, name) for row in rows for name in BY_FMR)


def at(rates: ByFmr, fmr: str | None) -> Estimate | None:
    """A rate at an FMR; None where the row says nothing of it at all."""
    if not rates:
        return None
    return rates.get(fmr or "", NotMeasured(not_measured="not measured at this FMR"))


def upper(value: Measured) -> float:
    """The bound that holds with its interval; the value itself where there is none."""
    return value.value if value.high is None else value.high


def strongest(
    rows: Iterable[ProtectionResult], fmr: str | None, rates: Sequence[str] = ("type1",)
) -> Strongest | None:
    """The attack with the highest upper bound, controls excluded; of equal ones the first. None
    where nothing was measured."""
    found = [
        Strongest(row, name, value)
        for row in attacked(rows)
        for name in rates
        if isinstance(value := at(getattr(row, name), fmr), Measured)
    ]
    return max(found, key=lambda one: (upper(one.value), one.value.value), default=None)


def by_knowledge(
    rows: Iterable[ProtectionResult], fmr: str | None
) -> dict[Knowledge, Strongest | None]:
    """The strongest attack on leaked templates by everybody who was tried, by what they know, least
    first."""
    told = on_templates(rows)
    known = [name for name in KNOWLEDGE if any(knowledge_of(row) == name for row in told)]
    return {
        name: strongest([row for row in told if knowledge_of(row) == name], fmr) for name in known
    }


def why_not(rows: Sequence[ProtectionResult], fmr: str | None, rates: Sequence[str]) -> NotMeasured:
    """Why none of these rates has a number."""
    reasons = [
        value.not_measured
        for row in rows
        for name in rates
        if isinstance(value := at(getattr(row, name), fmr), NotMeasured)
    ]
    reasons = reasons or [row.note for row in rows if row.note]
    return NotMeasured(not_measured="; ".join(dict.fromkeys(reasons)) or NOT_RUN.not_measured)


def linkages(rows: Iterable[ProtectionResult]) -> list[Linkage]:
    """All ways in which templates of these rows were linked."""
    return [linkage for row in rows if not is_control(row) for linkage in row.linkage]


def linked(linkage: Linkage) -> Found:
    """``above``: the whole interval of D_sys lies above what chance gives. ``inside``: it reaches
    no further than chance does. ``open``: neither."""
    found, null = linkage.d_sys, linkage.null
    if not isinstance(found, Measured) or not isinstance(null, Measured):
        return "not measured"
    if found.low is None or found.high is None:
        return "open"
    if found.low > upper(null):
        return "above"
    return "inside" if found.high <= upper(null) else "open"


def closest_linkage(
    rows: Iterable[ProtectionResult], known: Sequence[Knowledge] = KNOWLEDGE
) -> Linkage | None:
    """The linker of such attackers that tells the most above chance; measured ones first."""

    def above(linkage: Linkage) -> tuple[bool, float]:
        found, null = linkage.d_sys, linkage.null
        if not isinstance(found, Measured):
            return False, 0.0
        return True, found.value - (upper(null) if isinstance(null, Measured) else 0.0)

    return max((x for x in linkages(rows) if x.knowledge in known), key=above, default=None)


def is_silent(row: ProtectionResult) -> bool:
    """Whether a row holds no number at all; its note then says why."""
    more = (row.detection_rate, row.recovered_cosine, *row.image.values(), *row.measures.values())
    told = [value for name in BY_FMR for value in getattr(row, name).values()]
    return not row.linkage and not any(isinstance(v, Measured) for v in (*told, *more))


def why_silent(row: ProtectionResult) -> str:
    """What such a row says instead."""
    told = [value for name in BY_FMR for value in getattr(row, name).values()]
    reasons = [value.not_measured for value in told if isinstance(value, NotMeasured)]
    return row.note or "; ".join(dict.fromkeys(reasons)) or NOT_RUN.not_measured
