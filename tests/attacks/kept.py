"""A kept attack that was fitted on nothing, for tests of finding, training and inverting."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks import trained
from attacks.base import Resources
from attacks.inversion.linear import Linear, LinearSettings
from attacks.trained import RECORD
from tests.attacks.test_saved import small_model

DIM = 4


def linear(seed: int = 0) -> Linear:
    """An attack that was fitted on nothing: any linear map."""
    attack = Linear(LinearSettings(), Resources(appearance=small_model()))
    rng = np.random.default_rng(seed)
    attack.mean = rng.standard_normal(DIM).astype(np.float32)
    attack.weights = rng.standard_normal((DIM, 3)).astype(np.float32)
    return attack


@pytest.fixture
def kept_attack(tmp_path: Path) -> Path:
    """The folder of such an attack."""
    folder = tmp_path / "kept"
    folder.mkdir()
    linear().save(folder)
    record = {"attack": "linear", "settings": {}, "target": "dlib", "similarity": "l2", "dim": DIM}
    (folder / RECORD).write_text(json.dumps(record))
    return folder


@pytest.fixture
def small_appearance(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The model that ships is large; an attack that keeps its own never draws with it."""
    if "learnt" not in request.fixturenames:
        path = tmp_path / "ships.safetensors"
        small_model(7).save(path)
        monkeypatch.setattr(trained, "shipped_model_path", lambda: path)


def vectors(count: int = 3, seed: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
