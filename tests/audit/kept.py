"""What inverting with a kept attack reads and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.authorisation import FORM, PLACEHOLDERS, write_form
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.source import open_source

ABOVE_THE_BAND = slice(0, 198)
"""The mark covers the lowest tenth of a picture."""


def stored(folder: Path, values: Any) -> Path:
    """A store with a signed form beside it."""
    path = folder / "store.npy"
    np.save(path, values)
    sign(path)
    return path


def sign(store: Path) -> Path:
    """The filled and signed form that a store needs, beside it."""
    (store.parent / FORM).unlink(missing_ok=True)
    form = write_form(
        open_source(str(store), DEFAULT_LIMITS), owner="Us", purpose="tests", legal_basis="ours"
    )
    text = form.read_text().replace("signed: no", "signed: yes")
    form.write_text(text.replace(PLACEHOLDERS["authorised_by"], "A. Body, data protection"))
    return form


def pictures(folder: Path) -> NDArray[np.uint8]:
    found = []
    for path in sorted((folder / "faces").iterdir()):
        with Image.open(path) as picture:
            found.append(np.asarray(picture))
    return np.stack(found)
