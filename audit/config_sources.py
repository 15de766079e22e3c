"""Where settings come from: each source is read into a layer, and layers are laid on each other."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from biometrics.errors import ConfigError, did_you_mean
from biometrics.strict_yaml import YamlError, parse_yaml

ENV_PREFIX = "FACELEAK_CFG__"


class Layer(NamedTuple):
    """Settings from one source, as nested mappings, and what to call that source in messages."""

    origin: str
    values: dict[str, Any]


def read_yaml(text: str, origin: str) -> Any:
    """Parse YAML.

    Raises:
        ConfigError: naming the origin and the line of the problem.
    """
    try:
        return parse_yaml(text, origin)
    except YamlError as error:
        raise ConfigError(str(error)) from error


def bundled_names() -> list[str]:
    """Names of the configurations that ship."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in resources.files("configs").iterdir()
        if entry.name.endswith(".yaml")
    )


def bundled(name: str) -> Traversable:
    """The file of a configuration that ships."""
    return resources.files("configs").joinpath(f"{name}.yaml")


def find_config(source: Path | str) -> Path | Traversable:
    """The file of that path, or the shipped configuration of that name (``demo``,
    ``demo.yaml`` or ``configs/demo.yaml``).

    Raises:
        ConfigError: listing what ships.
    """
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"no home folder for '{source}'") from error
    if path.is_file():
        return path
    name = path.name.removesuffix(".yaml")
    if path.parent in (Path("."), Path("configs")) and name in bundled_names():
        return bundled(name)
    hint = did_you_mean(name, bundled_names())
    raise ConfigError(
        f"no configuration '{source}'{hint}: give a YAML file, or one that ships: "
        + ", ".join(bundled_names())
    )


def file_layer(source: Path | str | Traversable) -> Layer:
    """The settings of a file or of a configuration that ships.

    Raises:
        ConfigError: where it is absent, unreadable, not YAML or not a mapping.
    """
    try:
        file = find_config(source) if isinstance(source, str | Path) else source
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read the configuration {source}: {reason}") from error
    values = read_yaml(text, str(source))
    if values is None:
        values = {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{source}: expected 'key: value' lines at the top level")
    return Layer(str(source), values)


def environment_layer(environ: Mapping[str, str]) -> list[Layer]:
    """One layer for each variable ``FACELEAK_CFG__KEY__SUB``, in alphabetical order."""
    layers = []
    for variable in sorted(environ):
        if variable.startswith(ENV_PREFIX):
            keys = variable.removeprefix(ENV_PREFIX).lower().split("__")
            value = read_yaml(environ[variable], f"the environment variable {variable}")
            layers.append(Layer(f"the environment variable {variable}", _nested(keys, value)))
    return layers


def override_layer(text: str) -> Layer:
    """The layer of one ``key.sub=value``.

    Raises:
        ConfigError: where it has another form.
    """
    key, equals, value = text.partition("=")
    keys = key.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set takes key.sub=value, such as fmr=[1e-2,1e-3]; got '{text}'")
    return Layer(f"--set {key.strip()}", _nested(keys, read_yaml(value, f"--set {key.strip()}")))


def merge(layers: Sequence[Layer]) -> dict[str, Any]:
    """Lay the layers on each other: later ones win, mappings are merged, lists are replaced."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _laid_on(merged, layer.values)
    return merged


def names_store(
    source: Path | str | None, overrides: Sequence[str], environ: Mapping[str, str]
) -> bool:
    """Whether settings from all these sources name a leaked store: then they are an audit's of a
    store, not of faces.

    Raises:
        ConfigError: a source cannot be read.
    """
    layers = [] if source is None else [file_layer(source)]
    layers += [*environment_layer(environ), *(override_layer(text) for text in overrides)]
    return merge(layers).get("store") is not None


def check_keys(model: type[BaseModel], layer: Layer) -> None:
    """Refuse keys that the model does not know, before the layers are mixed: so the message can
    name the source.

    Raises:
        ConfigError: with the full dotted key, its source and the nearest known key.
    """
    for dotted in _unknown(model, layer.values, ()):
        hint = did_you_mean(dotted, _near_first(dotted, list(known_keys(model))))
        hint = hint or f"; known: {', '.join(model.model_fields)}"
        raise ConfigError(f"unknown setting '{dotted}' in {layer.origin}{hint}")


def known_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All dotted keys of a model."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        group = _group_of(field.annotation)
        if group is not None:
            yield from known_keys(group, f"{prefix}{name}.")


def _unknown(
    model: type[BaseModel], values: Mapping[str, Any], parents: tuple[str, ...]
) -> Iterator[str]:
    for key, value in values.items():
        path = (*parents, str(key))
        if key not in model.model_fields:
            yield ".".join(path)
            continue
        group = _group_of(model.model_fields[key].annotation)
        if group is not None and isinstance(value, Mapping):
            yield from _unknown(group, value, path)


def _near_first(dotted: str, known: list[str]) -> list[str]:
    """The keys of the same last word where one is close; else those of the same group; else all."""
    parent, _, last = dotted.rpartition(".")
    same = [key for key in known if key.rpartition(".")[2] == last]
    siblings = [key for key in known if key.rpartition(".")[0] == parent]
    if not did_you_mean(dotted, same) and did_you_mean(dotted, siblings):
        return siblings
    return same or known


def _group_of(annotation: Any) -> type[BaseModel] | None:
    """The settings model inside an annotation such as ``SynthSettings | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return next(filter(None, map(_group_of, get_args(annotation))), None)
    return None


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    result: dict[str, Any] = value
    return result


def _laid_on(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    mixed = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(mixed.get(key), Mapping):
            value = _laid_on(mixed[key], value)
        mixed[key] = value
    return mixed
