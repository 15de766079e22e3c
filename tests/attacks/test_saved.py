"""What a fitted attack leaves in its folder, and the appearance model that it may share."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from attacks import saved
from attacks.base import Resources
from biometrics.errors import WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.shipped import shipped_model_path

SIDE = 8


def small_model(seed: int = 0) -> AppearanceModel:
    """One shape and two texture components of noise."""
    rng = np.random.default_rng(seed)

    def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.random(shape, dtype=np.float32)

    return AppearanceModel(
        mean_shape=224 * noise(68, 2),
        shape_basis=noise(1, 136),
        mean_texture=noise(3, SIDE, SIDE),
        texture_basis=noise(2, 3, SIDE, SIDE),
        pixel_weights=np.ones((3, SIDE, SIDE), np.float32),
        between=np.eye(3, dtype=np.float32),
        within=np.eye(3, dtype=np.float32),
        explained=0.5,
    )


def same(left: AppearanceModel, right: AppearanceModel) -> bool:
    pairs = [
        (getattr(left, field.name), getattr(right, field.name))
        for field in dataclasses.fields(AppearanceModel)
    ]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with an attack's own appearance model."""
    saved.save_appearance(Resources(appearance=small_model(1)), tmp_path)
    return tmp_path


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model in the place of the one that ships."""
    path = tmp_path / "ships" / "appearance-lfw.safetensors"
    path.parent.mkdir()
    small_model(2).save(path)
    monkeypatch.setattr(saved, "shipped_model_path", lambda: path)
    return path


def test_the_appearance_model_beside_an_attack_replaces_the_given_one(own: Path) -> None:
    given = Resources(appearance=small_model(5), seed=8, similarity="cosine")
    found = saved.with_appearance(given, own)
    assert same(found.appearance, small_model(1))
    assert not same(found.appearance, given.appearance)
    assert (found.seed, found.similarity) == (8, "cosine"), "the rest stays"


def test_an_attack_that_ships_keeps_the_hash_only(own: Path, shipped: Path) -> None:
    saved.share_appearance(own)
    assert not (own / saved.APPEARANCE).exists()
    digest = hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert (own / saved.SHARED_APPEARANCE).read_text() == f"{digest}\n"
    found = saved.with_appearance(Resources(appearance=small_model(5)), own)
    assert same(found.appearance, small_model(2))


def test_another_shipped_model_is_refused(own: Path, shipped: Path) -> None:
    saved.share_appearance(own)
    small_model(3).save(shipped)
    with pytest.raises(
        WeightsError, match=r"made for another version of appearance-lfw\.safetensors"
    ):
        saved.with_appearance(Resources(appearance=small_model(2)), own)


def test_the_note_holds_for_the_model_that_ships(own: Path) -> None:
    saved.share_appearance(own)
    found = saved.with_appearance(Resources(appearance=small_model(5)), own)
    assert same(found.appearance, AppearanceModel.load(shipped_model_path()))


@pytest.mark.parametrize("content", [None, b"", b"nothing"])
def test_an_absent_or_damaged_appearance_model_is_an_error(
    own: Path, content: bytes | None
) -> None:
    (own / saved.APPEARANCE).unlink()
    if content is not None:
        (own / saved.APPEARANCE).write_bytes(content)
    with pytest.raises(WeightsError, match=r"appearance\.safetensors"):
        saved.with_appearance(Resources(appearance=small_model(5)), own)


def test_arrays_are_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"mean": np.arange(3.0), "extra": np.ones(1)}, path)
    assert saved.read_arrays(path, ["mean"])["mean"].tolist() == [0, 1, 2]
    with pytest.raises(WeightsError, match="is not of this attack: it lacks scale, weights"):
        saved.read_arrays(path, ["weights", "mean", "scale"])
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(WeightsError, match="is not a readable attack"):
        saved.read_arrays(path, ["mean"])
