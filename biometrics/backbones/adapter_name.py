"""The name ``adapter:SOURCE->TARGET`` and its two sides; light, for those who only read names."""

from __future__ import annotations

from typing import NamedTuple

from biometrics.errors import ConfigError

PREFIX = "adapter"
ARROW = "->"
REST = f"SOURCE{ARROW}TARGET"


class Sides(NamedTuple):
    """Names of the backbones whose templates go in and come out."""

    source: str
    target: str

    @property
    def name(self) -> str:
        """Of the adapter between them."""
        return f"{PREFIX}:{self.source}{ARROW}{self.target}"


def adapter_sides(name: str) -> Sides | None:
    """The sides of an adapter's name; None where it is the name of something else.

    Raises:
        ConfigError: it has not exactly two different sides, or one of them is an adapter.
    """
    prefix, _, rest = name.partition(":")
    if prefix != PREFIX:
        return None
    sides = rest.split(ARROW)
    if any(side.startswith(f"{PREFIX}:") for side in sides):
        raise ConfigError(f"backbone '{name}': a side of an adapter cannot be an adapter itself")
    if len(sides) != 2 or not all(sides):
        raise ConfigError(
            f"backbone '{name}': write {PREFIX}:{REST}, such as {PREFIX}:onnx:ours.onnx{ARROW}dlib"
        )
    if sides[0] == sides[1]:
        raise ConfigError(f"backbone '{name}' leads from '{sides[0]}' to itself: name two models")
    return Sides(*sides)
