from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
import torch

from attacks.base import InversionAttack
from tests.attacks.world import World, fit, make_world


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tests share their cores; and one thread gives the same sums each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def world() -> World:
    """Templates with a little noise; pictures and templates cannot be written to."""
    made = make_world(noise=0.1)
    for array in (made.faces.crops, made.templates.vectors, made.leaked):
        array.flags.writeable = False
    return made


@pytest.fixture(scope="session")
def noiseless() -> World:
    return make_world(noise=0.0)


@pytest.fixture(scope="session")
def fitted(world: World) -> Callable[[str], InversionAttack]:
    """Each attack fitted once; tests that change one must fit their own."""
    return cache(lambda name: fit(name, world))
