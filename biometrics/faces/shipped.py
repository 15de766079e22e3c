"""The appearance model that ships with faceleak, and on whom all that ships was trained."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from biometrics.errors import WeightsError

SHIPPED_MODEL = "appearance-lfw.safetensors"
SHIPPED_SUBJECTS = "lfw-attacker-subjects.txt"


def shipped_model_path() -> Path:
    """Where the appearance model that ships lies.

    Raises:
        WeightsError: the installation lacks it.
    """
    return _asset(SHIPPED_MODEL)


def shipped_subjects() -> frozenset[str]:
    """Names of the people on whom everything that ships was trained, as LFW writes them.

    Raises:
        WeightsError: the installation lacks the list.
    """
    return frozenset(_asset(SHIPPED_SUBJECTS).read_text(encoding="utf-8").split())


def _asset(name: str) -> Path:
    path = Path(str(files("biometrics.faces").joinpath("assets", name)))
    if not path.is_file():
        raise WeightsError(f"this installation lacks {name}; install faceleak again")
    return path
