"""What fitted attacks leave in their folder: safetensors files, the appearance model among them."""

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

APPEARANCE = "appearance.safetensors"


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


def with_appearance(resources: Resources, folder: Path) -> Resources:
    """The resources with the appearance model that an attack saved beside itself.

    Raises:
        WeightsError: absent or damaged.
    """
    return dataclasses.replace(resources, appearance=AppearanceModel.load(folder / APPEARANCE))
