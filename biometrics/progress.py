"""How long steps report progress without knowing about consoles."""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[int], None]
"""Called with the number of items that were just finished."""

Expect = Callable[[int], None]
"""Called with the number of all items, once it is known."""


def silent(_items: int) -> None:
    """The default: nobody watches."""
