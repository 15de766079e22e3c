"""Measures that belong to one scheme alone."""

from __future__ import annotations

from audit.protect.system import System
from reports.results import Estimate


def scheme_measures(system: System) -> dict[str, Estimate]:
    """By name; empty for most schemes."""
    return {}
