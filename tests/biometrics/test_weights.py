"""Known weight files: found, fetched, checked; a local server stands for the publisher."""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from biometrics import weights
from biometrics.errors import OutputError, UnknownNameError, WeightsError
from biometrics.weights import find_weight, known, missing_weight, pull, read_weight, verify
from tests.seeded_weights import WeightsFolder, weights_folder  # noqa: F401

NAME = "squeezenet1_1"
FILE = "squeezenet1_1-b8a52dc0.pth"
CONTENT = bytes(range(256)) * 9000  # more than two chunks


class _Handler(http.server.BaseHTTPRequestHandler):
    content = CONTENT
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path != f"/{FILE}":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def handler() -> type[_Handler]:
    return type("Handler", (_Handler,), {"asked": []})


@pytest.fixture
def server(handler: type[_Handler]) -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(weights_folder: WeightsFolder) -> WeightsFolder:  # noqa: F811
    weights_folder.pin(NAME, CONTENT)
    return weights_folder


def left(folder: WeightsFolder) -> list[str]:
    return sorted(p.name for p in folder.path.iterdir()) if folder.path.exists() else []


def test_a_pulled_file_is_found_and_not_pulled_twice(
    folder: WeightsFolder, server: str, handler: type[_Handler]
) -> None:
    seen: list[int] = []
    path = pull(NAME, url=f"{server}/{FILE}", advance=seen.append)
    assert path == find_weight(NAME) == folder.path / FILE
    assert path.read_bytes() == read_weight(NAME).data == CONTENT
    assert sum(seen) == len(CONTENT)
    assert len(seen) > 2
    pull(NAME, url=f"{server}/{FILE}")
    assert handler.asked == [f"/{FILE}"]
    assert left(folder) == [FILE]


def test_a_mirror_has_the_files_under_their_names(
    folder: WeightsFolder, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.MIRROR_VARIABLE, f"{server}/")
    assert pull(NAME).read_bytes() == CONTENT


def test_another_file_is_not_kept(
    folder: WeightsFolder, server: str, handler: type[_Handler]
) -> None:
    handler.content = CONTENT[:-1] + b"x"
    with pytest.raises(WeightsError, match=f"sent another file than {re.escape(FILE)} .sha256"):
        pull(NAME, url=f"{server}/{FILE}")
    assert left(folder) == []


def test_more_bytes_than_the_file_has_are_not_waited_for(
    folder: WeightsFolder, server: str
) -> None:
    folder.pin(NAME, CONTENT, size=1000)
    with pytest.raises(WeightsError, match=r"sends more than the 1000 bytes of squeezenet"):
        pull(NAME, url=f"{server}/{FILE}")
    assert left(folder) == []


def test_a_damaged_file_is_noticed_and_pulled_again(folder: WeightsFolder, server: str) -> None:
    folder.path.mkdir()
    (folder.path / FILE).write_bytes(b"half")
    assert verify(NAME) == "damaged"
    with pytest.raises(WeightsError, match=f"damaged or another file .*weights pull {NAME}$"):
        read_weight(NAME)
    with pytest.raises(WeightsError, match="HTTP Error 404"):
        pull(NAME, url=f"{server}/elsewhere")
    assert (folder.path / FILE).read_bytes() == b"half"  # kept until there is something better
    pull(NAME, url=f"{server}/{FILE}")
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
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot write to .*file"):
        pull(NAME, url=f"{server}/{FILE}")


def test_a_prefix_of_the_hash_is_enough_where_no_more_is_published() -> None:
    record = known(NAME)
    prefix = weights.KnownWeights(**{**vars(record), "sha256": record.published})
    assert prefix.matches(record.sha256)
    assert not prefix.matches("0" + record.sha256[1:])
    assert not weights.KnownWeights(**{**vars(record), "sha256": ""}).matches(record.sha256)


@pytest.fixture
def unpinned(folder: WeightsFolder) -> WeightsFolder:
    """As ``folder``, but nobody states the hash of the file."""
    folder.unpin(NAME)
    return folder


def test_a_file_without_a_known_hash_is_not_kept_and_its_hash_is_said(
    unpinned: WeightsFolder, server: str
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(WeightsError) as raised:
        pull(NAME, url=f"{server}/{FILE}")
    message = str(raised.value)
    assert f"sha256 {digest} and is not used" in message
    assert message.endswith(f"faceleak weights pull {NAME} --accept-hash {digest}")
    assert "\n" not in message
    assert left(unpinned) == []


def test_an_accepted_hash_is_remembered_beside_the_file(
    unpinned: WeightsFolder, server: str, handler: type[_Handler]
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(WeightsError, match=r"another file than .*expected 0000000000000000\.\.\."):
        pull(NAME, url=f"{server}/{FILE}", accept_hash="0" * 64)
    assert left(unpinned) == []
    path = pull(NAME, url=f"{server}/{FILE}", accept_hash=digest.upper())
    assert left(unpinned) == [FILE, f"{FILE}.sha256"]
    assert (unpinned.path / f"{FILE}.sha256").read_text() == f"{digest}  {FILE}\n"
    assert verify(NAME) == "ready"
    assert read_weight(NAME).data == CONTENT
    path.write_bytes(b"other")
    assert verify(NAME) == "damaged"
    with pytest.raises(WeightsError, match=f"damaged or another file .*{digest[:16]}"):
        read_weight(NAME)
    pull(NAME, url=f"{server}/{FILE}")  # the remembered hash is enough from now on
    assert verify(NAME) == "ready"
    handler.content = b"changed"
    with pytest.raises(WeightsError, match="another file than"):
        pull(NAME, url=f"{server}/{FILE}", accept_hash="0" * 64)
    assert verify(NAME) == "ready"
    path.unlink()
    with pytest.raises(WeightsError, match="another file than"):
        pull(NAME, url=f"{server}/{FILE}")


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


def test_a_known_hash_cannot_be_overruled(folder: WeightsFolder, server: str) -> None:
    with pytest.raises(WeightsError, match=r"the sha256 of weights squeezenet1_1 is known"):
        pull(NAME, url=f"{server}/{FILE}", accept_hash="0" * 64)
    assert left(folder) == []
    pull(NAME, url=f"{server}/{FILE}", accept_hash=hashlib.sha256(CONTENT).hexdigest())
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


def test_records_are_complete() -> None:
    assert len({r.name for r in weights.KNOWN}) == len({r.file for r in weights.KNOWN}) == 6
    assert [r.name for r in weights.KNOWN if not r.sha256] == ["facenet-casia"]
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
