"""The reader of pickles: the same data as Python's own for honest files, and bounded for others."""

from __future__ import annotations

import contextlib
import pickle
import struct
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from biometrics.errors import StoreError
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.pickle_file import read_pickle, read_pickles
from biometrics.stores.pickle_machine import load_plain
from tests.biometrics.stores.fuzz import EXAMPLES, SLOW_EXAMPLES, mutations

PROTOCOLS = range(6)
SMALL = Limits(memory=1024 * MIB, seconds=5)
KEYS = (
    st.text(max_size=5) | st.integers() | st.none() | st.tuples(st.text(max_size=3), st.booleans())
)
SCALARS = (
    KEYS
    | st.floats(allow_nan=False)
    | st.binary(min_size=1, max_size=5)
    | st.complex_numbers(allow_nan=False)
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
    | st.dictionaries(KEYS, inner, max_size=4) | st.sets(KEYS, max_size=3),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(TREES, st.sampled_from(PROTOCOLS))
def test_plain_objects_are_what_python_reads(value: Any, protocol: int) -> None:
    found = load_plain(pickle.dumps(value, protocol))
    assert found == value
    assert type(found) is type(value)


@settings(max_examples=100, deadline=None)
@given(
    npst.arrays(
        npst.boolean_dtypes()
        | npst.integer_dtypes(endianness="?")
        | npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
        npst.array_shapes(max_dims=3, max_side=4),
    ),
    st.sampled_from(PROTOCOLS),
    st.booleans(),
)
def test_arrays_are_what_python_reads(value: Any, protocol: int, turned: bool) -> None:
    value = value.T if turned else value
    found = load_plain(pickle.dumps(value, protocol))
    np.testing.assert_array_equal(found, value)
    assert found.dtype == value.dtype.newbyteorder("=")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_becomes_plainer(protocol: int) -> None:
    value = [
        np.float32(1.5), np.str_("Zoë"), np.str_("" if protocol > 2 else "old"),
        np.bool_(True), np.int64(-3),
        np.array(["ab", "c"]), np.array([b"x"]), np.array([np.ones(2), None], object),
        frozenset({1}), bytearray(b"\xff\x00"), slice(1, None, 2), 2**80, -1, True,
        np.ones((2, 3, 4)).transpose(1, 0, 2), [0.5] * 7 + [1], (1.0,) * 9,
    ]  # fmt: skip
    found = load_plain(pickle.dumps(value, protocol))
    assert found[:7] == [1.5, "Zoë", "" if protocol > 2 else "old", True, -3, ["ab", "c"], [b"x"]]
    np.testing.assert_array_equal(found[7][0], np.ones(2))
    assert found[8:14] == [{1}, b"\xff\x00", (1, None, 2), 2**80, -1, True]
    assert found[14].shape == (3, 2, 4)
    np.testing.assert_array_equal(found[15], [0.5] * 7 + [1])
    assert found[16] == (1.0,) * 9


@pytest.mark.parametrize("count", [1, 2, 7, 8, 64, 65, 1000, 1001, 2500])
def test_runs_of_floats_are_read_exactly(count: int) -> None:
    numbers = np.random.default_rng(count).normal(size=count).tolist()
    found = load_plain(pickle.dumps([numbers, "G", (*numbers, None)], 4))
    assert list(found[0]) == numbers
    assert found[2] == (*numbers, None)


def test_what_python_2_wrote_is_read() -> None:
    raw = np.array([1.5, -2.0]).tobytes()
    header = b"\x80\x02}U\x03Zo\xebcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    header += b"K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R"
    header += b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    found = load_plain(header + b"U" + bytes([len(raw)]) + raw + b"tbs.")
    ((name, array),) = found.items()
    assert name.encode("utf-8", "surrogateescape") == b"Zo\xeb"
    np.testing.assert_array_equal(array, [1.5, -2.0])
    assert load_plain(b"(lp0\nS'it\\'s'\np1\naI01\naL5L\na.") == ["it's", True, 5]


def laughs(start: bytes, double: bytes, levels: int) -> bytes:
    """A value that doubles with every level, out of a few bytes each."""
    return start + double * levels + b"."


HOSTILE = {
    "billion laughs of tuples": laughs(b"X\x03\x00\x00\x00lol", b"2\x86", 60),
    "billion laughs of lists": b"](K\x01e" + b"q\x010](h\x01h\x01e" * 60 + b".",
    "a set of laughs": b"\x8f(" + b"K\x01" + b"2\x86" * 60 + b"\x90.",
    "a key of laughs": b"}K\x01" + b"2\x86" * 60 + b"Ns.",
    "a list in itself": b"]q\x01h\x01a.",
    "a dictionary in itself": b"}q\x01K\x01h\x01s.",
    "deep lists": b"]" * 50_000 + b"a" * 49_999 + b".",
    "deep tuples": b")" + b"\x85" * 20_000 + b".",
    "long text again and again": b"X\xa0\x86\x01\x00" + b"a" * 100_000 + b"q\x010](" + b"h\x01"
    * 100_000 + b"e.",
    "bytes encoded again and again": b"X\x40\x42\x0f\x00" + b"a" * 1_000_000
    + b"q\x010c_codecs\nencode\nq\x020X\x06\x00\x00\x00latin1q\x030"
    + b"h\x02h\x01h\x03\x86R0" * 10_000 + b"N.",
    "huge bytes": b"\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "huge bytearray": b"\x96" + struct.pack("<Q", 2**62) + b"x.",
    "huge text": b"\x8d" + struct.pack("<Q", 2**63 + 7) + b"x.",
    "huge old bytes": b"B\xff\xff\xff\xffx.",
    "huge number": b"\x8b\xff\xff\xff\x7fx.",
    "long number": b"\x8b" + struct.pack("<I", 10**6) + b"\x7f" * 10**6 + b".",
    "many digits": b"L" + b"9" * 10**6 + b"L\n.",
    "huge frame": b"\x95" + b"\xff" * 8,
    "marks": b"(" * 100_000 + b".",
    "nothing": b"",
    "no end": b"N",
    "no instruction": b"\xff.",
    "takes too much": b"0.",
    "a memo that is not there": b"h\x05.",
    "append to nothing": b"NNa.",
    "half a dictionary": b"(K\x01d.",
    "huge shape": b"cnumpy._core.numeric\n_frombuffer\n(C\x08" + bytes(8)
    + b"cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85RJ\xff\xff\xff\x7f\x85X\x01\x00\x00\x00CtR.",
    "texts of no size": b"cnumpy._core.numeric\n_frombuffer\n(C\x00cnumpy\ndtype\nX\x02\x00\x00\x00"
    b"U0\x85RJ\xff\xff\xff\x7f\x85X\x01\x00\x00\x00CtR.",
    "huge texts": b"cnumpy\ndtype\nX\x09\x00\x00\x00U99999999\x85R.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_an_error_at_once(name: str) -> None:
    data = HOSTILE[name]
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(StoreError) as caught:
            load_plain(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 3
    assert peak < (64 << 20) + 100 * len(data)
    assert "\n" not in str(caught.value)


def test_a_huge_memo_index_takes_no_memory() -> None:
    assert load_plain(b"K\x07r\xff\xff\xff\x7f0j\xff\xff\xff\x7f.") == 7
    assert load_plain(b"K\x07p99999999999999999999\n0g99999999999999999999\n.") == 7


def test_a_pickle_over_a_limit_of_its_process_is_one_line() -> None:
    data = b"\x8e" + struct.pack("<Q", 200 << 20) + bytes(200 << 20) + b"."
    with pytest.raises(StoreError, match=r"^many\.pkl cannot be read: needs more than 400 MiB"):
        read_pickle(data, Limits(memory=400 * MIB, seconds=60), "many.pkl")


def test_many_pickles_share_a_process() -> None:
    good, bad = pickle.dumps(np.arange(3.0)), b"cos\nsystem\n."
    first, second, third = read_pickles([good, bad, b"N."], SMALL, "column")
    np.testing.assert_array_equal(first, [0, 1, 2])
    assert isinstance(second, StoreError)
    assert "asks for os.system" in str(second)
    assert third is None


def test_pytorch_files_are_named() -> None:
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    with pytest.raises(StoreError, match="a PyTorch file: not read; save the tensors as safetens"):
        load_plain(magic + pickle.dumps(1001, 2))


ENCODINGS = {"encodings": [np.arange(16.0) + i for i in range(6)], "names": list("aabbcc")}
VALID = {
    **{f"protocol {p}": pickle.dumps(ENCODINGS, p) for p in PROTOCOLS},
    "lists": pickle.dumps([{"identity": "a/b.jpg", "embedding": [0.5] * 16, "hash": "x"}] * 3, 4),
}


def try_damaged(data: bytes) -> None:
    with contextlib.suppress(StoreError):
        load_plain(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(sorted(VALID)).flatmap(lambda name: mutations(VALID[name])))
def test_damaged_pickles_raise_nothing_else(data: bytes) -> None:
    try_damaged(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    try_damaged(data + b".")


@pytest.mark.slow
@settings(max_examples=SLOW_EXAMPLES, deadline=None)
@given(st.sampled_from(sorted(VALID)).flatmap(lambda name: mutations(VALID[name])))
def test_many_damaged_pickles_raise_nothing_else(data: bytes) -> None:
    try_damaged(data)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(mutations(VALID["protocol 4"]), min_size=5, max_size=5))
def test_damaged_pickles_do_not_crash_the_process(items: list[bytes]) -> None:
    assert len(read_pickles(items, SMALL)) == 5
