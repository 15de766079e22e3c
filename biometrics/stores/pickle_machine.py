"""Reads a pickle without Python's ``pickle``: a stack machine that knows the instructions which
build data, and only these.

A pickle is a program. Python's own machine calls whatever it names; this one has no way to import,
call or change anything but the stand-ins of :mod:`biometrics.stores.pickle_globals`. Work and
memory are bounded by the file's size: no instruction allocates what it claims, and what is copied
or spread out of the memo is counted.

Source of the instructions: the documentation of Python's ``pickletools``.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from biometrics.errors import StoreError
from biometrics.stores.pickle_globals import Array, Dtype, Global, find_global, hashable
from biometrics.stores.plain_file import DEPTH, Plain

FREE_BYTES, FREE_NODES = 16 << 20, 64
"""What a pickle of any size may copy in bytes, and hold in values."""

BYTES_PER_BYTE, NODES_PER_BYTE = 64, 4
"""What it may copy and hold besides for each of its own bytes."""

LONGEST_INT = 128
"""Bytes of a whole number."""

LONG_LIST = 8
"""From so many numbers on, a list of Python floats becomes an array."""

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that begins a PyTorch file of before 1.6, which is a row of pickles."""


def load_plain(data: bytes) -> Plain:
    """The object in a pickle as plain Python and NumPy; see
    :func:`biometrics.stores.pickle_file.read_pickle`
    for the contract. Safe in any process.

    Raises:
        StoreError: refused or damaged.
    """
    machine = _Machine(data)
    try:
        value = machine.run()
        if type(value) is int and value == TORCH_MAGIC:
            raise StoreError("a PyTorch file: not read; save the tensors as safetensors")
        return machine.plain(value, 0)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise StoreError(f"damaged pickle near byte {machine.at:,}") from error
    except (struct.error, RecursionError, SystemError) as error:
        raise StoreError(f"damaged pickle near byte {machine.at:,}") from error


