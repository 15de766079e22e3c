"""Vectors in every way of writing them: round trips against numpy and the standard library."""

from __future__ import annotations

import base64
import decimal
import json
import struct
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from biometrics.errors import StoreError
from biometrics.stores.cell_guess import guess
from biometrics.stores.cells import Encoding, decode
from biometrics.stores.limits import DEFAULT_LIMITS, Limits
from biometrics.stores.lookups import Lookup, text
from biometrics.stores.relational import Damaged
from tests.biometrics.stores.made import drawn_people

Vector = NDArray[np.float32]


def listed(vector: Vector) -> str:
    return ",".join(repr(float(x)) for x in vector)


def packed(vector: Vector) -> bytes:
    raw = vector.tobytes()
    return struct.pack(">I", len(raw)) + zlib.compress(raw)


WAYS: dict[str, tuple[Encoding, Callable[[Vector], Any]]] = {
    "pgvector": (Encoding.NUMBERS, lambda v: f"[{listed(v)}]"),
    "postgresql array": (Encoding.NUMBERS, lambda v: "{" + listed(v) + "}"),
    "json": (Encoding.NUMBERS, lambda v: json.dumps(v.tolist(), indent=1)),
    "json in bytes": (Encoding.NUMBERS, lambda v: json.dumps(v.tolist()).encode()),
    "commas": (Encoding.NUMBERS, listed),
    "numpy": (Encoding.NUMBERS, lambda v: "[" + " ".join(repr(float(x)) for x in v) + "\n]"),
    "list": (Encoding.NUMBERS, lambda v: v.tolist()),
    "tuple of decimals": (Encoding.NUMBERS, lambda v: tuple(map(decimal.Decimal, v.tolist()))),
    "array": (Encoding.FLOAT32, lambda v: v),
    "float32": (Encoding.FLOAT32, lambda v: v.tobytes()),
    "memoryview": (Encoding.FLOAT32, lambda v: memoryview(v.tobytes())),
    "float64": (Encoding.FLOAT64, lambda v: v.astype("<f8").tobytes()),
    "hex": (Encoding.HEX_FLOAT64, lambda v: v.astype("<f8").tobytes().hex()),
    "hex of PostgreSQL": (Encoding.HEX_FLOAT64, lambda v: "\\x" + v.astype("<f8").tobytes().hex()),
    "base64 of an older version": (
        Encoding.HEX_FLOAT64,
        lambda v: str(base64.encodebytes(v.astype("<f8").tobytes())),
    ),
    "base64": (Encoding.BASE64_FLOAT32, lambda v: base64.encodebytes(v.tobytes()).decode()),
    "base64 float64": (Encoding.BASE64_FLOAT64, lambda v: base64.b64encode(v.astype("<f8"))),
    "zlib": (Encoding.PACKED_FLOAT32, packed),
}


@pytest.mark.parametrize("way", WAYS)
@given(
    vectors=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 20)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
@settings(max_examples=20, deadline=None)
def test_what_was_written_is_read(way: str, vectors: Vector) -> None:
    encoding, write = WAYS[way]
    found = decode([write(vector) for vector in vectors], encoding)
    assert not found.bad
    only = found.by_dim[vectors.shape[1]]
    np.testing.assert_array_equal(only.vectors, vectors)
    assert only.rows == list(range(len(vectors)))


@pytest.mark.parametrize("way", [name for name in WAYS if name not in ("tuple of decimals",)])
def test_nan_and_infinity_stay(way: str) -> None:
    encoding, write = WAYS[way]
    vector = np.array([1.5, np.nan, np.inf, -np.inf], np.float32)
    found = decode([write(vector)], encoding)
    np.testing.assert_array_equal(found.by_dim[4].vectors[0], vector)


@pytest.mark.parametrize("value", ["{1.5,NaN,Infinity,-Infinity}", "[1.5, nan, inf, -inf]"])
def test_nan_and_infinity_as_postgresql_and_python_write_them(value: str) -> None:
    found = decode([value], Encoding.NUMBERS).by_dim[4].vectors[0]
    np.testing.assert_array_equal(found, np.array([1.5, np.nan, np.inf, -np.inf], np.float32))


