"""How single values of a configuration are written: rates, attacks, lists, names and paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer


class Fmr(NamedTuple):
    """A false match rate as it is written and as a number."""

    label: str
    value: float


class SchemeChoice(NamedTuple):
    """A protection by its registered name, or ``name:variant`` where one run tries it several
    times, with the settings that differ from its defaults."""

    name: str
    settings: dict[str, Any]


class AttackChoice(NamedTuple):
    """An attack by its registered name, or ``name:variant`` where one run holds it several times,
    with the settings that differ from its defaults."""

    name: str
    settings: dict[str, Any]


def parse_fmr(given: object) -> Fmr:
    """``"1e-2"``, ``0.01`` or a parsed one to its canonical label and value.

    Raises:
        ValueError: for anything but one digit times a power of ten, from 1e-9 to 9e-1.
    """
    if isinstance(given, Fmr):
        return given
    try:
        value = float(given) if isinstance(given, str | int | float) else float("nan")
    except ValueError:
        value = float("nan")
    label = f"{value:.0e}".replace("e-0", "e-") if 1e-9 <= value < 1 else ""
    if not label or not math.isclose(float(label), value, rel_tol=1e-9):
        raise ValueError(f"expected a false match rate such as 1e-3 or 5e-4; got {given!r}")
    return Fmr(label, float(label))


def parse_attack(given: object) -> AttackChoice:
    """``name`` or ``{name: {setting: value}}`` to a choice.

    Raises:
        ValueError: for any other shape.
    """
    return AttackChoice(*_named("an attack", given))


def parse_scheme(given: object) -> SchemeChoice:
    """As :func:`parse_attack`, for a protection."""
    return SchemeChoice(*_named("a protection", given))


def _named(what: str, given: object) -> tuple[str, dict[str, Any]]:
    if isinstance(given, AttackChoice | SchemeChoice):
        return given.name, given.settings
    if isinstance(given, str):
        return given, {}
    if isinstance(given, Mapping) and len(given) == 1:
        ((name, settings),) = given.items()
        if settings is None or isinstance(settings, Mapping):
            return str(name), dict(settings or {})
    raise ValueError(f"{what} is a name, or one name with its settings; got {given!r}")


def listed(given: object) -> object:
    """One value where a list belongs is a list of one."""
    return [given] if isinstance(given, str | int | float | Mapping) else given


def _expanded(given: object) -> object:
    """A path as text, or a folder name that YAML read as a number, with ``~`` resolved."""
    if isinstance(given, str | int) and not isinstance(given, bool) and given != "":
        try:
            return Path(str(given)).expanduser()
        except RuntimeError as error:
            raise ValueError(f"no home folder for {given!r}") from error
    return given


def refuse_twice(names: Sequence[str]) -> None:
    """Raises ValueError where a name stands twice."""
    twice = {name for name in names if list(names).count(name) > 1}
    if twice:
        raise ValueError(f"'{min(twice)}' is named twice")


FmrEntry = Annotated[Fmr, BeforeValidator(parse_fmr), PlainSerializer(lambda fmr: fmr.label)]
AttackEntry = Annotated[
    AttackChoice,
    BeforeValidator(parse_attack),
    PlainSerializer(
        lambda attack: {attack.name: attack.settings} if attack.settings else attack[0]
    ),
]
SchemeEntry = Annotated[
    SchemeChoice,
    BeforeValidator(parse_scheme),
    PlainSerializer(
        lambda scheme: {scheme.name: scheme.settings} if scheme.settings else scheme[0]
    ),
]
Name = Annotated[str, Field(min_length=1)]
UserPath = Annotated[Path, BeforeValidator(_expanded)]
