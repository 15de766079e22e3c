"""How long steps report progress without knowing about consoles."""

from __future__ import annotations

from collections.abc import Callable

Advance = Callable[[int], None]
"""Called with the number of items that were just finished."""


def silent(_finished: int) -> None:
    """The default: nobody watches."""
