"""Pictures of a stress run: what was done to a face, and what was made of its template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.originals import save_original
from audit.stress.bench import Workbench
from biometrics.file_names import file_name
from reports.pictures import save_reconstruction_png
from reports.results import StressSample

FIGURES = "figures/stress"


def save_strip(
    bench: Workbench,
    slug: str,
    rows: NDArray[np.intp],
    *,
    perturbed: NDArray[np.uint8] | None = None,
    reconstruction: NDArray[np.uint8] | None = None,
    repaired: NDArray[np.uint8] | None = None,
) -> list[StressSample]:
    """Write the pictures of a few people under one condition and describe them.

    Args:
        bench: the target.
        slug: names the condition, such as ``occlusion/eyes``; one strip a name.
        rows: whose pictures these are, positions in the faces, K of them.
        perturbed, reconstruction, repaired: uint8 [K, 224, 224, 3], where there are any.
    """
    root = bench.shared.path
    folder = f"{FIGURES}/{file_name(bench.target)}/{slug}"
    (root / folder).mkdir(parents=True, exist_ok=True)
    samples = []
    for i, row in enumerate(rows):
        template, subject, original = save_original(bench, FIGURES, row)
        names: dict[str, str | None] = {"perturbed": None}
        if perturbed is not None:
            names["perturbed"] = f"{folder}/{i:02d}-perturbed.png"
            Image.fromarray(perturbed[i]).save(root / f"{names['perturbed']}", optimize=True)
        for kind, crops in (("reconstruction", reconstruction), ("repaired", repaired)):
            names[kind] = None
            if crops is not None:
                names[kind] = f"{folder}/{i:02d}-{kind}.png"
                save_reconstruction_png(Image.fromarray(crops[i]), root / f"{names[kind]}")
        samples.append(StressSample(template=template, subject=subject, original=original, **names))
    return samples
