"""What an attacker does with what leaked of a protected system, by what it knows.

Every plan ends in vectors that a decoder turns into faces. Where a decoder can be trained on
protected templates it is trained anew; where templates can be got back first, the decoder of plain
templates follows. No plan looks at the leaked people to choose anything: which pre-image attack is
the strongest is tried on the attacker's own people under keys of the attacker's own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from attacks.base import attack_class
from audit.protect.decoders import ByKey, learnt, own_keys, with_keys
from audit.protect.got_back import got_back, kept, record_of, slug_of, strongest
from audit.protect.listeners import from_decisions, from_scores
from audit.protect.plan import Plan
from audit.protect.system import System
from biometrics.protection.base import Keys, Vectors
from reports.results import UNPROTECTED, Knowledge


def plans(system: System, one: System | None, attack: str) -> Iterator[Plan]:
    """Everything that is tried on a system with one decoder; ``one`` is the same scheme with one
    key for all, where that is tried too."""
    attacker = _Attacker(system, one, attack)
    leaks = system.bench.sizes.leaks
    if "template" in leaks:
        yield from attacker.with_templates()
    if "score" in leaks:
        yield attacker.with_scores()
    if "decision" in leaks:
        yield attacker.with_decisions()


class _Attacker:
    def __init__(self, system: System, one: System | None, attack: str) -> None:
        self.system, self.one, self.attack = system, one, attack
        self.bench, self.scheme = system.bench, system.scheme
        self.knows = self.bench.sizes.knowledge
        self.closed_form = attack_class(attack).closed_form

    def with_templates(self) -> Iterator[Plan]:
        """Protected templates leaked."""
        if self.system.choice.name == UNPROTECTED:
            yield self._plain()
        elif self.scheme.family == "encryption":
            yield from self._encrypted()
        elif not self.scheme.keyed:
            yield from self._open()
        else:
            yield from self._keyed()

    def _plain(self) -> Plan:
        vectors = self.system.stored.templates
        method = "decoder of plain templates"
        return self._plan("scheme", method, "plain", vectors, recovered=vectors)

    def _encrypted(self) -> Iterator[Plan]:
        if "scheme" in self.knows:
            yield self._plan(
                "scheme",
                "none known",
                "ciphertext",
                None,
                why="a ciphertext without its key: no attack of this tool applies",
            )
        if "key" in self.knows:
            yield self._pre_image("key", 1)

    def _open(self) -> Iterator[Plan]:
        """Nothing is secret."""
        if "nothing" in self.knows:
            yield self._as_plain()
        yield self._retrained("scheme", 0)
        yield self._pre_image("scheme", 1)

    def _keyed(self) -> Iterator[Plan]:
        if "nothing" in self.knows:
            yield self._as_plain()
        if "scheme" in self.knows:
            keys = own_keys(self.system, len(self.bench.pairs.templates), "own keys")
            yield self._retrained("scheme", keys)
        if "one-key" in self.knows and self.one is not None:
            yield self._one_key(self.one)
        if "key" in self.knows:
            if self.closed_form:
                yield self._by_key()
            yield self._pre_image("key", 1)
        if "all-keys" in self.knows:
            for records in self.bench.sizes.records:
                yield self._pre_image("all-keys", records)

    def _as_plain(self) -> Plan:
        vectors = self.system.stored.templates
        plan = functools.partial(
            self._plan, "nothing", "decoder of plain templates, not trained anew", "as-plain"
        )
        if vectors.shape[1] != self.scheme.dim:
            return plan(None, why="a protected template has another length than a plain one")
        return plan(vectors, note="an attacker who knows more trains anew: see the other rows")

    def _retrained(self, knowledge: Knowledge, keys: Keys | int) -> Plan:
        method = (
            "decoder trained on templates under keys of the attacker's own"
            if self.scheme.keyed
            else "decoder trained on protected templates"
        )
        return self._plan(
            knowledge,
            method,
            "retrained",
            self.system.stored.templates,
            fitted=lambda: learnt(self.system, self.attack, keys),
            record={"trained": "own keys" if self.scheme.keyed else "protected"},
        )

    def _one_key(self, one: System) -> Plan:
        return Plan(
            system=one,
            attack=self.attack,
            knowledge="one-key",
            method="decoder trained on templates under the key of all",
            slug=slug_of(self.system, "one-key"),
            vectors=one.stored.templates,
            fitted=lambda: learnt(one, self.attack, 0),
            record=record_of(self.system, {"trained": "one key"}),
            note="one key for all: the interval is over people alone",
        )

    def _by_key(self) -> Plan:
        keys = self.system.keys(self.bench.rows)
        return self._plan(
            "key",
            "decoder trained for each key",
            "by-key",
            with_keys(self.system.stored.templates, keys),
            fitted=lambda: ByKey(self.system, self.attack),
            record={"trained": "each key"},
        )

    def _pre_image(self, knowledge: Knowledge, records: int) -> Plan:
        slug = f"pre-image-{records}"
        choice = strongest(self.system, records)
        plan = functools.partial(self._plan, knowledge, slug=slug, records=records)
        if choice is None:
            return plan("none known", vectors=None, why="no pre-image attack on it is known here")
        vectors = got_back(self.system, choice, records)
        return plan(
            f"{choice.method} ({choice.name}), then the decoder of plain templates",
            vectors=vectors,
            recovered=vectors,
            note=_said(choice.tried),
        )

    def with_scores(self) -> Plan:
        """A matcher told how alike each template and the attacker's own faces are."""
        known = len(self.bench.known)
        vectors = kept(self.system, "scores", {"queries": known}, lambda: from_scores(self.system))
        return self._plan(
            "scheme",
            "templates from scores, then the decoder of plain templates",
            "scores",
            vectors,
            recovered=vectors,
            leak="score",
            queries=known,
        )

    def with_decisions(self) -> Plan:
        """A matcher told which of the attacker's own faces it takes for the person."""
        known = len(self.bench.known)
        cut = next((cut for cut in self.system.cuts[::-1] if cut.value is not None), None)
        plan = functools.partial(self._plan, "scheme", leak="decision", queries=known)
        if cut is None or cut.value is None:
            why = self.system.cuts[0].why
            return plan("none", "decisions", None, why=f"no decision without a threshold: {why}")
        threshold = cut.value
        vectors = kept(
            self.system,
            "decisions",
            {"queries": known, "threshold": threshold},
            lambda: from_decisions(self.system, threshold),
        )
        return plan(
            "templates from decisions, then the decoder of plain templates",
            "decisions",
            vectors,
            recovered=vectors,
            note=f"decisions at FMR {cut.label}",
        )

    def _plan(
        self,
        knowledge: Knowledge,
        method: str,
        slug: str,
        vectors: Vectors | None,
        *,
        record: dict[str, Any] | None = None,
        **facts: Any,
    ) -> Plan:
        return Plan(
            system=self.system,
            attack=self.attack,
            knowledge=knowledge,
            method=method,
            slug=slug_of(self.system, slug),
            vectors=vectors,
            record=record_of(self.system, record) if record else {},
            **facts,
        )


def _said(tried: dict[str, float]) -> str:
    """Which pre-image attacks were tried, and how each did."""
    if len(tried) < 2:
        return ""
    each = ", ".join(f"{name} {tried[name]:.2f}" for name in sorted(tried))
    return f"the strongest on the attacker's own people, by cosine: {each}"