class _Machine:
    """One run over one pickle.

    Attributes:
        data: the pickle.
        at: the place of the next instruction.
        stack: values; ``marks`` are heights of it.
        memo: values by number.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.bytes_left = FREE_BYTES + BYTES_PER_BYTE * len(data)
        self.nodes_left = FREE_NODES + NODES_PER_BYTE * len(data)

    def run(self) -> Any:
        """What is on top when the pickle says that it is done."""
        data, size = self.data, len(self.data)
        while self.at < size:
            code = data[self.at]
            self.at += 1
            if code == STOP:
                return self.pop()
            step = STEPS.get(code)
            if step is None:
                raise StoreError(_refusal(code))
            step(self)
        raise StoreError("damaged pickle: it has no end")

    def spend(self, count: int) -> None:
        """Count bytes that are about to be copied."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise StoreError("refused: the pickle unfolds to far more than its size")

    def take(self, count: int) -> bytes:
        """The next bytes; a claim of more than there are is an error before anything is copied."""
        start, end = self.at, self.at + count
        if end > len(self.data):
            raise StoreError("damaged pickle: it is cut short, or claims more than there is")
        self.at = end
        return self.data[start:end]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise StoreError("damaged pickle: it is cut short")
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise StoreError("damaged pickle: it takes what it never gave")
        return self.stack.pop()

    def top(self) -> Any:
        value = self.pop()
        self.stack.append(value)
        return value

    def items(self) -> list[Any]:
        """Everything above the last mark."""
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def floats(self) -> None:
        """A run of floats of nine bytes each, taken at once: lists of them are most of a store."""
        start = self.at - 1
        if self.data[start + 9 : start + 10] != b"G":
            self.stack.append(struct.unpack(">d", self.take(8))[0])
            return
        whole = np.frombuffer(self.data, np.uint8, (len(self.data) - start) // 9 * 9, start)
        length, step = 0, 64
        codes = whole[::9]
        while length < len(codes):
            block = codes[length : length + step] != BINFLOAT
            if block.any():
                length += int(block.argmax())
                break
            length, step = length + len(block), 2 * step
        numbers = whole[: 9 * length].reshape(length, 9)[:, 1:]
        self.stack += np.ascontiguousarray(numbers).view(">f8").ravel().tolist()
        self.at = start + 9 * length

    def remember(self, index: int) -> None:
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Global) or type(arguments) is not tuple:
            raise StoreError("refused: the pickle calls what is no function")
        self.stack.append(function.call(arguments, self.spend))

    def build(self) -> None:
        state, built = self.pop(), self.top()
        if not isinstance(built, Array | Dtype):
            raise StoreError("refused: the pickle changes an object from inside")
        built.build(state)

    def named(self) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(find_global(module, name))

    def named_in_lines(self) -> None:
        module, name = self.line().decode(), self.line().decode()
        self.stack.append(find_global(module, name))

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if type(target) is not list:
            raise StoreError("damaged pickle: it appends to what is no list")
        target += items

    def insert(self, items: list[Any]) -> None:
        target = self.top()
        if type(target) is not dict:
            raise StoreError("damaged pickle: it fills what is no dictionary")
        target.update(_pairs(items))

    def add(self, items: list[Any]) -> None:
        target = self.top()
        if type(target) is not set:
            raise StoreError("damaged pickle: it adds to what is no set")
        target.update(hashable(item) for item in items)

    def plain(self, value: Any, depth: int) -> Plain:
        """The value without stand-ins; what is shared is counted as often as it occurs."""
        self.nodes_left -= 1
        if self.nodes_left < 0:
            raise StoreError("refused: the pickle unfolds to far more than its size")
        kind = type(value)
        if kind is Array:
            value = value.value
            kind = type(value)
        if kind in (str, bytes, bytearray):
            self.spend(len(value))
            return value
        if value is None or kind in (bool, int, float, complex):
            return value
        if kind is np.ndarray:
            self.spend(value.nbytes)
            return np.asarray(value, value.dtype.newbyteorder("="), order="C")
        if kind is list and _are_floats(value):
            self.nodes_left -= len(value)
            return np.array(value, np.float64)
        if depth >= DEPTH:
            raise StoreError(f"refused: the pickle is nested deeper than {DEPTH} levels")
        if kind in (list, tuple):
            return kind(self.plain(item, depth + 1) for item in value)
        if kind is dict:
            return {key: self.plain(item, depth + 1) for key, item in value.items()}
        if kind in (set, frozenset):
            self.nodes_left -= len(value)
            return set(value)
        if kind is slice:
            return (value.start, value.stop, value.step)
        raise StoreError("damaged pickle: it holds half an object")


def _are_floats(items: list[Any]) -> bool:
    if len(items) < LONG_LIST:
        return False
    kinds = set(map(type, items))
    if kinds == {float}:
        return True
    return kinds == {float, int} and all(abs(i) < 2**53 for i in items if type(i) is int)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    keys = map(hashable, items[::2])
    return dict(zip(keys, items[1::2], strict=True))


def _integer(text: bytes) -> int | bool:
    if text in (b"00", b"01"):  # how protocols 0 and 1 write False and True
        return text == b"01"
    if len(text) > 2 * LONGEST_INT:
        raise StoreError("damaged pickle: a number of far too many digits")
    return int(text.rstrip(b"L"))


def _long(raw: bytes) -> int:
    if len(raw) > LONGEST_INT:
        raise StoreError("damaged pickle: a number of far too many digits")
    return int.from_bytes(raw, "little", signed=True)


def _quoted(text: bytes) -> str:
    if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
        raise StoreError("damaged pickle: a text without quotes")
    raw: bytes = codecs.escape_decode(text[1:-1])[0]
    return _old(raw)


def _old(raw: bytes) -> str:
    """Text of Python 2, where it may also be the bytes of an array: nothing may be lost."""
    return raw.decode("utf-8", "surrogateescape")


