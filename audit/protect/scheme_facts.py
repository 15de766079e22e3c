"""What all rows of a scheme have: its name, its settings, and how it is called."""

from __future__ import annotations

from typing import Any

from audit.protect.system import System
from reports.results import UNPROTECTED


def scheme_facts(system: System) -> dict[str, Any]:
    """What all rows of a scheme have."""
    settings = system.scheme.settings.model_dump(mode="json", exclude_none=True)
    return {
        "scheme": system.choice.name,
        "parameters": settings,
        "label": label_of(system),
        "family": system.scheme.family,
        "keyed": system.scheme.keyed,
        "keys": system.n_keys if system.scheme.keyed else 0,
    }


def label_of(system: System) -> str:
    """The scheme's name with what was set by hand."""
    name, given = system.choice
    if name == UNPROTECTED:
        return "no protection"
    told = ", ".join(f"{key} {value}" for key, value in given.items())
    name = name.partition(":")[0]
    return f"{name} ({told})" if told else name
