"""The pairs of original and reconstruction that the report shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.attempted import Attempted
from audit.pseudonyms import pseudonym, pseudonym_salt
from audit.run_folder import RunFolder, remove
from biometrics.faces.resize import to_canonical
from biometrics.file_names import file_name
from reports.pictures import save_reconstruction_png
from reports.results import Sample

if TYPE_CHECKING:
    from audit.assemble import Assembly

FIGURES = "figures"
SAMPLE_FMR = "1e-3"


def choose_rows(subjects: NDArray[np.str_], count: int, seed: int) -> NDArray[np.intp]:
    """Leaked pictures for the strip: subjects drawn at random, one picture each, chosen before any
    result is known."""
    names, first = np.unique(subjects, return_index=True)
    order = np.random.default_rng(seed).permutation(len(names))[:count]
    return np.sort(first[order])


def draw_samples(
    assembly: Assembly, attacks: Sequence[Attempted], rows: NDArray[np.intp], run: RunFolder
) -> list[Sample]:
    """Write the pictures below ``figures/`` and describe them, attack by attack for each person."""
    folder = run.path / FIGURES
    salt = pseudonym_salt()
    remove(folder)
    folder.mkdir()
    samples = []
    for number, row in enumerate(rows):
        original = f"{FIGURES}/{number:02d}-original.png"
        crop = assembly.people.faces.crops[assembly.rows[row]]
        Image.fromarray(np.asarray(crop)).save(run.path / original)
        for made in attacks:
            name = f"{FIGURES}/{number:02d}-{file_name(made.name)}.png"
            picture = to_canonical(np.asarray(made.crops[row : row + 1]))[0]
            save_reconstruction_png(Image.fromarray(picture), run.path / name)
            samples.append(_describe(assembly, made, row, (original, name), salt))
    return samples


def _describe(
    assembly: Assembly, made: Attempted, row: int, pictures: tuple[str, str], salt: bytes
) -> Sample:
    accepted, similarity = {}, {}
    fmr = _shown_fmr(assembly)
    for judge in assembly.judges:
        attempts = assembly.attempts(judge, made)
        score = float(attempts.type1_scores[row])
        similarity[judge.name] = score
        cut = next((c for c in judge.cuts if c.label == fmr), None)
        if cut is not None and cut.value is not None:
            accepted[judge.name] = bool(attempts.usable[row] and score >= cut.value)
    face = assembly.people.faces.table["face_id"].iloc[assembly.rows[row]]
    return Sample(
        template=pseudonym(str(face), salt, "T"),
        subject=pseudonym(str(assembly.subjects[row]), salt, "S"),
        attack=made.name,
        original=pictures[0],
        reconstruction=pictures[1],
        accepted_by=accepted,
        similarity=similarity,
        detected=bool(made.detected[row]),
        fmr=fmr,
    )


def _shown_fmr(assembly: Assembly) -> str:
    """1e-3 where it was measured, else the strictest that was, else the first asked for."""
    measured = [c.label for j in assembly.judges for c in j.cuts if c.value is not None]
    if SAMPLE_FMR in measured or not measured:
        return SAMPLE_FMR if measured else assembly.config.fmr[0].label
    return min(measured, key=float)
