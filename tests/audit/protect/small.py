"""A very small protection run of generated people, shared by the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audit.protect.config import ProtectConfig
from audit.protect.run import run_protect
from audit.watch import Watch
from reports.results import ProtectionResult, Results, load_results
from tests.audit.stress.small import CONFIG, PICTURES, SUBJECTS, TARGET, begun

__all__ = ["CONFIG", "PICTURES", "SUBJECTS", "TARGET", "rows_of", "run_small", "small_config"]

SIZES: dict[str, Any] = {"keys": 4, "records": [2], "sample": 10, "queries": 40, "shown": 1}


def small_config(schemes: Sequence[Any], sizes: dict[str, Any], **changes: Any) -> ProtectConfig:
    """The configuration; ``sizes`` go into ``protect``, ``changes`` are other keys."""
    protect = {**SIZES, "schemes": list(schemes), **sizes}
    return ProtectConfig.model_validate({**CONFIG, **changes, "protect": protect})


def run_small(
    folder: Path, schemes: Sequence[Any], sizes: dict[str, Any] | None = None, **changes: Any
) -> Results:
    """Run it and read the results; a second run in the same folder uses what is done there."""
    config = small_config(schemes, sizes or {}, **changes)
    with begun(folder, "protect"):
        return load_results(run_protect(config, folder, Watch(None)))


def rows_of(results: Results, scheme: str, **fields: Any) -> list[ProtectionResult]:
    """The rows of one scheme whose ``fields`` have these values."""
    return [
        row
        for row in results.protections
        if row.scheme == scheme
        and all(getattr(row, name) == value for name, value in fields.items())
    ]
