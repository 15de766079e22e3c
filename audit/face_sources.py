"""Faces that are read part by part: a folder of pictures, or of faces that are aligned."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import Aligned, align_pictures, list_pictures
from biometrics.faces.geometry import CROP_SIZE
from biometrics.progress import Advance


class Faces(NamedTuple):
    """One part of the faces: crops uint8 [B, 224, 224, 3], whose they are, and what gave none."""

    crops: NDArray[np.uint8]
    ids: list[str]
    subjects: list[str]
    skipped: Mapping[str, int]


Parts = Generator[Faces, None, None]
"""Faces part by part; to be closed where they are left early."""


class Source(Protocol):
    """Faces that are read part by part, the parts given by row numbers."""

    def __len__(self) -> int:
        """Number of pictures."""
        ...

    def marks(self, part: range) -> list[Any]:
        """What tells these pictures from others and from changed ones, without reading them."""
        ...

    def read(self, parts: Sequence[range], advance: Advance) -> Parts:
        """The faces of each part."""
        ...


class Pictures:
    """A folder with one sub-folder of pictures a person."""

    def __init__(self, folder: Path) -> None:
        self._files = list_pictures(folder)

    def __len__(self) -> int:
        return len(self._files)

    def marks(self, part: range) -> list[Any]:
        """Names, sizes and times of change."""
        return [_file_mark(self._files[row]) for row in part]

    def read(self, parts: Sequence[range], advance: Advance) -> Parts:
        """Aligned while they are asked for, a little ahead where there are several processors."""
        files = [self._files[row] for part in parts for row in part]
        with closing(align_pictures(files)) as pictures:
            for part in parts:
                found: list[tuple[Aligned, str, str]] = []
                skipped: Counter[str] = Counter()
                for picture in islice(pictures, len(part)):
                    if picture.aligned is None:
                        skipped[picture.reason] += 1
                    else:
                        found.append((picture.aligned, picture.name, picture.subject))
                    advance(1)
                crops = np.empty((len(found), CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
                for row, (aligned, _, _) in enumerate(found):
                    crops[row] = aligned.crop
                yield Faces(crops, [i for _, i, _ in found], [s for _, _, s in found], skipped)


class AlignedFaces:
    """A folder that ``faceleak faces align`` wrote."""

    def __init__(self, folder: Path) -> None:
        faces = FaceSet.load(folder)
        if len(faces) == 0:
            raise InputError(f"{folder} holds no faces")
        self._crops = folder / "crops.npy"
        self._ids = faces.table["face_id"].astype(str).tolist()
        self._subjects = faces.subject_ids.tolist()

    def __len__(self) -> int:
        return len(self._ids)

    def marks(self, part: range) -> list[Any]:
        """The faces' ids, and size and time of change of the file of crops."""
        return [_file_mark(self._crops), self._ids[part.start : part.stop]]

    def read(self, parts: Sequence[range], advance: Advance) -> Parts:
        """Copied from the file of crops."""
        for part in parts:
            rows = slice(part.start, part.stop)
            # Mapped anew each time: the pages of one mapping stay in memory as they are read.
            crops = np.array(np.load(self._crops, mmap_mode="r", allow_pickle=False)[rows])
            yield Faces(crops, self._ids[rows], self._subjects[rows], {})
            advance(len(part))


def _file_mark(file: Path) -> list[Any]:
    name = os.fsencode(f"{file.parent.name}/{file.name}").hex()  # any bytes, not only UTF-8
    try:
        found = file.stat()
    except OSError:
        return [name]
    return [name, found.st_size, found.st_mtime_ns]


def open_faces(folder: Path) -> Source:
    """Aligned faces where the folder holds them, else its pictures.

    Raises:
        InputError: there are neither.
    """
    return AlignedFaces(folder) if (folder / "crops.npy").is_file() else Pictures(folder)
