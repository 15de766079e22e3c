"""An interrupted pull goes on where it stopped, and never glues two files together."""

from __future__ import annotations

import fcntl
import hashlib
import re
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biometrics import download
from biometrics.errors import WeightsError
from biometrics.weights import verify
from biometrics.weights_pull import pull
from tests.biometrics.publisher import CONTENT, FILE, Publisher
from tests.seeded_weights import WeightsFolder, weights_folder  # noqa: F401

NAME = "squeezenet1_1"
HALF = len(CONTENT) // 2
OTHER = CONTENT[::-1]
PART = f".{FILE}.part"


@pytest.fixture
def folder(weights_folder: WeightsFolder) -> WeightsFolder:  # noqa: F811
    weights_folder.pin(NAME, CONTENT, size=len(CONTENT))
    return weights_folder


def cut_off(publisher: Publisher, folder: WeightsFolder, after: int = HALF) -> None:
    """A pull that loses its connection; what came is there."""
    publisher.cut_after = after
    with pytest.raises(WeightsError, match=r"could not be pulled"):
        pull(NAME, url=publisher.url)
    publisher.cut_after = None
    assert (folder.path / PART).read_bytes() == publisher.content[:after]
    assert not (folder.path / FILE).exists()
    publisher.asked.clear()


def left(folder: WeightsFolder) -> set[str]:
    return {path.name for path in folder.path.iterdir()}


def whole(folder: WeightsFolder) -> bool:
    return verify(NAME) == "ready" and left(folder) == {FILE}


# --- going on


def test_only_the_rest_is_sent(publisher: Publisher, folder: WeightsFolder) -> None:
    cut_off(publisher, folder)
    told: list[int] = []
    totals: list[int] = []
    pull(NAME, url=publisher.url, advance=told.append, expect=totals.append)
    assert whole(folder)
    (asked,) = publisher.asked
    assert (asked.range, asked.if_range) == (f"bytes={HALF}-", '"one"')
    assert asked.sent == len(CONTENT) - HALF
    assert told[0] == HALF  # progress starts at what is there
    assert sum(told) == len(CONTENT)
    assert totals == [len(CONTENT)]


def test_the_line_says_what_is_kept(publisher: Publisher, folder: WeightsFolder) -> None:
    publisher.cut_after = 1_000_000
    with pytest.raises(WeightsError) as raised:
        pull(NAME, url=publisher.url)
    text = str(raised.value)
    assert (
        "cut off after 1,000,000 of 2,304,000 bytes; 1,000,000 bytes are kept, pull again" in text
    )
    assert "\n" not in text


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(1, len(CONTENT) - 1), min_size=1, max_size=4))
def test_however_often_it_is_cut_off_each_byte_comes_once(
    publisher: Publisher, folder: WeightsFolder, cuts: list[int]
) -> None:
    publisher.asked.clear()
    for after in cuts:
        publisher.cut_after = after
        try:
            pull(NAME, url=publisher.url)
        except WeightsError:
            continue
    publisher.cut_after = None
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert sum(asked.sent for asked in publisher.asked) == len(CONTENT)
    (folder.path / FILE).unlink()


@pytest.mark.parametrize("how", ["counted", "chunked", "neither"])
def test_a_lost_connection_is_noticed_however_the_body_ends(
    publisher: Publisher, folder: WeightsFolder, how: str
) -> None:
    publisher.counted, publisher.chunked = how == "counted", how == "chunked"
    cut_off(publisher, folder)
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert publisher.asked[0].sent == len(CONTENT) - HALF


