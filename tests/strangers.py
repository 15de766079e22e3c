"""Packages of strangers that announce plug-ins, as if they were installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from biometrics.registry import Registry


def install(
    monkeypatch: pytest.MonkeyPatch, folder: Path, registry: Registry[Any], source: str
) -> None:
    """A package of one module, ``theirs``, in a folder; the registry looks for plug-ins anew."""
    registry.names()  # what ships registers itself once
    (folder / "theirs.py").write_text(source)
    info = folder / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.group}]\nmine = theirs\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.setattr(registry, "_loaded", False)
    monkeypatch.setitem(sys.modules, "theirs", None)  # so that it is taken out at the end
    del sys.modules["theirs"]