def _new(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _refusal(code: int) -> str:
    kinds = {
        **dict.fromkeys(b"PQ", "asks for objects from outside"),
        **dict.fromkeys(b"\x82\x83\x84", "asks for a registered extension"),
        **dict.fromkeys(b"o\x81\x92", "makes objects of a class"),
        **dict.fromkeys(b"\x97\x98", "asks for buffers from outside"),
    }
    if code in kinds:
        return f"refused: the pickle {kinds[code]}"
    return f"damaged pickle: {code:#04x} is no instruction"


def _instance(machine: _Machine) -> None:
    """The oldest way to call something: a module and a name in lines."""
    machine.named_in_lines()
    raise StoreError("refused: the pickle makes objects of a class")


def _push(read: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(read(machine))


def _tuple(count: int) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.stack.append(tuple(items[::-1]))

    return step


def _drop(machine: _Machine) -> None:
    """POP takes the last mark where nothing is above it."""
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop()


STOP, BINFLOAT = ord("."), ord("G")
STEPS: dict[int, Callable[[_Machine], Any]] = {
    0x80: lambda m: m.take(1),  # protocol
    0x95: lambda m: m.take(8),  # frame: how much to read at once; all is read
    ord("("): lambda m: m.marks.append(len(m.stack)),
    ord("0"): _drop,
    ord("1"): lambda m: m.items(),
    ord("2"): lambda m: m.stack.append(m.top()),
    ord("N"): _push(lambda m: None),
    0x88: _push(lambda m: True),
    0x89: _push(lambda m: False),
    ord("I"): _push(lambda m: _integer(m.line())),
    ord("L"): _push(lambda m: _integer(m.line())),
    ord("K"): _push(lambda m: m.number(1)),
    ord("M"): _push(lambda m: m.number(2)),
    ord("J"): _push(lambda m: _long(m.take(4))),
    0x8A: _push(lambda m: _long(m.take(m.number(1)))),
    0x8B: _push(lambda m: _long(m.take(m.number(4)))),
    ord("F"): _push(lambda m: float(m.line())),
    BINFLOAT: _Machine.floats,
    ord("S"): _push(lambda m: _quoted(m.line())),
    ord("T"): _push(lambda m: _old(m.take(m.number(4)))),
    ord("U"): _push(lambda m: _old(m.take(m.number(1)))),
    ord("V"): _push(lambda m: m.line().decode("raw-unicode-escape")),
    ord("X"): _push(lambda m: _new(m.take(m.number(4)))),
    0x8C: _push(lambda m: _new(m.take(m.number(1)))),
    0x8D: _push(lambda m: _new(m.take(m.number(8)))),
    ord("B"): _push(lambda m: m.take(m.number(4))),
    ord("C"): _push(lambda m: m.take(m.number(1))),
    0x8E: _push(lambda m: m.take(m.number(8))),
    0x96: _push(lambda m: bytearray(m.take(m.number(8)))),
    ord("]"): _push(lambda m: []),
    ord("}"): _push(lambda m: {}),
    ord(")"): _push(lambda m: ()),
    0x8F: _push(lambda m: set()),
    ord("l"): _push(lambda m: m.items()),
    ord("t"): _push(lambda m: tuple(m.items())),
    ord("d"): _push(lambda m: _pairs(m.items())),
    0x91: _push(lambda m: frozenset(hashable(item) for item in m.items())),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("a"): lambda m: m.append([m.pop()]),
    ord("e"): lambda m: m.append(m.items()),
    ord("s"): lambda m: m.insert([m.pop(), m.pop()][::-1]),
    ord("u"): lambda m: m.insert(m.items()),
    0x90: lambda m: m.add(m.items()),
    ord("p"): lambda m: m.remember(int(m.line())),
    ord("q"): lambda m: m.remember(m.number(1)),
    ord("r"): lambda m: m.remember(m.number(4)),
    0x94: lambda m: m.remember(len(m.memo)),
    ord("g"): lambda m: m.recall(int(m.line())),
    ord("h"): lambda m: m.recall(m.number(1)),
    ord("j"): lambda m: m.recall(m.number(4)),
    ord("c"): _Machine.named_in_lines,
    0x93: _Machine.named,
    ord("R"): _Machine.call,
    ord("b"): _Machine.build,
    ord("i"): _instance,
}
"""What each instruction does, by its code."""
