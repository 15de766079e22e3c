"""Pictures of people whose templates were attacked, as reports show them beside what was made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from audit.pseudonyms import pseudonym, pseudonym_salt
from audit.workbench import Workbench
from biometrics.faces.images import digest


class Original(NamedTuple):
    """Pseudonyms of a template and of its subject, and the picture's path within the run."""

    template: str
    subject: str
    picture: str


def save_original(bench: Workbench, figures: str, row: int) -> Original:
    """Write one person's own picture below ``figures`` of the run, unless it is there."""
    faces, salt, root = bench.people.faces, pseudonym_salt(), bench.shared.path
    template = pseudonym(str(faces.table["face_id"].iloc[row]), salt, "T")
    subject = pseudonym(str(faces.subject_ids[row]), salt, "S")
    crop = np.ascontiguousarray(faces.crops[row])
    # The same for many conditions: by its content, so that it is written once and never stale.
    picture = f"{figures}/original/{template}-{digest(crop.tobytes())[:8]}.png"
    path = root / picture
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        Image.fromarray(crop).save(path, optimize=True)
    return Original(template, subject, picture)
