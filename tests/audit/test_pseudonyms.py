"""Names that say nothing to whoever lacks the salt."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from audit.pseudonyms import pseudonym, pseudonym_salt, salt_file
from biometrics.errors import InputError, OutputError

SALT = b"a salt for tests only"


def test_a_pseudonym_depends_on_the_salt() -> None:
    assert pseudonym("a", SALT, "S") == pseudonym("a", SALT, "S")
    assert len({pseudonym(n, s, "S") for n in "ab" for s in (SALT, SALT[::-1])}) == 4
    assert pseudonym("a", SALT, "S")[2:] == pseudonym("a", SALT, "T")[2:]


@pytest.fixture
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FACELEAK_SALT", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.usefixtures("_home")
def test_the_salt_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    salt = pseudonym_salt()
    path = tmp_path / ".config" / "faceleak" / "salt"
    assert (len(salt), path.read_bytes(), pseudonym_salt()) == (32, salt, salt)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["salt"]


@pytest.mark.usefixtures("_home")
def test_a_salt_can_be_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours").write_bytes(SALT)
    monkeypatch.setenv("FACELEAK_SALT", str(tmp_path / "ours"))
    assert pseudonym_salt() == SALT
    assert not (tmp_path / ".config").exists()


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_salt_of_another_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (tmp_path / "ours").write_bytes(bytes(size))
    monkeypatch.setenv("FACELEAK_SALT", str(tmp_path / "ours"))
    with pytest.raises(InputError, match=f"must hold 16 to 64 bytes of salt, got {size}"):
        pseudonym_salt()


@pytest.mark.usefixtures("_home")
def test_a_salt_file_that_is_named_comes_first_and_only_within_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours").write_bytes(SALT)
    (tmp_path / "theirs").write_bytes(SALT[::-1])
    monkeypatch.setenv("FACELEAK_SALT", str(tmp_path / "theirs"))
    with salt_file(tmp_path / "ours"):
        assert pseudonym_salt() == SALT
        with salt_file(None):
            assert pseudonym_salt() == SALT[::-1]
    assert pseudonym_salt() == SALT[::-1]


@pytest.mark.usefixtures("_home")
def test_a_salt_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        salt_file(tmp_path / "file" / "salt"),
        pytest.raises(OutputError, match=r"cannot make or read .*--salt names another"),
    ):
        pseudonym_salt()


def test_a_name_that_is_no_utf_8_has_a_pseudonym_too() -> None:
    assert pseudonym("caf\udce9", SALT, "S").startswith("S-")
