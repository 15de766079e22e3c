"""What a protection run tells: which scheme would have helped, at which price."""

from __future__ import annotations

from collections.abc import Sequence

from audit.protect.settings import ProtectSettings
from reports.results import Finding, ProtectionResult


def protection_findings(
    rows: Sequence[ProtectionResult], sizes: ProtectSettings
) -> list[Finding]:
    """Placeholder until the rules below exist."""
    return []
