from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from biometrics.errors import OutputError
from biometrics.faces import landmark_cache
from biometrics.faces.detect import Detection
from biometrics.faces.landmark_cache import UNKNOWN, LandmarkCache, cache_folder, cache_path


def detection(seed: int = 0) -> Detection:
    points = np.random.default_rng(seed).random((68, 2), dtype=np.float32) * 300
    return Detection(points, 2)


def test_faces_and_their_absence_are_remembered_exactly() -> None:
    path = cache_path()
    with closing(LandmarkCache(path)) as cache:
        cache.remember("face", detection())
        cache.remember("none", None)
    with closing(LandmarkCache(path)) as cache:
        found = cache.recall("face")
        assert isinstance(found, Detection)
        np.testing.assert_array_equal(found.landmarks, detection().landmarks)
        assert found.landmarks.flags.writeable
        assert found.n_faces == 2
        assert cache.recall("none") is None
        assert cache.recall("other") is UNKNOWN


def test_the_latest_detection_counts() -> None:
    with closing(LandmarkCache(cache_path())) as cache:
        cache.remember("face", None)
        cache.remember("face", detection(1))
    with closing(LandmarkCache(cache_path())) as cache:
        found = cache.recall("face")
        assert isinstance(found, Detection)
        np.testing.assert_array_equal(found.landmarks, detection(1).landmarks)


def test_a_run_that_gathers_does_not_lock_out_another(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.05))
    with closing(LandmarkCache(cache_path())) as slow:
        slow.remember("a", None)
        with closing(LandmarkCache(cache_path())) as other:
            other.remember("b", None)
    with closing(LandmarkCache(cache_path())) as cache:
        assert cache.recall("a") is None
        assert cache.recall("b") is None


def test_an_interrupted_run_loses_at_most_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmark_cache, "BATCH", 3)
    with (
        closing(LandmarkCache(cache_path())) as running,
        closing(LandmarkCache(cache_path())) as seen,
    ):
        for key in "abcd":
            running.remember(key, None)
        assert [seen.recall(key) for key in "abc"] == [None] * 3
        assert seen.recall("d") is UNKNOWN


def test_a_damaged_cache_says_what_to_do() -> None:
    cache_path().write_bytes(b"this is no database" * 100)
    with pytest.raises(OutputError, match=r"landmarks-1\.sqlite cannot be used: .*delete it"):
        LandmarkCache(cache_path())


def test_a_full_disk_is_an_output_error() -> None:
    cache = LandmarkCache(cache_path())
    cache._db.execute("PRAGMA max_page_count = 3")
    for key in range(50):
        cache.remember(str(key), detection())
    with pytest.raises(OutputError, match=r"cannot be used: .*full"):
        cache.close()


def test_the_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache_path().parent == tmp_path / "landmark cache"
    monkeypatch.delenv("FACELEAK_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "faceleak"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "faceleak"
