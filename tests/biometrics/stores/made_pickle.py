"""deepface's pickle of a folder of pictures, as its documents describe it."""

from __future__ import annotations

import pickle
from typing import Any

from tests.biometrics.stores.made import MadePeople

DEEPFACE = "ds_model_{model}_detector_opencv_aligned_normalization_base_expand_0.pkl"
"""How the file is called."""


def deepface_pickle(people: MadePeople, nothing: int = 0) -> bytes:
    """A face for each template, in a folder for each person; the last faces have no template, as
    where no face was found in a picture."""
    faces: list[dict[str, Any]] = [
        _face(i, f"db/{people.names[person]}/{i}.jpg", [float(x) for x in vector])
        for i, (person, vector) in enumerate(zip(people.person, people.vectors, strict=True))
    ]
    count = len(faces)
    faces += [_face(count + i, f"db/{people.names[0]}/x{i}.jpg", None) for i in range(nothing)]
    return pickle.dumps(faces)


def _face(number: int, path: str, vector: list[float] | None) -> dict[str, Any]:
    box = {"target_x": 1, "target_y": 2, "target_w": 30, "target_h": 40}
    return {"identity": path, "hash": f"{number:040x}", "embedding": vector, **box}
