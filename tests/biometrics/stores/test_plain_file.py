"""Plain values in a file: what is written is read, and a hostile file is an error."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from biometrics.errors import StoreError
from biometrics.stores.plain_file import DEPTH, read_plain, write_plain
from tests.biometrics.stores.fuzz import EXAMPLES, mutations

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(),
    st.complex_numbers(allow_nan=False),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.sets(st.integers())
    ),
    max_leaves=8,
)


def there_and_back(value: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "value"
        write_plain(value, path)
        return read_plain(path)


@settings(max_examples=50, deadline=None)
@given(TREES)
def test_what_is_written_is_read(value: Any) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found) is type(value)


@settings(max_examples=50, deadline=None)
@given(
    npst.arrays(
        npst.boolean_dtypes() | npst.integer_dtypes() | npst.floating_dtypes(sizes=(16, 32, 64)),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_arrays_keep_shape_and_kind(value: Any) -> None:
    found = there_and_back([value])[0]
    assert (found.dtype, found.shape) == (value.dtype.newbyteorder("<"), value.shape)
    np.testing.assert_array_equal(found, value)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (nested(DEPTH), "nested deeper"),
        (object(), "type object is not plain"),
        (np.array([object()]), "type ndarray is not plain"),
        (np.zeros(2, "M8[s]"), "type ndarray is not plain"),
    ],
)
def test_what_is_not_plain_is_refused(value: Any, line: str) -> None:
    with pytest.raises(StoreError, match=line):
        there_and_back(value)


@pytest.mark.parametrize(
    "tree",
    [
        ["a", "<f4", [1 << 60], 0],
        ["a", "<f4", [1 << 40, 0, 5], 0],
        ["a", "<f4", [-1], 0],
        ["a", "<f4", [1], -4],
        ["a", "<f4", [1], 8],
        ["a", "|O", [1], 0],
        ["a", "<f4", "xx", 0],
        ["b", 1 << 60, 0],
        ["d", 1],
        ["d", ["l"], 1],
        ["z"],
        [],
        ["c", "x", 1],
    ],
)
def test_an_answer_that_lies_is_an_error(tree: Any, tmp_path: Path) -> None:
    text = json.dumps(tree).encode()
    path = tmp_path / "value"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    if tree[:3] == ["a", "<f4", [1 << 40, 0, 5]]:
        assert read_plain(path).size == 0  # true, and takes no memory
        return
    with pytest.raises(StoreError, match="damaged"):
        read_plain(path)


VALID = {"vectors": [np.arange(8, dtype=np.float32)] * 3, "names": ["a", "b"], "raw": b"12345"}


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_damaged_answers_raise_nothing_else(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "value"
        write_plain(VALID, path)
        path.write_bytes(data.draw(mutations(path.read_bytes())))
        with contextlib.suppress(StoreError):
            read_plain(path)
