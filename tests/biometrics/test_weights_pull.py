"""Weight files are fetched, gone on with and checked; a local server stands for the publisher."""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from biometrics import weights, weights_pull
from biometrics.errors import OutputError, UnknownNameError, WeightsError
from biometrics.weights import find_weight, missing_weight, read_weight, verify
from biometrics.weights_pull import pull
from tests.biometrics.publisher import CONTENT, FILE, Publisher
from tests.seeded_weights import WeightsFolder, weights_folder  # noqa: F401

NAME = "squeezenet1_1"


@pytest.fixture
def folder(weights_folder: WeightsFolder) -> WeightsFolder:  # noqa: F811
    weights_folder.pin(NAME, CONTENT)
    return weights_folder


def left(folder: WeightsFolder) -> list[str]:
    return sorted(p.name for p in folder.path.iterdir()) if folder.path.exists() else []


def test_a_pulled_file_is_found_and_not_pulled_twice(
    folder: WeightsFolder, publisher: Publisher
) -> None:
    seen: list[int] = []
    path = pull(NAME, url=publisher.url, advance=seen.append)
    assert path == find_weight(NAME) == folder.path / FILE
    assert path.read_bytes() == read_weight(NAME).data == CONTENT
    assert sum(seen) == len(CONTENT)
    assert len(seen) > 2
    pull(NAME, url=publisher.url)
    assert [asked.path for asked in publisher.asked] == [f"/{FILE}"]
    assert left(folder) == [FILE]


def test_a_mirror_has_the_files_under_their_names(
    folder: WeightsFolder, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights_pull.MIRROR_VARIABLE, f"{publisher.address}/")
    assert pull(NAME).read_bytes() == CONTENT


def test_another_file_is_not_kept(folder: WeightsFolder, publisher: Publisher) -> None:
    publisher.content = CONTENT[:-1] + b"x"
    with pytest.raises(WeightsError, match=f"sent another file than {re.escape(FILE)} .sha256"):
        pull(NAME, url=publisher.url)
    assert left(folder) == []


@pytest.mark.parametrize(
    ("size", "counted"), [(1000, True), (1000, False), (10 * len(CONTENT), True)]
)
def test_a_file_of_another_size_is_not_waited_for(
    folder: WeightsFolder, publisher: Publisher, size: int, counted: bool
) -> None:
    folder.pin(NAME, CONTENT, size=size)
    publisher.counted = counted
    with pytest.raises(WeightsError, match=rf"sends another file than {re.escape(FILE)}: it has "):
        pull(NAME, url=publisher.url)
    assert left(folder) == []


def test_a_damaged_file_is_noticed_and_pulled_again(
    folder: WeightsFolder, publisher: Publisher
) -> None:
    folder.path.mkdir()
    (folder.path / FILE).write_bytes(b"half")
    assert verify(NAME) == "damaged"
    with pytest.raises(WeightsError, match=f"damaged or another file .*weights pull {NAME}$"):
        read_weight(NAME)
    with pytest.raises(WeightsError, match="HTTP Error 404"):
        pull(NAME, url=f"{publisher.address}/elsewhere")
    assert (folder.path / FILE).read_bytes() == b"half"  # kept until there is something better
    pull(NAME, url=publisher.url)
    assert verify(NAME) == "ready"


def test_sources_that_do_not_answer_or_are_no_addresses(folder: WeightsFolder) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/x"
        with pytest.raises(WeightsError, match=rf"could not be pulled from {address}: .*by hand"):
            pull(NAME, url=address)
    for source in ("file:///etc/hosts", "ftp://example.org/x", "weights.pth"):
        with pytest.raises(WeightsError, match="not an http"):
            pull(NAME, url=source)
    assert left(folder) == []


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot write to .*file"):
        pull(NAME, url=publisher.url)


@pytest.fixture
def unpinned(folder: WeightsFolder) -> WeightsFolder:
    """As ``folder``, but nobody states the hash of the file."""
    folder.unpin(NAME)
    return folder


def test_a_file_without_a_known_hash_is_not_kept_and_its_hash_is_said(
    unpinned: WeightsFolder, publisher: Publisher
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(WeightsError) as raised:
        pull(NAME, url=publisher.url)
    message = str(raised.value)
    assert f"sha256 {digest} and is not used" in message
    assert message.endswith(f"faceleak weights pull {NAME} --accept-hash {digest}")
    assert "\n" not in message
    assert left(unpinned) == []


def test_an_accepted_hash_is_remembered_beside_the_file(
    unpinned: WeightsFolder, publisher: Publisher
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(WeightsError, match=r"another file than .*expected 0000000000000000\.\.\."):
        pull(NAME, url=publisher.url, accept_hash="0" * 64)
    assert left(unpinned) == []
    path = pull(NAME, url=publisher.url, accept_hash=digest.upper())
    assert left(unpinned) == [FILE, f"{FILE}.sha256"]
    assert (unpinned.path / f"{FILE}.sha256").read_text() == f"{digest}  {FILE}\n"
    assert verify(NAME) == "ready"
    assert read_weight(NAME).data == CONTENT
    path.write_bytes(b"other")
    assert verify(NAME) == "damaged"
    with pytest.raises(WeightsError, match=f"damaged or another file .*{digest[:16]}"):
        read_weight(NAME)
    pull(NAME, url=publisher.url)  # the remembered hash is enough from now on
    assert verify(NAME) == "ready"
    publisher.content = b"changed"
    with pytest.raises(WeightsError, match="another file than"):
        pull(NAME, url=publisher.url, accept_hash="0" * 64)
    assert verify(NAME) == "ready"
    path.unlink()
    with pytest.raises(WeightsError, match="another file than"):
        pull(NAME, url=publisher.url)


def test_a_file_put_there_by_hand_can_be_accepted_without_the_network(
    unpinned: WeightsFolder,
) -> None:
    unpinned.path.mkdir()
    (unpinned.path / FILE).write_bytes(CONTENT)
    assert verify(NAME) == "unverified"
    with pytest.raises(WeightsError, match=r"is not used.*--accept-hash"):
        read_weight(NAME)
    pull(NAME, url="http://127.0.0.1:9/x", accept_hash=hashlib.sha256(CONTENT).hexdigest())
    assert verify(NAME) == "ready"
    for broken in ("", "no hash", "ff", "é"):
        (unpinned.path / f"{FILE}.sha256").write_text(broken, encoding="utf-8")
        assert verify(NAME) == "unverified"


def test_a_known_hash_cannot_be_overruled(folder: WeightsFolder, publisher: Publisher) -> None:
    with pytest.raises(WeightsError, match=r"the sha256 of weights squeezenet1_1 is known"):
        pull(NAME, url=publisher.url, accept_hash="0" * 64)
    assert left(folder) == []
    pull(NAME, url=publisher.url, accept_hash=hashlib.sha256(CONTENT).hexdigest())
    assert left(folder) == [FILE]


def test_only_pull_touches_the_network(
    folder: WeightsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    expected = f"weights {NAME} missing: faceleak weights pull {NAME}"
    assert missing_weight(NAME) == expected
    for ask in (find_weight, read_weight):
        with pytest.raises(WeightsError, match=f"^{expected}$"):
            ask(NAME)
    assert verify(NAME) == "missing"
    with pytest.raises(UnknownNameError, match=r"unknown weights 'vgg61' \(did you mean 'vgg16'"):
        find_weight("vgg61")
    with pytest.raises(AssertionError, match="was touched"):
        pull(NAME, url="http://127.0.0.1:9/x")
