"""What ``faceleak faces`` does: align a folder, sample people, draw a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from audit.run_folder import full_disk_as_error, private_files, remove
from audit.synthesis import generate_faces
from audit.watch import Watch
from biometrics.errors import InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import list_pictures, read_pictures

SHEET_PEOPLE = 12
SHEET_SIDE = 112
SHEET_KINDS = (".png", ".jpg", ".webp")


def align_folder(folder: Path, out: Path, watch: Watch) -> str:
    """Align a folder of pictures into a FaceSet on disk and say what was found.

    Raises:
        InputError: no such folder, no pictures, no face, or ``out`` is not empty.
    """
    files = list_pictures(folder)
    with (
        _filling(out),
        watch.task(f"align {len(files):,} pictures", len(files)) as advance,
    ):
        found = read_pictures(files, out, advance=advance)
    skipped = "".join(f"\n  skipped, {reason}: {n:,}" for reason, n in found.reasons.items())
    people = len(set(found.faces.subject_ids))
    several = f"{found.several_faces:,}"
    return (
        f"{len(found.faces):,} faces of {people:,} subjects in {out}\n"
        f"  pictures with several faces (nearest the centre taken): {several}{skipped}"
    )


def synthesise(
    subjects: int, pictures: int, out: Path, seed: int, sheet: Path | None, watch: Watch
) -> str:
    """Sample people who do not exist: a folder of pictures, one sub-folder a subject.

    Raises:
        InputError: ``out`` is not empty, or ``sheet`` names no kind of picture.
    """
    if sheet is not None:
        _check_sheet(sheet)
    with _filling(out):
        with watch.task(f"generate {subjects:,} people", subjects * pictures) as advance:
            faces = generate_faces(subjects, pictures, seed, advance=advance)
        with watch.task("write the pictures", len(faces)) as advance:
            for crop, name in zip(faces.crops, faces.table["face_id"], strict=True):
                path = out / f"{name}.png"
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(crop).save(path)
                advance(1)
        if sheet is not None:
            contact_sheet(faces, pictures).save(sheet)
    text = f"{len(faces):,} pictures of {subjects:,} people who do not exist in {out}"
    return text if sheet is None else f"{text}\ncontact sheet: {sheet}"


def contact_sheet(faces: FaceSet, pictures: int) -> Image.Image:
    """A row for each of the first people, a column for each of their pictures."""
    rows = min(SHEET_PEOPLE, len(faces) // pictures)
    sheet = Image.new("RGB", (pictures * SHEET_SIDE, rows * SHEET_SIDE))
    for index in range(rows * pictures):
        tile = Image.fromarray(np.asarray(faces.crops[index])).resize((SHEET_SIDE, SHEET_SIDE))
        sheet.paste(tile, (index % pictures * SHEET_SIDE, index // pictures * SHEET_SIDE))
    return sheet


def _check_sheet(sheet: Path) -> None:
    """Find a wrong name before the work, not after."""
    if sheet.suffix.lower() not in SHEET_KINDS or not sheet.absolute().parent.is_dir():
        raise InputError(
            f"--sheet {sheet}: expected a file in an existing folder that ends in "
            + " or ".join(SHEET_KINDS)
        )


@contextmanager
def _filling(out: Path) -> Iterator[None]:
    """A new or empty folder to fill; emptied again where that fails, so that one can try again."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out names a folder")
    with private_files(), full_disk_as_error(out):
        new = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InputError(f"{out} is not empty; choose another --out")
        try:
            yield
        except BaseException:
            for path in out.iterdir():
                remove(path)
            if new:
                out.rmdir()
            raise