def test_what_is_too_large_for_float32_is_infinite() -> None:
    found = decode([[1e300, -1e300, 1.0]], Encoding.NUMBERS).by_dim[3].vectors
    assert found.tolist() == [[np.inf, -np.inf, 1.0]]


@pytest.mark.parametrize(
    "several", ["[[1,2,3],[4,5,6]]", "{{1,2,3},{4,5,6}}", "[[1,2,3],[4,5,NaN]]"]
)
def test_several_templates_in_a_value(several: str) -> None:
    found = decode(["[7,8,9]", several], Encoding.NUMBERS)
    only = found.by_dim[3]
    assert (only.rows, only.parts, found.several) == ([0, 1, 1], [0, 0, 1], {1})
    np.testing.assert_array_equal(only.vectors[:2], [[7, 8, 9], [1, 2, 3]])


def test_lengths_are_kept_apart_and_rows_in_order() -> None:
    values = ["[1,2]", "[1,2,3]", None, "[3,4]", [5.0, 6.0], "[nan,1]"]
    found = decode(values, Encoding.NUMBERS)
    assert {dim: only.rows for dim, only in found.by_dim.items()} == {2: [0, 3, 4, 5], 3: [1]}
    assert found.empty == [2]


def test_two_widths_of_one_length_come_in_the_order_of_rows() -> None:
    vector = np.arange(3, dtype=np.float32)
    found = decode([vector.tobytes(), [9.0, 9.0, 9.0], vector.tobytes()], Encoding.FLOAT32)
    assert found.by_dim[3].rows == [0, 1, 2]
    assert found.by_dim[3].vectors[:, 0].tolist() == [0.0, 9.0, 0.0]


@pytest.mark.parametrize("value", [None, "", b"", "[]", "{}", "null", [], "[[]]", b"[]"])
def test_nothing_is_empty_and_no_loss(value: Any) -> None:
    found = decode([value], Encoding.NUMBERS)
    assert (found.empty, found.bad, found.by_dim) == ([0], [], {})


@pytest.mark.parametrize(
    ("encoding", "value", "why"),
    [
        (Encoding.NUMBERS, "[1,2", "cut off"),
        (Encoding.NUMBERS, "1,2]", "cut off"),
        (Encoding.NUMBERS, "{1,NULL}", "no text of numbers"),
        (Encoding.NUMBERS, "[null]", "no text of numbers"),
        (Encoding.NUMBERS, '["1","2"]', "no text of numbers"),
        (Encoding.NUMBERS, '{"a": 1}', "no text of numbers"),
        (Encoding.NUMBERS, "[[1],[[2]]]", "no text of numbers"),
        (Encoding.NUMBERS, "[[1],[]]", "without numbers"),
        (Encoding.NUMBERS, "__import__('os').system('true')", "no text of numbers"),
        (Encoding.NUMBERS, "[" * 900, "cut off"),
        (Encoding.NUMBERS, "[" * 100_000, "lists in a value"),
        (Encoding.NUMBERS, b"\xff\xfe[1]", "no text of numbers"),
        (Encoding.NUMBERS, 5, "single value"),
        (Encoding.NUMBERS, uuid.UUID(int=1), "single value"),
        (Encoding.NUMBERS, ["a"], "no list of numbers"),
        (Encoding.NUMBERS, [[1.0], [2.0, 3.0]], "no list of numbers"),
        (Encoding.NUMBERS, Damaged("page 7"), "page 7"),
        (Encoding.NUMBERS, f"[{'1,' * 20_000}1]", "more than 16,384 numbers"),
        (Encoding.FLOAT32, b"12345", "no multiple of 4"),
        (Encoding.FLOAT32, "text", "text where"),
        (Encoding.FLOAT64, b"1234", "no multiple of 8"),
        (Encoding.HEX_FLOAT64, "zz", "no base64"),
        (Encoding.HEX_FLOAT64, "00" * 7, "no multiple of 8"),
        (Encoding.BASE64_FLOAT32, "????", "no base64"),
        (Encoding.PACKED_FLOAT32, b"123", "no packed"),
        (Encoding.PACKED_FLOAT32, b"\x00\x00\x00\x08garbage", "damaged"),
        (Encoding.PACKED_FLOAT32, b"\xff\xff\xff\xff" + zlib.compress(b"0" * 8), "more than"),
        (Encoding.PACKED_FLOAT32, b"\x00\x00\x00\x04" + zlib.compress(bytes(10**6)), "length"),
        (Encoding.PACKED_FLOAT32, b"\x00\x00\x00\x0c" + zlib.compress(bytes(8)), "length"),
    ],
)
def test_damage_is_said_without_the_content(encoding: Encoding, value: Any, why: str) -> None:
    found = decode([value, None], encoding)
    assert found.by_dim == {}
    assert [row for row, _ in found.bad] == [0]
    assert why in found.bad[0][1]


