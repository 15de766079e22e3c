"""The appearance model that ships with faceleak."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from biometrics.errors import WeightsError

SHIPPED_MODEL = "appearance-lfw.safetensors"


def shipped_model_path() -> Path:
    """Where the appearance model that ships lies.

    Raises:
        WeightsError: the installation lacks it.
    """
    path = Path(str(files("biometrics.faces").joinpath("assets", SHIPPED_MODEL)))
    if not path.is_file():
        raise WeightsError(f"this installation lacks {SHIPPED_MODEL}; install faceleak again")
    return path
