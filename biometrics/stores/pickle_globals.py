"""What a pickle may ask for by name, each with an implementation of our own.

Of ``builtins``: ``set``, ``frozenset``, ``bytearray``, ``complex``, ``slice``. Of NumPy: what its
arrays, element types and single numbers are written as, by exact module and name. And
``_codecs.encode``, which is not NumPy's: pickles of protocol 0 to 2 know no bytes, and Python 3
writes the bytes of every array in them as ``_codecs.encode(text, 'latin1')``.

Nothing here calls what the name stands for: an array gets a view of the bytes that are there, never
memory for a shape that is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

import numpy as np

from biometrics.errors import StoreError

Spend = Callable[[int], None]
"""Counts bytes that are about to be copied, and raises where they are too many."""

MOST_AXES = 8
SCALARS = (str, bytes, int, float, bool, complex, type(None))
ELEMENT = re.compile(r"[<>|=]?(?:[biuf][1248]|[US]\d{1,7}|O8?)")


class Dtype:
    """NumPy's element type while it is put together."""

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or not ELEMENT.fullmatch(code):
            raise StoreError("refused: the pickle holds an array of a type that is no plain number")
        self.objects = code.lstrip("<>|=").startswith("O")
        self.dtype = np.dtype("u1" if self.objects else code)

    def build(self, state: Any) -> None:
        """Take over the byte order; fields and the like are refused."""
        if not isinstance(state, tuple) or len(state) < 5 or state[2:5] != (None, None, None):
            raise StoreError("refused: the pickle holds an array with fields")
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise StoreError("damaged pickle: an array of no known byte order")
        self.dtype = self.dtype.newbyteorder(order)


class Array:
    """NumPy's array while it is put together; ``value`` is a plain array or a list at the end."""

    def __init__(self) -> None:
        self.value: Any = np.empty(0, np.float64)

    def build(self, state: Any) -> None:
        """Take over ``(version, shape, element type, Fortran order, bytes or list)``."""
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise StoreError("damaged pickle: an array without its content")
        shape, dtype, fortran, content = state[-4:]
        self.value = shaped(content, dtype, shape, "F" if fortran else "C")


