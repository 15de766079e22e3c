"""What is known of an attack once it was tried."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.base import Training
from audit.likeness import Looks, read_looks
from audit.run_folder import Stage


@dataclass(frozen=True)
class Attempted:
    """What an attack made of the leaked templates; row i belongs to leaked picture i.

    Attributes:
        name, knowledge, control: of the attack.
        crops: uint8 [N, S, S, 3] at the attack's own size, memory-mapped.
        predicted: landmarks float32 [N, 68, 2] that the attack predicts, or None.
        redetected: landmarks [N, 68, 2] that dlib finds in the reconstruction; NaN without a face.
        vectors: the judges' templates of the reconstructions, float32 [N, D] each.
        looks: likeness of the reconstructions to their pictures.
        curves: training curves.
        training: what the training cost, None for what is not trained step by step.
        seconds_fit, seconds_invert: wall time.
        consulted: backbones that are no unseen judges of this attack.
        keys: of the stages that all this comes from.
    """

    name: str
    knowledge: str
    control: bool
    crops: NDArray[np.uint8]
    predicted: NDArray[np.float32] | None
    redetected: NDArray[np.float32]
    vectors: dict[str, NDArray[np.float32]]
    looks: Looks
    curves: dict[str, list[float]]
    training: Training | None
    seconds_fit: float
    seconds_invert: float
    consulted: frozenset[str]
    keys: tuple[str, ...]

    @property
    def detected(self) -> NDArray[np.bool_]:
        """Whether a face was found in the reconstruction, bool [N]."""
        return _has_face(self.redetected)


class Tried(NamedTuple):
    """The stage of an attack's reconstructions, and those of the judges' templates of them."""

    made: Stage
    judged: Mapping[str, Stage]

    @property
    def detected(self) -> NDArray[np.bool_]:
        """Whether a face was found in the reconstruction, bool [N]."""
        return _has_face(np.load(self.made.folder / "redetected.npy", allow_pickle=False))

    def vectors(self, judge: str) -> NDArray[np.float32]:
        """A judge's templates of the reconstructions [N, D]."""
        found: NDArray[np.float32] = np.load(
            self.judged[judge].folder / "vectors.npy", allow_pickle=False
        )
        return found


def read_attempted(
    name: str, tried: Tried, looks: Stage, consulted_names: frozenset[str]
) -> Attempted:
    """An attack from its finished stages."""
    made = tried.made
    record = json.loads((made.folder / "attack.json").read_text())
    predicted = made.folder / "predicted.npy"
    return Attempted(
        name=name,
        knowledge=record["knowledge"],
        control=record["control"],
        crops=np.load(made.folder / "crops.npy", mmap_mode="r", allow_pickle=False),
        predicted=np.load(predicted, allow_pickle=False) if predicted.exists() else None,
        redetected=np.load(made.folder / "redetected.npy", allow_pickle=False),
        vectors={judge: tried.vectors(judge) for judge in tried.judged},
        looks=read_looks(looks),
        curves=record["curves"],
        training=None if record["training"] is None else Training(**record["training"]),
        seconds_fit=record["seconds"]["fit"],
        seconds_invert=record["seconds"]["invert"],
        consulted=consulted_names,
        keys=(made.key, looks.key, *(stage.key for stage in tried.judged.values())),
    )


def _has_face(redetected: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(redetected).all(axis=(1, 2)))
