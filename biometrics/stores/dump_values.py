"""Values as dumps write them: the escapes of COPY, and SQL literals. Nothing is evaluated but the
few functions that dump tools themselves write."""

from __future__ import annotations

import re
from collections.abc import Callable

from biometrics.stores.dump_lexer import grammar
from biometrics.stores.relational import Value

Converter = Callable[[bytes], Value]


class UnreadableValue(ValueError):
    """A value is not one; the message says why without any of its content."""


COPY_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.DOTALL)
CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
EXTENDED_ESCAPE = re.compile(
    rb"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)|''", re.DOTALL
)
MYSQL_ESCAPE = re.compile(rb"\\(.)|''", re.DOTALL)
MYSQL_CONTROL = CONTROL | {b"0": b"\0", b"Z": b"\x1a", b"%": b"\\%", b"_": b"\\_"}
for _other in (b"f", b"v"):
    del MYSQL_CONTROL[_other]
BYTEA_ESCAPE = re.compile(rb"\\([0-7]{3}|\\)")
NUMBER = re.compile(rb"([-+]?\d{1,40})|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,5})?")
CAST = re.compile(rb"\s*::\s*([^']*)")
INTRODUCER = re.compile(rb"_(\w+)\s*(?=['0xX])")
CALL = re.compile(rb"(replace|char|unistr|CAST|ARRAY)\s*(?=[(\[])", re.IGNORECASE)
UNISTR = re.compile(r"\\(\\|[0-9A-Fa-f]{4}|\+[0-9A-Fa-f]{6}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})")
BINARY_TYPE = re.compile(r"(?i)(bytea|(tiny|medium|long)?blob|(var)?binary\b.*)$")
HEX = re.compile(rb"\\x(?:[0-9a-fA-F]{2})*+")


def copy_converter(declared: str, encoding: str) -> Converter:
    r"""What reads a field of COPY: ``\N`` is None, bytea comes as bytes, all else as text."""
    binary, typed = bool(BINARY_TYPE.match(declared)), bool(declared)

    def convert(raw: bytes) -> Value:
        if b"\\" in raw:
            if raw == b"\\N":
                return None
            raw = COPY_ESCAPE.sub(_copy_escape, raw)
            if not typed and HEX.fullmatch(raw):
                return bytea(raw)
        return bytea(raw) if binary else raw.decode(encoding, "replace")

    return convert


def _copy_escape(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if code in CONTROL:
        return CONTROL[code]
    if code[:1] == b"x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if b"0" <= code[:1] <= b"7":
        return bytes([int(code, 8) & 255])
    return code


def bytea(raw: bytes) -> bytes:
    """Bytes from PostgreSQL's two ways to write them: hexadecimal, or octal escapes.

    Raises:
        UnreadableValue: it begins as hexadecimal and is none.
    """
    if raw[:2] == b"\\x":
        try:
            return bytes.fromhex(raw[2:].decode("ascii"))
        except ValueError:
            raise UnreadableValue("binary value that is no hexadecimal") from None
    return BYTEA_ESCAPE.sub(
        lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1], 8) & 255]), raw
    )


def sql_converter(declared: str, encoding: str, engine: str, backslash: bool) -> Converter:
    """What reads a value between the commas of INSERT."""
    binary = bool(BINARY_TYPE.match(declared))
    hexadecimal = engine == "postgresql" and not declared
    literal = _Literal(encoding, engine, backslash)

    def convert(raw: bytes) -> Value:
        found = literal.read(raw.strip(), binary)
        if hexadecimal and isinstance(found, str) and HEX.fullmatch(found.encode()):
            return bytea(found.encode())
        return found

    return convert


