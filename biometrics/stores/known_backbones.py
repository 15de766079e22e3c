"""What ships about backbones for stores without photographs: fingerprints and thresholds, learnt
from the people on the list of attacker subjects. No weights, no templates of anybody."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from biometrics.errors import OutputError, WeightsError
from biometrics.stores.covariances import Statistics
from biometrics.stores.fingerprint import Fingerprint

FILE = "fingerprints.safetensors"
ABOUT = "backbones"


@dataclass(frozen=True)
class Calibration:
    """At which scores a backbone takes two templates for one person's.

    Attributes:
        backbone: its name.
        sha256: of its weights; thresholds of other weights under that name differ.
        similarity: ``cosine`` or ``l2`` (minus the Euclidean distance); of raw templates.
        thresholds: score from which on two templates are accepted, by nominal FMR.
        subjects, pictures: that the non-mated pairs are of.
        norm_mean, norm_std: lengths of the raw templates of these pictures.
    """

    backbone: str
    sha256: str | None
    similarity: str
    thresholds: Mapping[float, float]
    subjects: int
    pictures: int
    norm_mean: float
    norm_std: float


@dataclass(frozen=True, eq=False)
class KnownBackbones:
    """What is known of some backbones, and its file.

    Attributes:
        fingerprints: one a backbone.
        calibrations: of those that have one.
    """

    fingerprints: tuple[Fingerprint, ...]
    calibrations: tuple[Calibration, ...] = field(default=())

    def save(self, path: Path) -> None:
        """Write a safetensors file: covariances at half precision, of each the lower triangle.

        Raises:
            OutputError: where it cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {}
        about: list[dict[str, Any]] = []
        for mark in self.fingerprints:
            arrays[f"{mark.name}/dims"] = mark.dims.astype(np.int32)
            for place, learnt in enumerate(mark.learnt):
                scale = float(np.abs(learnt.covariance).max()) or 1.0
                low = np.tril_indices(len(learnt.covariance))
                arrays[f"{mark.name}/{place}/mean"] = learnt.mean
                packed = (learnt.covariance[low] / scale).astype(np.float16)
                arrays[f"{mark.name}/{place}/covariance"] = packed
                arrays[f"{mark.name}/{place}/scale"] = np.array([scale], dtype=np.float32)
            about.append(_about(mark))
        known = [asdict(found) for found in self.calibrations]
        for record in known:
            record["thresholds"] = [[fmr, cut] for fmr, cut in record["thresholds"].items()]
        text = json.dumps({"fingerprints": about, "calibrations": known}, sort_keys=True)
        try:
            save_file(arrays, path, metadata={ABOUT: text})
        except (SafetensorError, OSError) as error:
            raise OutputError(f"{path} cannot be written: {error}") from error

    @classmethod
    def load(cls, path: Path) -> KnownBackbones:
        """Read what :meth:`save` wrote.

        Raises:
            WeightsError: where the file is not usable.
        """
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                about = json.loads((file.metadata() or {})[ABOUT])
            marks = tuple(_fingerprint(record, arrays) for record in about["fingerprints"])
            known = tuple(_calibration(record) for record in about["calibrations"])
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is no readable safetensors file: {error}") from error
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise WeightsError(f"{path} holds no fingerprints of backbones") from error
        return cls(marks, known)


def shipped_fingerprints() -> Sequence[Fingerprint]:
    """The fingerprints that ship.

    Raises:
        WeightsError: the installation lacks them.
    """
    return _shipped().fingerprints


def shipped_calibration(backbone: str) -> Calibration | None:
    """The thresholds that ship for a backbone; None where none do.

    Raises:
        WeightsError: the installation lacks the file.
    """
    found = (known for known in _shipped().calibrations if known.backbone == backbone)
    return next(found, None)


def known_path() -> Path:
    """Where the file that ships lies."""
    return Path(str(files("biometrics.stores").joinpath("assets", FILE)))


@cache
def _shipped() -> KnownBackbones:
    path = known_path()
    if not path.is_file():
        raise WeightsError(f"this installation lacks {FILE}; install faceleak again")
    return KnownBackbones.load(path)


def _about(mark: Fingerprint) -> dict[str, Any]:
    return {
        "name": mark.name,
        "dim": mark.dim,
        "norms": [mark.norm_mean, mark.norm_std],
        "learnt": [[learnt.of, learnt.rows] for learnt in mark.learnt],
    }


def _fingerprint(record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Fingerprint:
    name = record["name"]
    dims = arrays[f"{name}/dims"].astype(np.intp)
    learnt = []
    for place, (of, rows) in enumerate(record["learnt"]):
        mean = arrays[f"{name}/{place}/mean"]
        covariance = np.zeros((len(dims), len(dims)), dtype=np.float32)
        packed = arrays[f"{name}/{place}/covariance"].astype(np.float32)
        covariance[np.tril_indices(len(dims))] = packed * arrays[f"{name}/{place}/scale"]
        covariance += np.tril(covariance, -1).T
        if mean.shape != dims.shape or not np.isfinite(covariance).all():
            raise ValueError(name)
        learnt.append(Statistics(str(of), int(rows), mean.astype(np.float32), covariance))
    mean_norm, std_norm = record["norms"]
    dim = int(record["dim"])
    return Fingerprint(name, dim, dims, float(mean_norm), float(std_norm), tuple(learnt))


def _calibration(record: Mapping[str, Any]) -> Calibration:
    cuts = {float(fmr): float(cut) for fmr, cut in record["thresholds"]}
    return Calibration(**{**record, "thresholds": cuts})
