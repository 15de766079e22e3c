from __future__ import annotations

import numpy as np
import pytest

from attacks.perturbation.base import Pictures, picture_seeds
from tests.biometrics.faces.drawn import random_faces


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Four smooth random pictures with landmarks about a plain face, read-only."""
    faces = random_faces(4, 1)
    seeds = picture_seeds(faces.table["face_id"], purpose="test", seed=1)
    made = Pictures(np.array(faces.crops), np.array(faces.landmarks), seeds)
    for array in (made.crops, made.landmarks, made.seeds):
        array.flags.writeable = False
    return made
