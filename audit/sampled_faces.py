"""Templates of people who do not exist: what an attacker without any data set can try instead of
inverting, and what a map between two backbones is fitted on where there are no photographs.

Rendering and embedding ten thousand of them takes a minute or two, so they are kept: those of dlib
ship, and the first of faceleak-mini; others lie in the cache (``audit/assets/card.md``).
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from audit.run_folder import TEMPORARY, private_files, remove
from audit.synthesis import VARIATION, generate_people
from audit.watch import Watch
from biometrics.backbones.base import Backbone, identity
from biometrics.backbones.embed import embed
from biometrics.faces.images import digest
from biometrics.faces.landmark_cache import cache_folder
from biometrics.faces.shipped import shipped_model_path

COUNT = 10_000
SEED = 1
KEY = "key"
ASSETS = Path(__file__).with_name("assets")


def sampled_templates(
    backbone: Backbone, weights: Mapping[str, str], watch: Watch, count: int = COUNT
) -> NDArray[np.float32]:
    """Templates [count, D] of sampled people, one picture each; always the same people, and fewer
    are the first of more.

    They carry eleven significant bits, which moves a similarity by less than a thousandth.

    Args:
        backbone: the model.
        weights: files that the user gave, by backbone name.
        watch: shows progress.
        count: how many, at most :data:`COUNT`.
    """
    key = _key(identity(backbone, weights))
    for path in _places(key, count):
        if (found := _read(path)) is not None:
            return found[:count].astype(np.float32)
    made = _make(backbone, watch, count)
    path = cache_folder() / _file(key, count)
    with private_files():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{TEMPORARY}{path.name}")
        try:
            save_file({"templates": made}, temporary)
            temporary.replace(path)
        finally:
            remove(temporary)
    return made.astype(np.float32)


def _make(backbone: Backbone, watch: Watch, count: int) -> NDArray[np.float16]:
    what = f"sample {count:,} people and embed them by {backbone.spec.name}"
    with watch.task(what, count) as advance:
        parts = [embed(backbone, crops, advance=advance) for crops in _people(count)]
    return np.concatenate(parts).astype(np.float16)


def _people(count: int) -> Iterator[NDArray[np.uint8]]:
    """The first of :data:`COUNT`: the draw of fewer would be other people."""
    left = count
    for crops in generate_people(COUNT, SEED):
        yield crops[:left]
        left -= len(crops)
        if left <= 0:
            return


def sampled_crops(count: int) -> NDArray[np.uint8]:
    """The pictures [count, 224, 224, 3] behind the first of :func:`sampled_templates`."""
    return np.concatenate(list(_people(count)))


def _places(key: str, count: int) -> Iterator[Path]:
    for folder in (ASSETS, cache_folder()):
        for size in (COUNT, count):
            yield folder / _file(key, size)


def _file(key: str, count: int) -> str:
    return f"sampled-{key[:16]}-{count}.safetensors"


def _read(path: Path) -> NDArray[np.float16] | None:
    try:
        found: NDArray[np.float16] = load_file(path)["templates"]
        return found
    except (OSError, SafetensorError, KeyError):
        return None  # absent, or damaged: made again


@functools.cache
def _appearance() -> str:
    return digest(shipped_model_path().read_bytes())


def _key(backbone: list[str | None]) -> str:
    """Of all that the templates depend on."""
    text = json.dumps([backbone, _appearance(), VARIATION, SEED, COUNT])
    return hashlib.sha256(text.encode()).hexdigest()