def test_a_cell_beyond_the_limit_is_not_parsed() -> None:
    found = decode(["[" + "1," * 1000 + "1]"], Encoding.NUMBERS, Limits(cell=1000))
    assert found.bad == [(0, "a value larger than the limit")]


@given(st.lists(st.one_of(st.text(max_size=40), st.binary(max_size=40)), max_size=4))
@settings(max_examples=40, deadline=None)
def test_no_bytes_make_an_error_of_another_kind(values: list[str | bytes]) -> None:
    for encoding in Encoding:
        found = decode(values, encoding)
        rows = {row for only in found.by_dim.values() for row in only.rows}
        assert len(rows) + len(found.empty) + len(found.bad) == len(values)


GUESSED = [name for name in WAYS if name not in ("array", "list", "tuple of decimals")]


@pytest.mark.parametrize("way", GUESSED)
def test_an_unknown_column_is_recognised(way: str) -> None:
    _, write = WAYS[way]
    vectors = drawn_people(128, norm=1.4).vectors
    values = [write(vector) for vector in vectors]
    values[3] = None
    hit = guess(values, DEFAULT_LIMITS)
    assert hit is not None
    read = decode(values, hit.encoding).by_dim[128]
    np.testing.assert_array_equal(read.vectors, np.delete(vectors, 3, axis=0))


@pytest.mark.parametrize(
    "values",
    [
        [f"{uuid.UUID(int=i)}" for i in range(50)],
        [f"a note of some length, number {i}" for i in range(50)],
        [json.dumps(list(range(i, i + 40))) for i in range(50)],
        [np.random.default_rng(i).bytes(512) for i in range(50)],
        [bytes(512)] * 50,
        [f"[{i}.5]" for i in range(50)],
        [None] * 5,
        [],
        [1, 2.5, 3],
    ],
    ids=["uuids", "notes", "whole numbers", "noise", "zeros", "short", "nulls", "none", "scalars"],
)
def test_other_columns_are_not_taken_for_templates(values: list[Any]) -> None:
    assert guess(values, DEFAULT_LIMITS) is None


def test_float32_and_float64_are_told_apart_by_their_sizes() -> None:
    vectors = drawn_people(128, norm=22.0).vectors
    exact = vectors.astype("<f8") * np.pi
    assert guess([v.tobytes() for v in vectors], DEFAULT_LIMITS) == (Encoding.FLOAT32, 128)
    assert guess([v.tobytes() for v in exact], DEFAULT_LIMITS) == (Encoding.FLOAT64, 128)


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)), st.lists(st.text()))
@settings(max_examples=40, deadline=None)
def test_a_lookup_is_a_dictionary(pairs: dict[str, str], others: list[str]) -> None:
    keys: list[str | None] = [*pairs, *others, None]
    found = Lookup(pairs.items(), DEFAULT_LIMITS).get(keys)
    assert found == [None if key is None else pairs.get(key) for key in keys]


def test_a_lookup_keeps_the_first_and_refuses_too_many() -> None:
    pairs = [("a", "1"), ("a", "2"), (None, "3"), ("b", None)]
    assert Lookup(pairs, DEFAULT_LIMITS).get(["a", "b"]) == ["1", None]
    with pytest.raises(StoreError, match="more than 1 rows"):
        Lookup([("a", "1"), ("b", "2")], Limits(people=1))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(None, None), ("", None), (b"", None), (b"ms\xff", "ms\ufffd"), (7, "7"), ("x", "x")],
)
def test_keys_as_text(value: Any, wanted: str | None) -> None:
    assert text(value) == wanted
