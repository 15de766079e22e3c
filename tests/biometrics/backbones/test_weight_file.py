from __future__ import annotations

from pathlib import Path

import pytest

from biometrics.backbones import weight_file
from biometrics.backbones.weight_file import read_weight_file
from biometrics.errors import WeightsError


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"abc")  # the example of FIPS 180-2, appendix B.1
    data, sha256 = read_weight_file(path)
    assert data == b"abc"
    assert sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"abcd")
    monkeypatch.setattr(weight_file, "MAX_BYTES", 3)
    with pytest.raises(WeightsError, match=r"disk\.img has 4 bytes, at most 3"):
        read_weight_file(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.dat cannot be read: No such file"):
        read_weight_file(tmp_path / "absent.dat")
