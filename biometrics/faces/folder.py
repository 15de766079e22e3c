"""A folder with one sub-folder a subject becomes a FaceSet."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.faces.detect import Detection, find_face
from biometrics.faces.faceset import CropWriter, FaceSet
from biometrics.faces.geometry import (
    CANONICAL_POINTS,
    apply_affine,
    fit_similarity,
    five_points,
)
from biometrics.faces.images import PictureError, cut_crop, decode, digest, read_bytes
from biometrics.faces.landmark_cache import UNKNOWN, LandmarkCache, Unknown, cache_path
from biometrics.parallel import ordered_map
from biometrics.progress import Advance, silent

NO_FACE = "no face found"

CONTENTS = "contents.txt"
"""SHA-256 of every picture that was read, one a line: by them the cache can be told to forget."""


@dataclass(frozen=True)
class FolderFaces:
    """What a folder held.

    Attributes:
        faces: the usable faces, in the order of their paths; ``face_id`` is ``SUBJECT/FILE``.
        skipped: columns ``path`` and ``reason``, one row a file that gave no face.
        several_faces: pictures with more than one face (the one nearest the centre was taken).
    """

    faces: FaceSet
    skipped: pd.DataFrame
    several_faces: int

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were skipped for each reason."""
        return dict(sorted(Counter(self.skipped["reason"]).items()))


@dataclass(frozen=True)
class Aligned:
    """One aligned picture: its crop, the landmarks in it, and what is known of its quality."""

    crop: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    found: Detection
    inter_eye: float
    sharpness: float


@dataclass(frozen=True)
class Picture:
    """What became of one file.

    Attributes:
        name: ``SUBJECT/FILE``.
        subject: name of the folder that holds it.
        aligned: the face; None where there is none.
        reason: why there is none, in words.
        key: SHA-256 of its content; empty where it could not be read.
    """

    name: str
    subject: str
    aligned: Aligned | None
    reason: str
    key: str = ""


@dataclass(frozen=True)
class _Outcome:
    """What became of a file; ``fresh`` says that the cache did not know its content."""

    key: str
    fresh: bool
    aligned: Aligned | None = None
    reason: str = ""


