"""Names of models that are files: how they are shortened, and what of them may travel.

``target: onnx:DIR/a.onnx`` becomes ``target: onnx:a.onnx`` with ``weights: {onnx:a.onnx:
DIR/a.onnx}`` before anything else sees it, and so does each side of an adapter. Results, reports
and the names of files in a run thus hold the file's name, and its folders stand in ``audit.yaml``
alone, which does not leave the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from biometrics.backbones.adapter_name import PREFIX, Sides, adapter_sides
from biometrics.errors import ConfigError

_PLACED = re.compile(r"(?P<prefix>[a-z][a-z0-9_-]*):(?P<path>.*[/\\].*)", re.DOTALL)
"""A name with a prefix and a path that has folders."""


def name_by_file(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an audit with every model named by its file alone, and its path in weights.

    Raises:
        ValueError: two different files have one name.
    """
    shortened = dict(values)
    given = shortened.get("weights")
    weights: dict[Any, Any] = dict(given) if isinstance(given, Mapping) else {}

    def short(name: Any) -> Any:
        sides = _sides(name)
        if sides is not None:
            return Sides(*map(short, sides)).name
        found = _PLACED.fullmatch(name) if isinstance(name, str) else None
        if found is None or found["prefix"] == PREFIX:
            return name
        path = found["path"]
        label = f"{found['prefix']}:{PureWindowsPath(path).name}"
        if not _same(weights.setdefault(label, path), path):
            raise ValueError(
                f"two files are called {label}: name one by weights, such as "
                f"weights: {{{found['prefix']}:second: FILE}}"
            )
        return label

    for name in list(weights):
        if _sides(name) is not None:  # a map that was made before
            weights[short(name)] = weights.pop(name)
    if "target" in shortened:
        shortened["target"] = short(shortened["target"])
    judges = shortened.get("judges")
    shortened |= {"judges": [short(j) for j in judges]} if isinstance(judges, list | tuple) else {}
    shortened |= {"judges": short(judges)} if isinstance(judges, str) else {}
    attacks = shortened.get("attacks")
    if isinstance(attacks, list | tuple):
        shortened["attacks"] = [_settings(attack, short) for attack in attacks]
    elif isinstance(attacks, Mapping):
        shortened["attacks"] = _settings(attacks, short)
    return shortened | {"weights": weights} if weights else shortened


def _settings(attack: Any, short: Any) -> Any:
    """An attack whose settings name models by their files alone; its own name stays."""
    if not isinstance(attack, Mapping):
        return attack
    return {
        name: {key: short(value) for key, value in settings.items()}
        if isinstance(settings, Mapping)
        else settings
        for name, settings in attack.items()
    }


def _sides(name: Any) -> Sides | None:
    """Of an adapter's name; of a wrong one the error comes when it is looked up."""
    try:
        return adapter_sides(name) if isinstance(name, str) else None
    except ConfigError:
        return None


def _same(one: Any, other: Any) -> bool:
    return Path(str(one)).expanduser().resolve() == Path(str(other)).expanduser().resolve()


def without_folders(message: str, folders: Iterable[Path]) -> str:
    """A message without those folders in front of what lies in them."""
    for folder in sorted(map(str, folders), key=len, reverse=True):
        message = message.replace(f"{folder}/", "")
    return message
