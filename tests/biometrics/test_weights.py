"""Known weight files: their records, and how they are found and checked."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from biometrics import weights
from biometrics.weights import find_weight, known, missing_weight, read_weight, verify
from biometrics.weights_pull import pull
from tests.seeded_weights import WeightsFolder, weights_folder  # noqa: F401

NAME = "squeezenet1_1"
FILE = "squeezenet1_1-b8a52dc0.pth"
CONTENT = bytes(range(256)) * 9000


def test_a_prefix_of_the_hash_is_enough_where_no_more_is_published() -> None:
    record = known(NAME)
    prefix = weights.KnownWeights(**{**vars(record), "sha256": record.published})
    assert prefix.matches(record.sha256)
    assert not prefix.matches("0" + record.sha256[1:])
    assert not weights.KnownWeights(**{**vars(record), "sha256": ""}).matches(record.sha256)


def test_records_are_complete() -> None:
    assert len({r.name for r in weights.KNOWN}) == len({r.file for r in weights.KNOWN}) == 8
    assert [r.name for r in weights.KNOWN if not r.sha256] == ["facenet-casia", "vggface"]
    for record in weights.KNOWN:
        assert re.fullmatch(r"[0-9a-f]{64}|", record.sha256)
        assert record.sha256.startswith(record.published)
        assert not record.published or f"-{record.published}." in record.file
        assert record.url == record.url.rpartition("/")[0] + "/" + record.file
        assert record.url.startswith("https://")
        assert record.licence


def test_the_folder_is_in_the_home_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(weights.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", "/somewhere")
    assert weights.weights_folder() == Path("/somewhere/.cache/faceleak/weights")
    monkeypatch.setenv(weights.FOLDER_VARIABLE, "~/w")
    assert weights.weights_folder() == Path("/somewhere/w")


# --- files that were put there under another name


@pytest.fixture
def by_hand(weights_folder: WeightsFolder) -> Path:  # noqa: F811
    """The right content under a name of the user's own."""
    weights_folder.pin(NAME, CONTENT, size=len(CONTENT))
    weights_folder.path.mkdir()
    path = weights_folder.path / "squeeze (1).pth"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_known_by_its_content_whatever_its_name(by_hand: Path) -> None:
    assert find_weight(NAME) == by_hand
    assert missing_weight(NAME) is None
    assert verify(NAME) == "ready"
    assert read_weight(NAME).data == CONTENT
    assert pull(NAME, url="http://127.0.0.1:1/nothing-listens-here") == by_hand


def test_another_content_of_the_same_size_is_not(by_hand: Path) -> None:
    by_hand.write_bytes(bytes(len(CONTENT)))
    assert verify(NAME) == "missing"


def test_the_publishers_name_comes_first(by_hand: Path) -> None:
    own = by_hand.with_name(FILE)
    own.write_bytes(b"damaged")
    assert find_weight(NAME) == own
    assert verify(NAME) == "damaged"


def test_only_files_of_the_right_size_are_hashed_and_each_once(
    by_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand.with_name("other").write_bytes(b"short")
    by_hand.with_name(".hidden").write_bytes(CONTENT)
    by_hand.with_name("folder").mkdir()
    hashed: list[str] = []
    true = hashlib.file_digest

    def counted(file: Any, name: str) -> Any:
        hashed.append(Path(file.name).name)
        return true(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    assert find_weight(NAME) == find_weight(NAME) == by_hand
    assert hashed == [by_hand.name]
    os.utime(by_hand, ns=(1, 1))
    assert find_weight(NAME) == by_hand
    assert hashed == [by_hand.name] * 2
