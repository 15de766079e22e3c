from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports import factory


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with results.json and its pictures."""
    return factory.write_run(tmp_path / "run", factory.results(**factory.extensions()))
