"""People who do not exist, sampled from the appearance model that ships."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.faces.resize import to_canonical
from biometrics.faces.shipped import shipped_model_path
from biometrics.progress import Advance, silent

BATCH = 64

VARIATION = 0.5
"""Share of LFW's deviation within subjects that sampled pictures have. A linear model mixes pose
and light with identity: at 1.0 recognition models tell sampled people apart far worse than
photographed ones (docs/results.md has the figures), at 0.5 nearly as well."""


def generate_faces(
    people: int,
    pictures: int,
    seed: int,
    *,
    model: AppearanceModel | None = None,
    advance: Advance = silent,
) -> FaceSet:
    """Sample people with several pictures each; subjects are named ``person-00001`` and so on.

    Args:
        people, pictures: how many, and pictures of each.
        seed: the same seed gives the same people.
        model: the one that ships where None.
        advance: told about every picture.
    """
    model = model or AppearanceModel.load(shipped_model_path())
    sampled = model.sample(people, pictures, seed, variation=VARIATION)
    crops = np.empty((len(sampled.person), CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    landmarks = np.empty((len(sampled.person), 68, 2), dtype=np.float32)
    for rows, made in _drawn(model, sampled.coefficients):
        crops[rows], landmarks[rows] = made
        advance(len(made.crops))
    return FaceSet(crops, landmarks, _table(sampled.person, pictures))


def generate_people(count: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Crops [B, 224, 224, 3] of people with one picture each, a batch at a time: those of
    ``generate_faces(count, 1, seed)``, for more of them than memory holds."""
    model = AppearanceModel.load(shipped_model_path())
    sampled = model.sample(count, 1, seed, variation=VARIATION)
    for _, made in _drawn(model, sampled.coefficients):
        yield made.crops


class _Made(NamedTuple):
    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def _drawn(
    model: AppearanceModel, coefficients: NDArray[np.float32]
) -> Iterator[tuple[slice, _Made]]:
    for start in range(0, len(coefficients), BATCH):
        batch = torch.from_numpy(coefficients[start : start + BATCH])
        with torch.inference_mode():
            decoded = model.decode(batch)
            made = model.compose(decoded.textures, decoded.landmarks)
        rows = slice(start, start + len(batch))
        yield rows, _Made(to_canonical(made.numpy()), decoded.landmarks.numpy())


def _table(person: NDArray[np.int64], pictures: int) -> pd.DataFrame:
    names = [f"person-{number + 1:05d}" for number in person]
    ids = [f"{name}/{name}_{1 + row % pictures:04d}" for row, name in enumerate(names)]
    return pd.DataFrame({"face_id": ids, "subject_id": names})
