"""The reconstructions that the report of a store shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.judging import Cut
from audit.run_folder import RunFolder, remove
from audit.samples import FIGURES, SAMPLE_FMR
from audit.store_attack import LeakedTemplates, StoreAttempt
from biometrics.faces.resize import to_canonical
from biometrics.file_names import file_name
from biometrics.metrics.success import Attempts
from reports.pictures import save_reconstruction_png
from reports.results import Sample


def draw_store_samples(
    leaked: LeakedTemplates,
    made: StoreAttempt,
    attempts: Attempts,
    judge: str,
    cuts: Sequence[Cut],
    rows: NDArray[np.intp],
    run: RunFolder,
) -> list[Sample]:
    """Write the pictures below ``figures/`` and describe them; there are no originals.

    Args:
        leaked: the templates, under pseudonyms.
        made: the attack, with its pictures.
        attempts: what the attacked model says of it.
        judge: the attacked model's name.
        cuts: its thresholds.
        rows: the templates that are shown.
        run: where to.
    """
    assert made.crops is not None
    folder = run.path / FIGURES
    remove(folder)
    folder.mkdir()
    cut = _shown(cuts)
    samples = []
    for number, row in enumerate(rows):
        name = f"{FIGURES}/{number:02d}-{file_name(made.name)}.png"
        picture = to_canonical(np.asarray(made.crops[row : row + 1]))[0]
        save_reconstruction_png(Image.fromarray(picture), run.path / name)
        score = float(attempts.type1_scores[row])
        accepted = {}
        if cut.value is not None:
            accepted[judge] = bool(attempts.usable[row] and score >= cut.value)
        samples.append(
            Sample(
                template=_short(leaked.templates[row]),
                subject=_short(str(leaked.subjects[row])),
                attack=made.name,
                original=None,
                reconstruction=name,
                accepted_by=accepted,
                similarity={judge: score},
                detected=bool(made.detected[row]),
                fmr=cut.label,
            )
        )
    return samples


def _shown(cuts: Sequence[Cut]) -> Cut:
    """1e-3 where it has a threshold, else the strictest that has one, else the first."""
    known = sorted((c for c in cuts if c.value is not None), key=lambda c: float(c.label))
    return next((c for c in known if c.label == SAMPLE_FMR), (known or list(cuts))[0])


def _short(pseudonym: str) -> str:
    """As long as those in other reports: four bytes."""
    return pseudonym[:10]
