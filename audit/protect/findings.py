"""What a protection run tells: what would have helped, and what would not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.findings_doubts import lower
from audit.protect.recommendation import BackboneRows, Recommendations
from audit.protect.settings import ProtectSettings
from reports.compliance import clause_of
from reports.protection_select import (
    KEY_KNOWN,
    backbones_of,
    is_keyed,
    knowledge_of,
    linked,
    of_backbone,
    on_templates,
    plain_rows,
    protection_fmr,
    strongest,
    upper,
    with_keys,
)
from reports.results import SEVERITY_ORDER, Estimate, Finding, ProtectionResult
from reports.words import listed, main

HIGH = 0.2
"""Lower limit of a rate from which a finding is a grave one: every fifth person."""


def protection_findings(rows: Sequence[ProtectionResult], sizes: ProtectSettings) -> list[Finding]:
    """All findings of a protection run, the worst first."""
    fmr = protection_fmr(rows)
    if fmr is None:
        return []
    found = [
        finding
        for backbone in backbones_of(rows)
        for finding in _Told(of_backbone(rows, backbone), backbone, fmr, sizes).all()
    ]
    return sorted(found, key=lambda f: SEVERITY_ORDER.index(f.severity))


class _Told(BackboneRows):
    def all(self) -> Iterator[Finding]:
        """What is told of one backbone's templates."""
        rows = self.rows, self.backbone, self.fmr, self.sizes
        yield from Recommendations(*rows).all()
        yield from self._scores()
        yield from self._linked()
        yield from self._untrained()
        yield from self._revoked()

    def _scores(self) -> Iterator[Finding]:
        """Scores alone give templates away."""
        found = [
            (self.labels[key], best)
            for key, rows in self.settings.items()
            if (best := self.of_leak(rows, "score")) is not None and lower(best.value) >= HIGH
        ]
        if not found:
            return
        worst = max(found, key=lambda one: lower(one[1].value))
        yield Finding(
            id="protection.scores",
            severity="high",
            title=f"{self.backbone}: scores alone are enough against {len(found)} schemes, "
            f"{listed([label for label, _ in found])}: an attacker without any template or key "
            f"gets up to {main(worst[1].value, 'rate')} accepted {self.at_fmr}",
            evidence={f"{label}, from scores, {self.at_fmr}": best.value for label, best in found},
            clauses=[clause_of("iso24745.irreversibility")],
            recommendation=(
                "Give out no scores: answer yes or no, and limit the number of tries. "
                "A score tells of the template whatever protects it, encryption included. "
                + self._decisions()
            ),
        )

    def _linked(self) -> Iterator[Finding]:
        found = []
        for key, rows in self.settings.items():
            if not is_keyed(rows):
                continue
            for row in plain_rows(rows):
                found += [
                    (self.labels[key], linkage)
                    for linkage in row.linkage
                    if linked(linkage) == "above"
                ]
        if not found:
            return
        blind = [label for label, linkage in found if linkage.knowledge not in KEY_KNOWN]
        said = (
            f"without any key, of {listed(list(dict.fromkeys(blind)))}"
            if blind
            else "by whoever has the keys, of "
            + listed(list(dict.fromkeys(label for label, _ in found)))
        )
        yield Finding(
            id="protection.linkable",
            severity="medium" if blind else "low",
            title=f"{self.backbone}: templates under different keys are told to be of one person "
            f"{said}",
            evidence={
                f"{label}, D_sys by {linkage.linker}": linkage.d_sys for label, linkage in found
            },
            clauses=[clause_of("iso24745.unlinkability")],
            recommendation=(
                "Do not take different keys for a protection against comparing stores."
                if blind
                else "Different keys keep stores apart only for whoever lacks them: keep each "
                "store's keys away from its templates and from other stores' keys. Where both keys "
                "leaked, treat the stores as joined."
            ),
        )

    def _untrained(self) -> Iterator[Finding]:
        """A scheme that looks safe to an attacker who was not trained anew."""
        found: dict[str, Estimate] = {}
        for key, rows in self.settings.items():
            if is_keyed(rows):
                continue
            told = on_templates(rows)
            naive = strongest([r for r in told if knowledge_of(r) == "nothing"], self.fmr)
            best = strongest([r for r in told if knowledge_of(r) != "nothing"], self.fmr)
            if naive is None or best is None:
                continue
            if upper(naive.value) < lower(best.value):
                label = self.labels[key]
                found[f"{label}, attack not trained anew"] = naive.value
                found[f"{label}, attack trained on it"] = best.value
        if found:
            yield Finding(
                id="protection.untrained",
                severity="medium",
                title=f"{self.backbone}: a scheme without a key looks safer than it is to an "
                "attack that was not trained on it",
                evidence=found,
                clauses=[clause_of("iso30136.attack")],
                recommendation="Judge a protection only by attacks that were made for it.",
            )

    def _revoked(self) -> Iterator[Finding]:
        found: dict[str, Estimate] = {}
        for key, rows in self.settings.items():
            best = strongest(with_keys(rows), self.fmr, ("revoked_type1",))
            if best is not None and lower(best.value) >= HIGH:
                found[f"{self.labels[key]}, against the new key {self.at_fmr}"] = best.value
        if found:
            yield Finding(
                id="protection.revoked",
                severity="high",
                title=f"{self.backbone}: after a leak of templates with their keys a new key does "
                f"not shut out the rebuilt faces, under {len(found)} schemes",
                evidence=found,
                clauses=[clause_of("iso24745.renewability")],
                recommendation=(
                    "Where the key leaked with the template a new key is not enough: a face cannot "
                    "be changed. Ask for a second factor."
                ),
            )

    def _decisions(self) -> str:
        """What the yes or no of a matcher gives away, where it was tried."""
        rows = [row for some in self.settings.values() for row in some]
        best = self.of_leak(rows, "decision")
        if best is None:
            return "What a yes or no gives away was not tried in this run."
        return f"A yes or no gave away up to {main(best.value, 'rate')}."
