"""Which scheme would have helped, and at which price.

The rule: a scheme holds where the upper bound of the strongest attack on leaked templates that was
tried on it keeps to the gate, for Type-I and Type-II and every judge, and the recognition that it
costs, by the measured value, to the limit. Of those that hold the cheapest is recommended:
the one that costs the least recognition, of equal ones the one whose templates are smaller. Nothing
is recommended for want of an attack, and what scores give away is said beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from audit.protect.settings import ProtectSettings
from reports.compliance import clause_of
from reports.protection_select import (
    KEY_KNOWN,
    SAR,
    Setting,
    Strongest,
    at,
    attacked,
    by_setting,
    is_encrypted,
    is_keyed,
    knowledge_of,
    labels_of,
    on_templates,
    plain_rows,
    strongest,
    upper,
)
from reports.results import Estimate, Finding, Measured, ProtectionResult, Severity
from reports.stress_select import distinct
from reports.words import count, fmr_label, interval, listed, main, percent

OPEN, CLOSED = "templates and keys leaked", "templates leaked, keys secret"


class Candidate(NamedTuple):
    """A scheme, the strongest attack on it, and what it costs in recognition."""

    setting: Setting
    label: str
    attack: Strongest
    loss: Measured
    bits: int

    def holds(self, gate: float, most: float) -> bool:
        """Whether the bound of the attack and the measured loss lie within the limits."""
        return upper(self.attack.value) <= gate and self.loss.value >= -most

    def beyond(self, gate: float) -> tuple[float, float]:
        """How far it is from holding: first what attackers get beyond the gate, then its loss."""
        return (max(upper(self.attack.value) - gate, 0.0), -self.loss.value)

    @property
    def cost(self) -> tuple[float, int]:
        """What is compared to find the cheapest: recognition first, then size."""
        return (-round(self.loss.value, 3), self.bits)


class BackboneRows:
    """All rows of one backbone's templates, by scheme.

    Args:
        rows: of this backbone.
        backbone: its name.
        fmr: the rate that is told of.
        sizes: the run's limits.
    """

    def __init__(
        self, rows: list[ProtectionResult], backbone: str, fmr: str, sizes: ProtectSettings
    ) -> None:
        self.rows, self.backbone, self.fmr, self.sizes = rows, backbone, fmr, sizes
        self.settings = {k: some for k, some in by_setting(rows).items() if k.protects}
        self.labels = labels_of(rows)
        self.at_fmr = f"at FMR {fmr_label(fmr)}"

    def of_leak(
        self, rows: Sequence[ProtectionResult], leak: str, rates: Sequence[str] = ("type1",)
    ) -> Strongest | None:
        """The strongest attack for which this leaked."""
        return strongest([row for row in attacked(rows) if row.leak == leak], self.fmr, rates)


class Recommendations(BackboneRows):
    """Which scheme to take: with the keys leaked, and with them kept."""

    def all(self) -> Iterator[Finding]:
        """One for each, where anything was attacked."""
        yield from self._recommended(secret=False)
        yield from self._recommended(secret=True)

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
                    + self._encryption(secret=secret)
                ),
            )
            return
        best = min(good, key=lambda one: one.cost)
        kept_apart = ", with keys kept apart from them: it holds as long as they do" * secret
        others = [one.label for one in good if one is not best]
        more = f"; {listed(others)} would hold too" if others else ""
        yield Finding(
            id=f"protection.{name}",
            severity="info",
            title=f"{self.backbone}, {where}: cheapest scheme that holds is {self._words(best)}"
            f"{more}",
            evidence=self._evidence([best]),
            clauses=clauses,
            recommendation=" ".join(
                [
                    f"Store templates of {self.backbone} under {best.label}{kept_apart}.",
                    self._from_scores(best.setting),
                    *([self._tried_without_keys(best.setting)] if secret else []),
                ]
            ),
        )

    def _from_scores(self, setting: Setting) -> str:
        """What scores alone give away of templates under a scheme that holds."""
        best = self.of_leak(self.settings[setting], "score", SAR)
        if best is None:
            return "What its scores give away was not tried."
        if upper(best.value) < self.sizes.gate:
            return f"Its scores alone gave away at most {percent(upper(best.value))}."
        return (
            f"Give out no scores: from them alone, without template or key, "
            f"{main(best.value, 'rate')} of rebuilt faces were accepted."
        )

    def _tried_without_keys(self, setting: Setting) -> str:
        """On what the claim rests that the secrecy of the keys is enough."""
        rows = on_templates(self.settings[setting])
        told = distinct(row.attack for row in rows if knowledge_of(row) not in KEY_KNOWN)
        keys = max((row.keys for row in rows), default=0)
        return (
            f"This rests on {listed(told)} without the keys, and on {count(keys)} keys for all "
            "people; an attacker who has templates both plain and protected under a key in use was "
            "not tried."
        )

    def _encryption(self, *, secret: bool) -> str:
        """Encrypted templates are no candidates: without the key there is nothing to attack."""
        found = [
            self.labels[key]
            for key, rows in self.settings.items()
            if is_encrypted(rows) and plain_rows(rows)
        ]
        if not found or not secret:
            return ""
        return (
            f" Encryption ({listed(found)}) is not ranked: no attack of this tool applies to a "
            "ciphertext without its key. What its scores give away is measured."
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


def _judge(row: ProtectionResult) -> str:
    return f"{row.judge} as protected" if row.judged == "protected" else row.judge
