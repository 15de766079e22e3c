"""What ``faceleak faces`` does: align, sample, filter, morph and average faces; contact sheets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from audit.filling import filling
from audit.morph_sheet import morph_sheet
from audit.synthesis import generate_faces
from audit.watch import Watch
from biometrics.errors import InputError
from biometrics.faces.composite import Composite
from biometrics.faces.face_filter import FilterReport, filter_faces
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import list_pictures, read_pictures
from biometrics.faces.morph import (
    MorphSettings,
    average_faces,
    make_morphs,
    plan_morphs,
)
from biometrics.faces.stream import write_faces

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
        filling(out),
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
    with filling(out):
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


def filter_folder(folder: Path, out: Path | None, watch: Watch) -> str:
    """Judge aligned faces by the rules of the papers; the table of counts.

    Args:
        folder: a FaceSet on disk, as ``faceleak faces align`` writes it.
        out: where the faces that are kept go; None to count only.
        watch: told about every face.

    Raises:
        InputError: no aligned faces there, ``out`` is not empty, or no face is kept for it.
    """
    faces = _aligned(folder)
    with watch.task(f"judge {len(faces):,} faces", len(faces)) as advance:
        report = filter_faces(faces, advance=advance)
    text = _counts(report)
    if out is None:
        return text
    with filling(out):
        write_faces((faces.take(rows) for rows in _blocks(report)), out)
    return f"{text}\nkept faces: {out}"


def morph_folder(
    folder: Path,
    out: Path,
    count: int,
    seed: int,
    composite: Composite,
    sheet: Path | None,
    watch: Watch,
) -> str:
    """Morph aligned faces with faces like them into a FaceSet on disk.

    Raises:
        InputError: no aligned faces there, of one subject only, ``out`` is not empty, or ``sheet``
            names no kind of picture.
    """
    if sheet is not None:
        _check_sheet(sheet)
    faces = _aligned(folder)
    with filling(out):
        with watch.task(f"find the nearest of {len(faces):,} faces"):
            plan = plan_morphs(faces, count, seed, settings=MorphSettings(composite=composite))
        with watch.task(f"make {count:,} morphs", count) as advance:
            made = make_morphs(faces, plan, composite=composite, advance=advance)
            morphs = write_faces(made, out)
        if sheet is not None:
            title = f"Morphs of {len(faces):,} faces: {count:,} made, seed {seed}, {composite}"
            morph_sheet(morphs, faces, title).save(sheet)
    text = f"{count:,} morphs of {len(faces):,} faces in {out}"
    return text if sheet is None else f"{text}\ncontact sheet: {sheet}"


def average_folder(folder: Path, out: Path, minimum: int, watch: Watch) -> str:
    """Average each subject's aligned pictures into a FaceSet on disk.

    Raises:
        InputError: no aligned faces there, no subject with ``minimum`` pictures, or ``out`` is not
            empty.
    """
    faces = _aligned(folder)
    counts = faces.table["subject_id"].value_counts()
    used = int(counts[counts >= minimum].sum())
    if used == 0:
        raise InputError(
            f"no subject in {folder} has {minimum} pictures or more (the most: {counts.max()}); "
            "choose a smaller --minimum"
        )
    with filling(out), watch.task(f"average {used:,} pictures", used) as advance:
        averages = write_faces(average_faces(faces, minimum=minimum, advance=advance), out)
    return f"averages of {len(averages):,} subjects ({used:,} pictures) in {out}"


def _aligned(folder: Path) -> FaceSet:
    """The FaceSet in a folder; a folder of pictures gets a hint."""
    if not (folder / "crops.npy").is_file():
        raise InputError(
            f"{folder} holds no aligned faces; make some with: faceleak faces align DIR --out "
            f"{folder.name or 'faces'}"
        )
    faces = FaceSet.load(folder)
    if len(faces) == 0:
        raise InputError(f"{folder} holds no faces")
    return faces


def _blocks(report: FilterReport) -> Iterator[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Rows of kept faces, some at a time."""
    for start in range(0, len(report.rows), 256):
        yield report.rows[start : start + 256]


def _counts(report: FilterReport) -> str:
    """The table of a filter's counts, and what each rule goes by, for 80 columns."""
    n, kept = len(report.kept), int(report.kept.sum())
    lines = [f"{kept:,} of {n:,} faces kept ({kept / n:.1%})", ""]
    lines.append(f"{'rule':<12}{'dropped':>9}{'by it alone':>13}")
    for rule in report.rules:
        counts = ("off", "") if rule.dropped is None else (f"{rule.dropped:,}", f"{rule.alone:,}")
        lines.append(f"{rule.name:<12}{counts[0]:>9}{counts[1]:>13}")
    lines.append("")
    for rule in report.rules:
        lines += textwrap.wrap(f"{rule.name}: {rule.how}", 79, subsequent_indent="  ")
    return "\n".join(lines)


def _check_sheet(sheet: Path) -> None:
    """Find a wrong name before the work, not after."""
    if sheet.suffix.lower() not in SHEET_KINDS or not sheet.absolute().parent.is_dir():
        raise InputError(
            f"--sheet {sheet}: expected a file in an existing folder that ends in "
            + " or ".join(SHEET_KINDS)
        )
