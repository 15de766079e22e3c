"""One way of attacking what leaked of a protected system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from attacks.base import InversionAttack
from audit.protect.system import System
from biometrics.protection.base import Vectors
from reports.results import Knowledge, Leak


@dataclass(frozen=True)
class Plan:
    """One way of attacking what leaked.

    Attributes:
        system: whose protected templates leaked.
        attack: the configured decoder.
        knowledge: what the attacker knows.
        method: what it does, in words.
        slug: names the plan among those of the system.
        vectors: what the decoder gets [N, ...]; None where there is nothing to try, ``why`` says.
        recovered: templates that were got back [N, D], where they were.
        fitted: gives the decoder where it is not the one of plain templates.
        leak: what leaked.
        records: protected templates of a person that leaked together.
        queries: comparisons that were asked for, of each template.
        why: why there is nothing to try.
        note: what a reader must know.
    """

    system: System
    attack: str
    knowledge: Knowledge
    method: str
    slug: str
    vectors: Vectors | None
    recovered: Vectors | None = None
    fitted: Callable[[], InversionAttack] | None = None
    leak: Leak = "template"
    records: int = 1
    queries: int = 0
    why: str = ""
    note: str = ""
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def key_known(self) -> bool:
        """Whether the attacker has all that a person's template was protected with."""
        scheme = self.system.scheme
        nothing_secret = not scheme.keyed and scheme.family != "encryption"
        return nothing_secret or self.knowledge in ("one-key", "key", "all-keys")
