"""What is known of pictures besides who they show, for schemes that hide attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from audit.people import People
from audit.protect.settings import LANDMARKS, ProtectSettings
from audit.store_labels import read_store_labels
from biometrics.errors import InputError
from biometrics.faces.traits import mouth_open, smiling

YES, NO = {"1", "true", "yes", "y"}, {"0", "false", "no", "n", "-1"}


def read_attributes(sizes: ProtectSettings, people: People) -> Mapping[str, NDArray[np.bool_]]:
    """By name, whether the picture of each face shows it, bool [M]; empty without labels.

    The file has one line a picture (``template_id``, the path below the folder of faces) or one a
    person (``subject_id``), and a column of yes or no for each attribute.

    Raises:
        InputError: not such a file, a value that is neither yes nor no, pictures without a label.
    """
    faces = people.faces
    if sizes.labels is None:
        return {}
    if sizes.labels == LANDMARKS:
        return {"mouth open": mouth_open(faces.landmarks), "smile": smiling(faces.landmarks)}
    path = sizes.label_file
    assert path is not None
    ids = faces.table["face_id"].to_numpy(dtype=str).tolist()
    names = faces.subject_ids.tolist()
    found = read_store_labels(path, ids, names, names)
    return {name: _flags(name, values) for name, values in found.values.items()}


def _flags(name: str, values: Sequence[str | None]) -> NDArray[np.bool_]:
    if (missing := sum(value is None for value in values)) > 0:
        raise InputError(
            f"protect.labels: {missing:,} of {len(values):,} pictures have no '{name}'; "
            "label all pictures, or leave the column out"
        )
    plain = [str(value).strip().lower() for value in values]
    if strange := sorted({*plain} - YES - NO):
        raise InputError(
            f"protect.labels: '{name}' must be yes or no (1 or 0), not '{strange[0][:40]}'"
        )
    return np.array([value in YES for value in plain], dtype=bool)
