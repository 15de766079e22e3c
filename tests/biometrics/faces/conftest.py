from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from biometrics.faces.faceset import FaceSet
from tests.biometrics.faces.drawn import model_faces, random_faces
from tests.one_thread import one_thread  # noqa: F401


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache."""
    folder = tmp_path / "landmark cache"
    monkeypatch.setenv("FACELEAK_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def drawn_faces() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Eight crops of people who do not exist, and their true landmarks."""
    return model_faces(8)


@pytest.fixture(scope="session")
def synthetic() -> FaceSet:
    """Sixty pictures of twenty subjects; not faces, but with landmarks like faces."""
    return random_faces(20, 3)


@pytest.fixture(scope="session")
def lfw() -> Path:
    """The folder of Labeled Faces in the Wild."""
    folder = os.environ.get("FACELEAK_LFW")
    if not folder:
        pytest.skip("FACELEAK_LFW is not set: no real faces")
    return Path(folder)