def shaped(content: Any, dtype: Any, shape: Any, order: Any) -> Any:
    """A view of the content as an array; a list for arrays of objects or text with one axis."""
    if not isinstance(dtype, Dtype) or not isinstance(shape, tuple) or len(shape) > MOST_AXES:
        raise StoreError("damaged pickle: an array of no known shape")
    if not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise StoreError("damaged pickle: an array of no known shape")
    if dtype.objects:
        if not isinstance(content, list) or shape != (len(content),):
            raise StoreError("refused: the pickle holds an array of objects with several axes")
        return list(content)
    raw = _raw(content)
    if prod(shape) * dtype.dtype.itemsize != len(raw):
        raise StoreError("damaged pickle: an array does not fill its shape")
    if dtype.dtype.kind in "US":
        if len(shape) != 1 or dtype.dtype.itemsize == 0:
            raise StoreError("refused: the pickle holds an array of texts of no plain shape")
        return np.frombuffer(raw, dtype.dtype).tolist()
    if prod(shape) == 0:
        return np.empty(shape, dtype.dtype)
    return np.frombuffer(raw, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def _raw(content: Any) -> bytes | bytearray:
    if isinstance(content, str):  # of Python 2, where bytes were text
        return content.encode("utf-8", "surrogateescape")
    if isinstance(content, bytes | bytearray):
        return content
    raise StoreError("damaged pickle: an array without its content")


@dataclass(frozen=True)
class Global:
    """A name that a pickle may ask for.

    Attributes:
        name: with its module.
        call: what it gives for arguments.
    """

    name: str
    call: Callable[[tuple[Any, ...], Spend], Any]


def hashable(value: Any) -> Any:
    """The value, if it is a scalar or a tuple of scalars: hashing anything deeper may take
    exponential time."""
    parts = value if type(value) is tuple else (value,)
    if not all(isinstance(part, SCALARS) for part in parts):
        raise StoreError("refused: the pickle holds a key that is no text or number")
    return value


def _items(arguments: tuple[Any, ...], spend: Spend) -> list[Any]:
    (items,) = arguments or ([],)
    if not isinstance(items, list | tuple):
        raise StoreError("damaged pickle: a set of no list")
    spend(64 * len(items))
    return [hashable(item) for item in items]


def _bytearray(arguments: tuple[Any, ...], spend: Spend) -> bytearray:
    if len(arguments) == 2:
        arguments = (_encode(arguments, spend),)
    (content,) = arguments or (b"",)
    if not isinstance(content, bytes | bytearray):
        raise StoreError("damaged pickle: a bytearray of no bytes")
    spend(len(content))
    return bytearray(content)


def _encode(arguments: tuple[Any, ...], spend: Spend) -> bytes:
    text, encoding = arguments
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise StoreError("refused: the pickle encodes something else than bytes")
    spend(len(text))
    return text.encode("latin-1")


def _complex(arguments: tuple[Any, ...], spend: Spend) -> complex:
    if not all(type(part) in (int, float) for part in arguments):
        raise StoreError("damaged pickle: a complex number of no numbers")
    return complex(*arguments)


def _slice(arguments: tuple[Any, ...], spend: Spend) -> slice:
    if not all(part is None or type(part) is int for part in arguments):
        raise StoreError("damaged pickle: a slice of no numbers")
    return slice(*arguments)


def _reconstruct(arguments: tuple[Any, ...], spend: Spend) -> Array:
    kind, _shape, _code = arguments
    if kind is not _NDARRAY:
        raise StoreError("refused: the pickle holds a special kind of array")
    return Array()


def _frombuffer(arguments: tuple[Any, ...], spend: Spend) -> Array:
    content, dtype, shape, order, *axes = arguments
    found = Array()
    found.value = shaped(content, dtype, shape, order)
    if order == "K" and axes:
        found.value = found.value.transpose(*axes)
    return found


def _scalar(arguments: tuple[Any, ...], spend: Spend) -> Any:
    dtype, content = arguments
    if isinstance(dtype, Dtype) and not dtype.objects and content == b"":
        return "" if dtype.dtype.kind == "U" else b""
    value = shaped(content, dtype, (1,), "C")[0]
    return value.item() if isinstance(value, np.generic) else value


def _dtype(arguments: tuple[Any, ...], spend: Spend) -> Dtype:
    if not 1 <= len(arguments) <= 3:
        raise StoreError("damaged pickle: an array of no known type")
    return Dtype(arguments[0])


def _no_call(arguments: tuple[Any, ...], spend: Spend) -> NoReturn:
    raise StoreError("refused: the pickle asks for an array of a size that it claims")


_NDARRAY = Global("numpy.ndarray", _no_call)
_BUILTINS = {
    "set": lambda arguments, spend: set(_items(arguments, spend)),
    "frozenset": lambda arguments, spend: frozenset(_items(arguments, spend)),
    "bytearray": _bytearray,
    "complex": _complex,
    "slice": _slice,
}
ALLOWED: dict[tuple[str, str], Global] = {
    # Python 2, and Python 3 in protocols 0 to 2, write builtins under their old name.
    **{
        (m, n): Global(f"{m}.{n}", f)
        for m in ("builtins", "__builtin__")
        for n, f in _BUILTINS.items()
    },
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): Global("numpy.dtype", _dtype),
    ("_codecs", "encode"): Global("_codecs.encode", _encode),
}
for _core in ("numpy.core", "numpy._core"):  # before NumPy 2, and since
    for _module, _name, _call in (
        ("multiarray", "_reconstruct", _reconstruct),
        ("multiarray", "scalar", _scalar),
        ("numeric", "_frombuffer", _frombuffer),
    ):
        _key = (f"{_core}.{_module}", _name)
        ALLOWED[_key] = Global(".".join(_key), _call)

FOREIGN = {
    "joblib": "a joblib file: not read; load it where it was made and save the arrays with numpy",
    "torch": "a PyTorch file: not read; save the tensors as safetensors",
}


def find_global(module: Any, name: Any) -> Global:
    """What a pickle asks for by name.

    Raises:
        StoreError: it may not have that; the message names it.
    """
    if not isinstance(module, str) or not isinstance(name, str):
        raise StoreError("damaged pickle: a name that is no text")
    if (found := ALLOWED.get((module, name))) is not None:
        return found
    asked = re.sub(r"[^\w.]", "?", f"{module}.{name}", flags=re.ASCII)[:100]
    known = FOREIGN.get(module.split(".")[0])
    raise StoreError(f"refused: the pickle asks for {asked}" + (f" ({known})" if known else ""))
