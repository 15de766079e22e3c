from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit import sampled_faces
from audit.sampled_faces import sampled_crops, sampled_templates
from audit.watch import Watch
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed


@pytest.mark.parametrize(("name", "count"), [("dlib", 10_000), ("faceleak-mini", 2_000)])
def test_what_ships_is_what_the_backbone_makes_of_the_sampled_people(
    name: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(tmp_path / "cache"))
    backbone = load_backbone(name)
    found = sampled_templates(backbone, {}, Watch.quiet(), count)
    assert found.shape == (count, backbone.spec.dim)
    assert not (tmp_path / "cache").exists()  # nothing had to be made
    assert len(np.unique(found, axis=0)) == count
    made = embed(backbone, sampled_crops(8))
    np.testing.assert_allclose(found[:8], made, atol=2e-3 * np.abs(made).max())


def test_others_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(tmp_path / "cache"))
    backbone = load_backbone("lbp")
    first = sampled_templates(backbone, {}, Watch.quiet(), 5)
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(sampled_faces, "embed", None)
    np.testing.assert_array_equal(sampled_templates(backbone, {}, Watch.quiet(), 5), first)
    made = embed(backbone, sampled_crops(5))
    np.testing.assert_allclose(first, made, atol=2e-3 * np.abs(made).max())


def test_a_damaged_file_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(tmp_path / "cache"))
    backbone = load_backbone("lbp")
    first = sampled_templates(backbone, {}, Watch.quiet(), 3)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    np.testing.assert_array_equal(sampled_templates(backbone, {}, Watch.quiet(), 3), first)
