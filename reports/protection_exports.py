"""A run about protection in long form: one row for each number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reports.protection_select import BY_FMR, knowledge_of
from reports.results import Estimate, Knowledge, Linkage, ProtectionResult
from reports.tables import fmr_keys

PROTECTION_COLUMNS = (
    "scheme",
    "label",
    "family",
    "keyed",
    "parameters",
    "control",
    "backbone",
    "attack",
    "knowledge",
    "key_known",
    "leak",
    "records",
    "queries",
    "method",
    "judge",
    "judged",
    "unseen",
    "linker",
    "fmr",
    "measure",
    "value",
    "low",
    "high",
    "n",
    "not_measured",
    "note",
)
MEASURES, IMAGE = "measures.", "image."
"""Before the name of a measure of a scheme's own, and of likeness."""


class ProtectionValue(NamedTuple):
    """One number of a row; a plain number where it is no estimate."""

    row: ProtectionResult
    measure: str
    value: Estimate | int
    fmr: str = ""
    knowledge: Knowledge | str = ""
    linker: str = ""


def protection_values(rows: Iterable[ProtectionResult]) -> Iterator[ProtectionValue]:
    """Every number of every row: rates by FMR, then of a scheme its linkage, keys and size, of an
    attack its attempts and likeness. Scores bin by bin are in results.json alone."""
    for row in rows:
        knows = knowledge_of(row) if row.attack else ""
        for measure, value, fmr in _numbers(row):
            yield ProtectionValue(row, measure, value, fmr, knows)
        for linkage in row.linkage:
            for measure, told in _linked(linkage):
                yield ProtectionValue(row, measure, told, "", linkage.knowledge, linkage.linker)


def _numbers(row: ProtectionResult) -> Iterator[tuple[str, Estimate | int, str]]:
    for name in BY_FMR:
        rates = getattr(row, name)
        for fmr in fmr_keys(rates):
            yield name, rates[fmr], fmr
    if row.attack:
        yield "n_attempts", row.n_attempts, ""
        yield "n_failed", row.n_failed, ""
        yield "detection_rate", row.detection_rate, ""
        yield "recovered_cosine", row.recovered_cosine, ""
    else:
        yield "keys", row.keys, ""
        yield "dim", row.dim, ""
        yield "stored_bits", row.stored_bits, ""
        yield "microseconds", row.microseconds, ""
    for name, value in row.image.items():
        yield IMAGE + name, value, ""
    for name, value in row.measures.items():
        yield MEASURES + name, value, ""


def _linked(linkage: Linkage) -> Iterator[tuple[str, Estimate | int]]:
    yield "d_sys", linkage.d_sys
    yield "d_sys_by_chance", linkage.null
    yield "maximal_linkability", linkage.maximal
    yield "bins", linkage.bins
    yield "mated_scores", linkage.mated
    yield "non_mated_scores", linkage.non_mated