class _Literal:
    """Reads SQL literals; brackets within brackets are as many as a row may have."""

    def __init__(self, encoding: str, engine: str, backslash: bool) -> None:
        self.encoding, self.engine, self.backslash = encoding, engine, backslash
        self.grammar = grammar(engine, backslash)

    def read(self, raw: bytes, binary: bool) -> Value:
        first = raw[:1]
        if first == b"'":
            return self._string(raw, binary, self.backslash)
        if raw.upper() in (b"NULL", b"TRUE", b"FALSE"):
            return {b"N": None, b"T": True, b"F": False}[first.upper()]
        number = raw if CAST.search(raw) is None else raw.partition(b"::")[0].strip()
        if (found := NUMBER.fullmatch(number)) is not None:
            return int(number) if found[1] else float(number)
        if first in b"xX0" and raw[:2].lower() in (b"x'", b"0x"):
            return self._hexadecimal(raw)
        if first in b"eE" and raw[1:2] == b"'" and self.engine == "postgresql":
            return self._string(raw[1:], binary, True)
        if first in b"bB" and re.fullmatch(rb"[bB]'[01]{0,64}'", raw):
            return int(raw[2:-1] or b"0", 2)
        if first in b"nN" and raw[1:2] == b"'":
            return self._string(raw[1:], binary, self.backslash)
        if (found := INTRODUCER.match(raw)) is not None:
            return self.read(raw[found.end() :], binary or found[1].lower() == b"binary")
        if (found := CALL.match(raw)) is not None:
            return self._call(found[1].lower(), raw[found.end() :], binary)
        if first == b"(" and raw[-1:] == b")":
            return self.read(raw[1:-1].strip(), binary)
        raise UnreadableValue("an expression instead of a value")

    def _hexadecimal(self, raw: bytes) -> bytes:
        digits = raw[2:-1] if raw[1:2] == b"'" else raw[2:]
        try:
            return bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            raise UnreadableValue("binary value that is no hexadecimal") from None

    def _string(self, raw: bytes, binary: bool, backslash: bool) -> Value:
        found = grammar(self.engine, backslash).string.match(raw)
        if found is None:
            raise UnreadableValue("a string without an end")
        if (behind := raw[found.end() :]).strip():
            if (cast := CAST.fullmatch(behind)) is None:
                raise UnreadableValue("an expression instead of a value")
            binary = binary or cast[1].strip().lower() == b"bytea"
        content = found[0][1:-1]
        if not backslash:
            content = content.replace(b"''", b"'")
        elif b"\\" in content or b"'" in content:
            content = self._unescape(content)
        if not binary:
            return content.decode(self.encoding, "replace")
        return bytea(content) if self.engine == "postgresql" else content

    def _unescape(self, content: bytes) -> bytes:
        if self.engine == "mysql":
            return MYSQL_ESCAPE.sub(
                lambda found: MYSQL_CONTROL.get(found[1], found[1]) if found[1] else b"'", content
            )
        return EXTENDED_ESCAPE.sub(self._extended, content)

    def _extended(self, found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code is None:
            return b"'"
        if code[:1] in b"uU" and len(code) > 1:
            number = int(code[1:], 16)
            return chr(number).encode(self.encoding, "replace") if number < 0x110000 else b"?"
        return b"v" if code == b"v" else _copy_escape(found)

    def _call(self, name: bytes, rest: bytes, binary: bool) -> Value:
        if name == b"array":
            return self._array(rest.partition(b"::")[0].strip())
        if rest[-1:] != b")":
            raise UnreadableValue("an expression instead of a value")
        inner = rest[1:-1]
        if name == b"cast":
            value, _, kind = inner.rpartition(b" AS ")
            return self.read(value.strip(), binary or kind.strip().lower() == b"bytea")
        parts = [self.read(part.strip(), False) for part in self.grammar.field.findall(inner)]
        match name, parts:
            case b"char", [int(code)] if 0 <= code < 0x110000:
                return chr(code)
            case b"replace", [str(text), str(old), str(new)] if len(new) <= len(old):
                return text.replace(old, new)
            case b"unistr", [str(text)]:
                return UNISTR.sub(_unistr, text)
        raise UnreadableValue("an expression instead of a value")

    def _array(self, raw: bytes) -> str:
        """As COPY writes it: ``{0.5,NULL}``; strings in it keep their quotes."""
        if not re.fullmatch(rb"[-+0-9.,eE\s\[\]NULAnulay]*+", raw):
            texts = [self.read(part.strip(), False) for part in self._elements(raw)]
            quoted = (str(text).replace("\\", "\\\\").replace('"', '\\"') for text in texts)
            return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
        plain = re.sub(rb"(?i)array|\s", b"", raw)
        return plain.replace(b"[", b"{").replace(b"]", b"}").decode("ascii")

    def _elements(self, raw: bytes) -> list[bytes]:
        if raw[:1] != b"[" or raw[-1:] != b"]":
            raise UnreadableValue("an expression instead of a value")
        found: list[bytes] = self.grammar.field.findall(raw[1:-1])
        return found


def _unistr(found: re.Match[str]) -> str:
    code = found[1].lstrip("+uU")
    if code == "\\":
        return code
    number = int(code, 16)
    return chr(number) if number < 0x110000 else "\ufffd"