def test_a_source_that_falls_silent_is_given_up_and_gone_on_with(
    publisher: Publisher, folder: WeightsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    publisher.pause = 0.5
    with pytest.raises(WeightsError, match=r"timed out; .* bytes are kept"):
        pull(NAME, url=publisher.url)
    publisher.pause = 0.0
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert publisher.asked[1].range is not None


def test_a_slow_source_is_waited_for(
    publisher: Publisher, folder: WeightsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.6)
    publisher.pause = 0.1  # nine pieces: longer than the limit together
    pull(NAME, url=publisher.url)
    assert whole(folder)


def test_ctrl_c_keeps_what_came(publisher: Publisher, folder: WeightsFolder) -> None:
    def press(_bytes: int) -> None:
        if (folder.path / PART).stat().st_size > HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(NAME, url=publisher.url, advance=press)
    kept = (folder.path / PART).stat().st_size
    assert HALF < kept < len(CONTENT)
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert publisher.asked[1].range == f"bytes={kept}-"


def test_what_was_killed_behind_the_last_byte_needs_no_answer(
    publisher: Publisher, folder: WeightsFolder
) -> None:
    cut_off(publisher, folder)
    (folder.path / PART).write_bytes(CONTENT)
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert publisher.asked == []


# --- starting over


@pytest.mark.parametrize("ranges", ["ignored", "shifted", "refused", "untold"])
def test_a_server_without_right_ranges_sends_the_whole(
    publisher: Publisher, folder: WeightsFolder, ranges: str
) -> None:
    cut_off(publisher, folder)
    publisher.ranges = ranges  # type: ignore[assignment]
    told: list[int] = []
    pull(NAME, url=publisher.url, advance=told.append)
    assert whole(folder)
    assert sum(told) == len(CONTENT)
    last = publisher.asked[-1]
    assert last.sent == len(CONTENT)
    assert (last.range is None) == (ranges != "ignored")


@pytest.mark.parametrize("ranges", ["honoured", "unconditional"])
@pytest.mark.parametrize("version", ["etag", "date"])
def test_a_changed_file_is_never_glued_to_the_old_one(
    publisher: Publisher, folder: WeightsFolder, ranges: str, version: str
) -> None:
    """Also by servers that know ranges and no conditions."""
    publisher.content = OTHER
    if version == "date":
        publisher.etag, publisher.changed = 'W/"weak"', "Wed, 21 Oct 2015 07:28:00 GMT"
    cut_off(publisher, folder)
    publisher.content = CONTENT
    if version == "date":
        publisher.changed = "Wed, 21 Oct 2015 07:28:01 GMT"
    else:
        publisher.etag = '"two"'
    publisher.ranges = ranges  # type: ignore[assignment]
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert publisher.asked[0].range == f"bytes={HALF}-"
    assert publisher.asked[0].if_range in ('"one"', "Wed, 21 Oct 2015 07:28:00 GMT")
    assert publisher.asked[-1].sent == len(CONTENT)


def test_a_change_that_no_server_tells_is_found_by_the_hash(
    publisher: Publisher, folder: WeightsFolder
) -> None:
    publisher.content, publisher.etag = OTHER, None
    cut_off(publisher, folder)
    publisher.content = CONTENT
    with pytest.raises(WeightsError, match=r"sent another file than .*nothing was kept"):
        pull(NAME, url=publisher.url)
    assert publisher.asked[0].if_range is None
    assert left(folder) == set()
    pull(NAME, url=publisher.url)
    assert whole(folder)


def test_without_a_hash_and_a_version_nothing_is_gone_on_with(
    publisher: Publisher, folder: WeightsFolder
) -> None:
    """The hash that is shown to the user must be of one version."""
    folder.unpin(NAME)
    publisher.etag = None
    cut_off(publisher, folder)
    digest = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(WeightsError, match=f"has sha256 {digest} and is not used"):
        pull(NAME, url=publisher.url)
    assert publisher.asked[0].range is None
    publisher.etag = '"one"'
    cut_off(publisher, folder)
    pull(NAME, url=publisher.url, accept_hash=digest)
    assert publisher.asked[0].range == f"bytes={HALF}-"
    assert verify(NAME) == "ready"


@pytest.mark.parametrize(
    "note", [None, b"", b"\xff", b"[]", b'["x"]', b"[1, 2]", b"3", b'{"a": 1}']
)
def test_bytes_of_unknown_origin_are_forgotten(
    publisher: Publisher, folder: WeightsFolder, note: bytes | None
) -> None:
    folder.path.mkdir()
    (folder.path / PART).write_bytes(OTHER[:HALF])
    if note is not None:
        (folder.path / f"{PART}.json").write_bytes(note)
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert publisher.asked[0].range is None


def test_bytes_of_another_address_are_forgotten(
    publisher: Publisher, folder: WeightsFolder
) -> None:
    publisher.content = OTHER
    cut_off(publisher, folder)
    publisher.content = CONTENT
    pull(NAME, url=f"{publisher.address}/moved")
    assert whole(folder)
    assert [(a.path, a.range) for a in publisher.asked] == [("/moved", None)]


def test_wrong_bytes_at_the_end_leave_nothing(publisher: Publisher, folder: WeightsFolder) -> None:
    cut_off(publisher, folder)
    publisher.content = CONTENT[:-1] + b"x"  # under the old version's name
    with pytest.raises(WeightsError, match=f"sent another file than {re.escape(FILE)} .sha256"):
        pull(NAME, url=publisher.url)
    assert left(folder) == set()


def test_a_file_that_has_shrunk_is_sent_anew(publisher: Publisher, folder: WeightsFolder) -> None:
    """416: there is nothing behind what came."""
    folder.unpin(NAME)
    publisher.content = CONTENT + CONTENT
    cut_off(publisher, folder, after=len(CONTENT) + 5)
    publisher.content = CONTENT
    pull(NAME, url=publisher.url, accept_hash=hashlib.sha256(CONTENT).hexdigest())
    assert [asked.range for asked in publisher.asked] == [f"bytes={len(CONTENT) + 5}-", None]
    assert verify(NAME) == "ready"


def test_a_file_that_had_come_whole_is_taken(publisher: Publisher, folder: WeightsFolder) -> None:
    """416 again, but for as many bytes as the file has."""
    folder.pin(NAME, CONTENT, size=None)
    cut_off(publisher, folder)
    (folder.path / PART).write_bytes(CONTENT)
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert [asked.sent for asked in publisher.asked] == [0]


def test_a_failing_server_costs_nothing_that_came(
    publisher: Publisher, folder: WeightsFolder
) -> None:
    cut_off(publisher, folder)
    publisher.redirect = f"{publisher.address}/elsewhere"
    with pytest.raises(WeightsError, match=r"HTTP Error 404.*1,152,000 bytes are kept"):
        pull(NAME, url=publisher.url)
    publisher.redirect = f"{publisher.address}/moved"
    pull(NAME, url=publisher.url)
    assert whole(folder)
    assert publisher.asked[-1].sent == len(CONTENT) - HALF  # the range goes along


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/x", "file:///etc/hostname", "data:,x"])
def test_redirects_to_other_schemes_are_refused(
    publisher: Publisher, folder: WeightsFolder, to: str
) -> None:
    publisher.redirect = to
    with pytest.raises(WeightsError, match=r"could not be pulled .*(not http|not allowed)"):
        pull(NAME, url=publisher.url)
    assert left(folder) == set()


def test_a_safe_address_does_not_lead_to_an_open_one() -> None:
    request = download.urllib.request.Request("https://example.org/x")
    redirects = download._SafeRedirects()
    assert redirects.redirect_request(request, None, 302, "Found", {}, "https://example.net/x")
    with pytest.raises(OSError, match="not https"):
        redirects.redirect_request(request, None, 302, "Found", {}, "http://example.net/x")


# --- two at once


def test_of_two_at_once_one_is_told_to_wait(publisher: Publisher, folder: WeightsFolder) -> None:
    publisher.pause = 0.05
    begun = threading.Event()
    first = threading.Thread(
        target=pull, args=(NAME,), kwargs={"url": publisher.url, "advance": lambda _: begun.set()}
    )
    first.start()
    assert begun.wait(5)
    with pytest.raises(
        WeightsError, match=f"another faceleak is fetching .*{re.escape(FILE)}; wait"
    ):
        pull(NAME, url=publisher.url)
    first.join()
    assert whole(folder)
    assert len(publisher.asked) == 1


def test_one_that_comes_as_the_other_ends_does_not_touch_its_file(
    publisher: Publisher, folder: WeightsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, the name of the partial file goes to another one."""
    cut_off(publisher, folder)
    true = fcntl.flock
    times: list[int] = []

    def late(file: object, how: int) -> None:
        if not times:  # the other ends just now
            (folder.path / PART).rename(folder.path / FILE)
            (folder.path / FILE).write_bytes(CONTENT)
        times.append(how)
        true(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", late)
    assert pull(NAME, url=publisher.url) == folder.path / FILE
    assert len(times) == 2
    assert publisher.asked == []
    assert (folder.path / FILE).read_bytes() == CONTENT
    assert not (folder.path / PART).exists()


def test_a_partial_file_is_no_weight_file(publisher: Publisher, folder: WeightsFolder) -> None:
    cut_off(publisher, folder)
    (folder.path / PART).write_bytes(CONTENT)
    assert verify(NAME) == "missing"
    assert Path(folder.path / PART).exists()
