"""What a protection run tells: which scheme would have helped, and at which price.

The rule: a scheme holds where the upper bound of the strongest attack that was tried on it lies
below the gate, for Type-I and Type-II and every judge, and the recognition that it costs is below
the limit. Of those that hold the cheapest is recommended: the one that costs the least recognition,
of equal ones the one whose templates are smaller. Nothing is recommended for want of an attack.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from audit.findings_doubts import lower
from audit.protect.settings import ProtectSettings
from reports.compliance import clause_of
from reports.protection_select import (
    KEY_KNOWN,
    SAR,
    Setting,
    Strongest,
    at,
    attacked,
    backbones_of,
    by_setting,
    is_keyed,
    knowledge_of,
    labels_of,
    linked,
    of_backbone,
    on_templates,
    plain_rows,
    protection_fmr,
    strongest,
    upper,
)
from reports.results import (
    SEVERITY_ORDER,
    Estimate,
    Finding,
    Measured,
    ProtectionResult,
    Severity,
)
from reports.words import fmr_label, interval, listed, main

HIGH = 0.2
"""Lower limit of a rate from which a finding is a grave one: every fifth person."""

OPEN, CLOSED = "all keys leaked too", "keys kept secret"


class Candidate(NamedTuple):
    """A scheme, the strongest attack on it, and what it costs in recognition."""

    setting: Setting
    label: str
    attack: Strongest
    loss: Measured
    bits: int

    def holds(self, gate: float, most: float) -> bool:
        """Whether the bounds of both lie within the limits."""
        return upper(self.attack.value) < gate and self.loss.value > -most

    def beyond(self, gate: float) -> tuple[float, float]:
        """How far it is from holding: first what attackers get beyond the gate, then its loss."""
        return (max(upper(self.attack.value) - gate, 0.0), -self.loss.value)

    @property
    def cost(self) -> tuple[float, int]:
        """What is compared to find the cheapest: recognition first, then size."""
        return (-round(self.loss.value, 3), self.bits)


def protection_findings(rows: Sequence[ProtectionResult], sizes: ProtectSettings) -> list[Finding]:
    """All findings of a protection run, the worst first; the recommendation first of all."""
    fmr = protection_fmr(rows)
    if fmr is None:
        return []
    found = [
        finding
        for backbone in backbones_of(rows)
        for finding in _Told(of_backbone(rows, backbone), backbone, fmr, sizes).all()
    ]
    return sorted(found, key=lambda f: SEVERITY_ORDER.index(f.severity))


class _Told:
    def __init__(
        self, rows: list[ProtectionResult], backbone: str, fmr: str, sizes: ProtectSettings
    ) -> None:
        self.rows, self.backbone, self.fmr, self.sizes = rows, backbone, fmr, sizes
        self.settings = {k: some for k, some in by_setting(rows).items() if k.protects}
        self.labels = labels_of(rows)
        self.at_fmr = f"at FMR {fmr_label(fmr)}"

    def all(self) -> Iterator[Finding]:
        """What is told of one backbone's templates."""
        yield from self._recommended(secret=False)
        yield from self._recommended(secret=True)
        yield from self._scores()
        yield from self._linked()
        yield from self._untrained()
        yield from self._revoked()

    def _candidates(self, *, secret: bool) -> list[Candidate]:
        found = []
        for setting, rows in self.settings.items():
            told = on_templates(rows)
            if is_keyed(rows):
                told = [row for row in told if (knowledge_of(row) in KEY_KNOWN) != secret]
            elif secret:
                continue
            attack = strongest(told, self.fmr, SAR)
            scheme = next(iter(plain_rows(rows)), None)
            loss = None if scheme is None else at(scheme.tmr_difference, self.fmr)
            if attack is None or scheme is None or not isinstance(loss, Measured):
                continue
            label = self.labels[setting]
            found.append(Candidate(setting, label, attack, loss, scheme.stored_bits))
        return found

    def _recommended(self, *, secret: bool) -> Iterator[Finding]:
        found = self._candidates(secret=secret)
        if not found:
            return
        where = CLOSED if secret else OPEN
        good = [one for one in found if one.holds(self.sizes.gate, self.sizes.max_loss)]
        name = "secret-keys" if secret else "recommendation"
        clauses = [clause_of("iso24745.irreversibility"), clause_of("gdpr.by-design")]
        if not good:
            best = min(found, key=lambda one: one.beyond(self.sizes.gate))
            severity: Severity = "medium" if secret else "high"
            yield Finding(
                id=f"protection.{name}",
                severity=severity,
                title=f"{self.backbone}, {where}: none of {len(found)} schemes holds; nearest is "
                f"{self._words(best)}",
                evidence=self._evidence([best]),
                clauses=clauses,
                recommendation=(
                    "Do not count on a protection of templates alone: keep keys and templates "
                    "apart, encrypt the store, and keep as few templates as the task needs."
                ),
            )
            return
        best = min(good, key=lambda one: one.cost)
        others = [one.label for one in good if one is not best]
        more = f"; {listed(others)} would hold too" if others else ""
        yield Finding(
            id=f"protection.{name}",
            severity="info",
            title=f"{self.backbone}, {where}: cheapest scheme that holds is {self._words(best)}"
            f"{more}",
            evidence=self._evidence([best]),
            clauses=clauses,
            recommendation=f"Store templates of {self.backbone} under {best.label}"
            + (
                ", with a key of its own for every person, kept apart from the templates. It "
                "holds only as long as the keys do."
                if secret
                else "."
            ),
        )

    def _words(self, one: Candidate) -> str:
        sar, loss = one.attack.value, one.loss
        return (
            f"{one.label}: {main(sar, 'rate')} accepted ({interval(sar, 'rate')}) {self.at_fmr}, "
            f"recognition {main(loss, 'margin')} ({interval(loss, 'margin')})"
        )

    def _evidence(self, some: Sequence[Candidate]) -> dict[str, Estimate]:
        told: dict[str, Estimate] = {}
        for one in some:
            row = one.attack.row
            what = "Type-I" if one.attack.rate == "type1" else "Type-II"
            told[f"{one.label}, {what} by {_judge(row)} {self.at_fmr}"] = one.attack.value
            told[f"{one.label}, change of recognition"] = one.loss
        return told

    def _scores(self) -> Iterator[Finding]:
        """Scores alone give templates away."""
        found = [
            (self.labels[key], best)
            for key, rows in self.settings.items()
            if (best := self._best(rows, "score")) is not None and lower(best.value) >= HIGH
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
                "Never give out scores: answer yes or no, and limit the number of tries. "
                "A score tells of the template whatever protects it, encryption included."
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
                "Keep keys apart from templates, and do not take different keys for a protection "
                "against comparing stores."
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
                title=f"{self.backbone}: a reduction looks safer than it is to an attack that was "
                "not trained on it",
                evidence=found,
                clauses=[clause_of("iso30136.attack")],
                recommendation="Judge a protection by attacks that were trained on it alone.",
            )

    def _revoked(self) -> Iterator[Finding]:
        found: dict[str, Estimate] = {}
        for key, rows in self.settings.items():
            best = strongest(on_templates(rows), self.fmr, ("revoked_type1",))
            if best is not None and lower(best.value) >= HIGH:
                found[f"{self.labels[key]}, against the new key {self.at_fmr}"] = best.value
        if found:
            yield Finding(
                id="protection.revoked",
                severity="high",
                title=f"{self.backbone}: a new key does not shut out what was rebuilt from the old "
                f"template, under {len(found)} schemes",
                evidence=found,
                clauses=[clause_of("iso24745.renewability")],
                recommendation=(
                    "After a leak of templates with their keys a new key is not enough: a face "
                    "cannot be changed. Ask for a second factor."
                ),
            )

    def _best(self, rows: Sequence[ProtectionResult], leak: str) -> Strongest | None:
        return strongest([row for row in attacked(rows) if row.leak == leak], self.fmr)


def _judge(row: ProtectionResult) -> str:
    return f"{row.judge} as protected" if row.judged == "protected" else row.judge
