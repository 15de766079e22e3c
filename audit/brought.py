"""What attacks bring along must not have been trained on the people who leaked here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attacks.base import Brought, attack_class, make_settings
from audit.people import People
from biometrics.errors import ConfigError


def brought_by(name: str, settings: Mapping[str, Any]) -> Brought | None:
    """What an attack with these settings brings along."""
    return attack_class(name).brought(make_settings(name, settings))


def check_brought(attacks: Iterable[tuple[str, Mapping[str, Any]]], people: People) -> None:
    """Refuse an audit whose leaked people somebody trained on before.

    Raises:
        ConfigError: naming the attack and how many people.
    """
    if people.generated:
        return
    leaked = set(people.faces.subject_ids[people.split.leaked].tolist())
    for name, settings in attacks:
        brought = brought_by(name, settings)
        known = leaked & brought.subjects if brought is not None else ()
        if known:
            raise ConfigError(
                f"attack '{name}' brings an attack that was trained on {len(known):,} of the "
                f"{len(leaked):,} leaked subjects (such as {min(known)}): its rate would say "
                "nothing; for LFW in one folder set seed: 7, or bring an attack of your own"
            )
