"""Pictures of a protection run: a person, and what was made of the protected template."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.originals import save_original
from audit.protect.bench import Workbench
from biometrics.file_names import file_name
from reports.pictures import save_reconstruction_png
from reports.results import ProtectionSample

FIGURES = "figures/protection"


def save_strip(
    bench: Workbench, slug: str, reconstructions: NDArray[np.uint8]
) -> list[ProtectionSample]:
    """Write what was made of the templates of the people who are shown, uint8 [K, 224, 224, 3]."""
    folder = f"{FIGURES}/{file_name(bench.target)}/{slug}"
    root = bench.shared.path
    (root / folder).mkdir(parents=True, exist_ok=True)
    samples = []
    for i, place in enumerate(bench.shown(bench.rows)):
        template, subject, original = save_original(bench, FIGURES, int(bench.rows[place]))
        name = f"{folder}/{i:02d}.png"
        save_reconstruction_png(Image.fromarray(reconstructions[i]), root / name)
        samples.append(
            ProtectionSample(
                template=template, subject=subject, original=original, reconstruction=name
            )
        )
    return samples
