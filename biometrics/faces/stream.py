"""FaceSets that are made batch by batch and written once: memory does not grow with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from biometrics.errors import InputError
from biometrics.faces.faceset import CropWriter, FaceSet

BATCH = 32


def in_batches(faces: FaceSet, size: int = BATCH) -> Iterator[FaceSet]:
    """The faces in parts of at most ``size``."""
    for start in range(0, len(faces), size):
        yield faces.take(np.arange(start, min(start + size, len(faces))))


def write_faces(batches: Iterable[FaceSet], folder: Path) -> FaceSet:
    """Write batches one after the other into an existing folder, as :meth:`FaceSet.save` would.

    A column that only some batches have is empty in the rows of the others.

    Returns:
        The whole set, its crops memory-mapped.

    Raises:
        InputError: no face in any batch.
    """
    landmarks, tables = [], []
    with closing(CropWriter(folder / "crops.npy")) as writer:
        for batch in batches:
            for crop in batch.crops:
                writer.append(crop)
            landmarks.append(batch.landmarks)
            tables.append(batch.table)
    if not any(len(table) for table in tables):
        raise InputError("no faces to write: nothing was left to train on")
    np.save(folder / "landmarks.npy", np.concatenate(landmarks), allow_pickle=False)
    table = pd.concat([table for table in tables if len(table)], ignore_index=True)
    table.to_parquet(folder / "faces.parquet", index=False)
    return FaceSet.load(folder)
