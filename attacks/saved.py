"""What fitted attacks leave in their folder: safetensors files, the appearance model among them.

An attack that ships draws with the appearance model that ships: it keeps only that file's hash.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from attacks.base import Resources
from biometrics.errors import WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.images import digest
from biometrics.faces.shipped import shipped_model_path

APPEARANCE = "appearance.safetensors"
SHARED_APPEARANCE = "appearance.sha256"
"""Stands in the place of the appearance model where that is the one that ships."""


def read_arrays(path: Path, needed: Collection[str]) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file (read-only memory: copy before handing them to torch).

    Raises:
        WeightsError: absent, damaged, or without one of the ``needed`` names.
    """
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is not a readable attack: {error}") from error
    missing = sorted(set(needed) - set(arrays))
    if missing:
        raise WeightsError(f"{path} is not of this attack: it lacks {', '.join(missing)}")
    return arrays


def save_appearance(resources: Resources, folder: Path) -> None:
    """Put the appearance model beside the attack that draws with it."""
    resources.appearance.save(folder / APPEARANCE)


def share_appearance(folder: Path) -> None:
    """Replace the appearance model saved in ``folder``, which must be the one that ships, by its
    hash."""
    (folder / APPEARANCE).unlink()
    (folder / SHARED_APPEARANCE).write_text(digest(shipped_model_path().read_bytes()) + "\n")


def with_appearance(resources: Resources, folder: Path) -> Resources:
    """The resources with the appearance model that an attack saved beside itself, or with the one
    that ships where the attack names it.

    Raises:
        WeightsError: absent, damaged, or made for another shipped model.
    """
    note = folder / SHARED_APPEARANCE
    if note.is_file():
        path = shipped_model_path()
        if digest(path.read_bytes()) != note.read_text().strip():
            raise WeightsError(f"{folder} was made for another version of {path.name}")
        return dataclasses.replace(resources, appearance=AppearanceModel.load(path))
    return dataclasses.replace(resources, appearance=AppearanceModel.load(folder / APPEARANCE))
