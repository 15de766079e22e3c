from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from attacks.base import InversionAttack
from tests.attacks.kept import kept_attack  # noqa: F401
from tests.attacks.world import World, fit, make_world
from tests.one_thread import one_thread  # noqa: F401


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Templates with a little noise; pictures and templates cannot be written to."""
    made = make_world(0.1, tmp_path_factory.mktemp("kept"))
    for array in (made.faces.crops, made.templates.vectors, made.leaked):
        array.flags.writeable = False
    return made


@pytest.fixture(scope="session")
def noiseless(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(0.0, tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def fitted(world: World) -> Callable[[str], InversionAttack]:
    """Each attack fitted once; tests that change one must fit their own."""
    return cache(lambda name: fit(name, world))
