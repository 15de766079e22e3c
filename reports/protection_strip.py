"""The strips of pictures of protection: people downwards, schemes across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.protection_select import (
    Setting,
    attacked,
    backbones_of,
    by_setting,
    labels_of,
    of_backbone,
    strongest,
    without_controls,
)
from reports.protection_words import known_words
from reports.results import ProtectionResult, ProtectionSample
from reports.stress_strip import PEOPLE, Band, Pictures, Strip

COLUMNS = 8
_ENROLLED = "Enrolled picture"
_REBUILT = "Rebuilt"


class ProtectionStrips(Pictures):
    """Strips of a run about protection."""

    def of(self, rows: Sequence[ProtectionResult], fmr: str | None) -> Iterator[Strip]:
        """For each backbone what the strongest attack with pictures made of every scheme."""
        told = without_controls(rows)
        for backbone in backbones_of(told):
            some = of_backbone(told, backbone)
            shown = {key: _shown(part, fmr) for key, part in by_setting(some).items()}
            found = [(key, row) for key, row in shown.items() if row is not None]
            labels = labels_of(some)
            people = _people([row for _, row in found])
            for i in range(0, len(found), COLUMNS):
                yield self._strip(backbone, found[i : i + COLUMNS], labels, people)

    def _strip(
        self,
        backbone: str,
        columns: Sequence[tuple[Setting, ProtectionResult]],
        labels: dict[Setting, str],
        people: Sequence[str],
    ) -> Strip:
        heads = [f"{labels[key]}, attacker {known_words(row)}" for key, row in columns]
        bands = []
        for number, who in enumerate(people[:PEOPLE]):
            name = f"person {number + 1} ({who})"
            samples = [_of(row, who) for _, row in columns]
            rebuilt = [
                self.picture(
                    None if sample is None else sample.reconstruction,
                    f"{_REBUILT}, {head}, {name}",
                    reconstruction=True,
                )
                for sample, head in zip(samples, heads, strict=True)
            ]
            original = next((s.original for s in samples if s is not None and s.original), None)
            enrolled = self.picture(original, f"{_ENROLLED}, {name}", reconstruction=False)
            bands.append([Band("", [enrolled, *rebuilt])])
        return Strip(
            f"Faces rebuilt from templates of {backbone} by the strongest attack",
            self.caption(len(people)),
            [_ENROLLED, *heads],
            bands,
        )


def _shown(rows: Sequence[ProtectionResult], fmr: str | None) -> ProtectionResult | None:
    """The row whose pictures stand for a scheme: of the strongest attack that has any."""
    told = [row for row in attacked(rows) if row.samples]
    found = strongest(told, fmr)
    return found.row if found is not None else next(iter(told), None)


def _people(rows: Sequence[ProtectionResult]) -> list[str]:
    """Everybody in the pictures; those first who are seen under most schemes."""
    names = [name for row in rows for name in dict.fromkeys(_who(s) for s in row.samples)]
    return sorted(dict.fromkeys(names), key=lambda name: -names.count(name))


def _of(row: ProtectionResult, who: str) -> ProtectionSample | None:
    return next((sample for sample in row.samples if _who(sample) == who), None)


def _who(sample: ProtectionSample) -> str:
    return sample.subject or sample.template