def list_pictures(folder: Path) -> list[Path]:
    """All files of the subjects' sub-folders, sorted; hidden ones are left out.

    Raises:
        InputError: no such folder, or no sub-folder with a file in it.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder: {folder}")
    subjects = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    files = [
        file
        for subject in subjects
        for file in sorted(subject.iterdir())
        if file.is_file() and not file.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{folder} holds no pictures; expected one sub-folder for each subject")
    return files


def read_folder(
    folder: Path, out: Path, *, workers: int | None = None, advance: Advance = silent
) -> FolderFaces:
    """Align every picture of a folder with one sub-folder a subject; see :func:`read_pictures`."""
    return read_pictures(list_pictures(folder), out, workers=workers, advance=advance)


def read_pictures(
    files: Sequence[Path],
    out: Path,
    *,
    workers: int | None = None,
    advance: Advance = silent,
) -> FolderFaces:
    """Align pictures; the name of the folder that holds a picture is its subject.

    Landmarks are cached by the content of the picture (never the picture itself), so that a second
    folder or run with the same files only cuts the crops.

    Args:
        files: the pictures, in the order that the FaceSet will have.
        out: existing folder that receives the FaceSet's files; the crops are memory-mapped there.
        workers: processes; all processors where None.
        advance: told about every finished picture.

    Raises:
        InputError: no face in any of them.
    """
    rows, skipped, landmarks, keys = [], [], [], []
    with (
        closing(CropWriter(out / "crops.npy")) as crops,
        closing(align_pictures(files, workers=workers)) as pictures,
    ):
        for picture in pictures:
            if (aligned := picture.aligned) is None:
                skipped.append((picture.name, picture.reason))
            else:
                crops.append(aligned.crop)
                landmarks.append(aligned.landmarks)
                quality = (aligned.found.n_faces, aligned.inter_eye, aligned.sharpness)
                rows.append((picture.name, picture.subject, *quality))
            keys.append(picture.key)
            advance(1)
    if not rows:
        raise InputError(f"no face found in any of the {len(files)} pictures")
    columns = ["face_id", "subject_id", "n_faces", "inter_eye_px", "sharpness"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_parquet(out / "faces.parquet", index=False)
    (out / CONTENTS).write_text("".join(f"{key}\n" for key in sorted(set(keys)) if key))
    gone = pd.DataFrame(skipped, columns=["path", "reason"], dtype=str)
    gone.to_parquet(out / "skipped.parquet", index=False)
    np.save(out / "landmarks.npy", np.stack(landmarks).astype(np.float32), allow_pickle=False)
    return load_folder_faces(out)


def align_pictures(
    files: Sequence[Path], *, workers: int | None = None
) -> Generator[Picture, None, None]:
    """Align pictures one after the other and keep none of them; see :func:`read_pictures`.

    Close it where it is left early, so that the landmarks found so far are cached.
    """
    cache = cache_path()
    work = functools.partial(_align_file, cache=cache)
    with closing(LandmarkCache(cache)) as known:
        for file, outcome in zip(files, ordered_map(work, files, workers=workers), strict=True):
            aligned = outcome.aligned
            if outcome.fresh and (aligned is not None or outcome.reason == NO_FACE):
                known.remember(outcome.key, aligned.found if aligned else None)
            name = _shown(f"{file.parent.name}/{file.name}")
            yield Picture(name, file.parent.name, aligned, outcome.reason, outcome.key)


def load_folder_faces(out: Path) -> FolderFaces:
    """What :func:`read_folder` wrote to ``out``."""
    faces = FaceSet.load(out)
    several = int((faces.table["n_faces"] > 1).sum()) if "n_faces" in faces.table else 0
    return FolderFaces(faces, pd.read_parquet(out / "skipped.parquet"), several)


def align(content: bytes, known: Detection | None = None) -> Aligned:
    """Decode a picture, find the face nearest its centre and cut its canonical crop.

    Args:
        content: the file's bytes.
        known: an earlier detection in the same content, so that none is made.

    Raises:
        PictureError: with the reason.
    """
    picture = decode(content)
    found = known or find_face(picture)
    if found is None:
        raise PictureError(NO_FACE)
    five = five_points(found.landmarks)
    to_crop = fit_similarity(five, CANONICAL_POINTS)
    crop = cut_crop(picture, to_crop)
    landmarks = apply_affine(to_crop, found.landmarks).astype(np.float32)
    return Aligned(crop, landmarks, found, float(np.hypot(*(five[1] - five[0]))), _sharpness(crop))


def _sharpness(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over the grey crop, a usual measure of focus."""
    grey = crop.astype(np.float32).mean(axis=2)
    laplacian = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    return float(laplacian.var())


def _shown(name: str) -> str:
    """A file's name with the bytes that are no UTF-8 escaped: tables cannot hold them."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _align_file(file: Path, *, cache: Path) -> _Outcome:
    key = ""
    known: Detection | Unknown | None = UNKNOWN
    try:
        if _shown(file.parent.name + file.name) != file.parent.name + file.name:
            raise PictureError("file name is not UTF-8")
        content = read_bytes(file)
        key = digest(content)
        # A connection a picture costs little beside the picture, and none stays open behind.
        with closing(LandmarkCache(cache)) as reader:
            known = reader.recall(key)
        if known is None:
            return _Outcome(key, fresh=False, reason=NO_FACE)
        aligned = align(content, known if isinstance(known, Detection) else None)
        return _Outcome(key, fresh=known is UNKNOWN, aligned=aligned)
    except PictureError as error:
        return _Outcome(key, fresh=known is UNKNOWN, reason=str(error))
