"""FaceSet: aligned faces of known subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.faces.geometry import CROP_SIZE, N_LANDMARKS


@dataclass(frozen=True)
class FaceSet:
    """Canonical crops with landmarks and a table that says whose they are.

    Attributes:
        crops: uint8 [N, 224, 224, 3] RGB; memory-mapped where it came from disk.
        landmarks: float32 [N, 68, 2], ``(x, y)`` in crop pixels (see geometry.py).
        table: one row a face: ``face_id``, ``subject_id`` (both text) and quality columns.

    Raises:
        InputError: where shapes, types or the table's length disagree.
    """

    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    table: pd.DataFrame

    def __post_init__(self) -> None:
        n = len(self.table)
        if self.crops.shape != (n, CROP_SIZE, CROP_SIZE, 3) or self.crops.dtype != np.uint8:
            raise InputError(
                f"crops must be uint8 [{n}, {CROP_SIZE}, {CROP_SIZE}, 3], "
                f"got {self.crops.dtype} {list(self.crops.shape)}"
            )
        if self.landmarks.shape != (n, N_LANDMARKS, 2):
            raise InputError(f"landmarks must be [{n}, 68, 2], got {list(self.landmarks.shape)}")
        missing = {"face_id", "subject_id"} - set(self.table.columns)
        if missing:
            raise InputError(f"the face table lacks the column(s) {', '.join(sorted(missing))}")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def subject_ids(self) -> NDArray[np.str_]:
        """The subject of each face, text [N]."""
        return self.table["subject_id"].to_numpy(dtype=str)

    def take(self, rows: NDArray[np.integer] | Sequence[int]) -> FaceSet:
        """The faces at those positions, in that order."""
        index = np.asarray(rows, dtype=np.intp)
        return FaceSet(
            self.crops[index], self.landmarks[index], self.table.iloc[index].reset_index(drop=True)
        )

    def save(self, folder: Path) -> None:
        """Write ``crops.npy``, ``landmarks.npy`` and ``faces.parquet`` into an existing folder."""
        # These crops may be mapped from the very file that is replaced.
        unfinished = folder / "crops.npy.tmp"
        with unfinished.open("wb") as file:
            np.save(file, self.crops, allow_pickle=False)
        unfinished.replace(folder / "crops.npy")
        np.save(folder / "landmarks.npy", self.landmarks, allow_pickle=False)
        self.table.to_parquet(folder / "faces.parquet", index=False)

    @classmethod
    def load(cls, folder: Path) -> FaceSet:
        """Read what :meth:`save` wrote; the crops stay on disk (memory-mapped).

        Raises:
            InputError: a file is absent or damaged.
        """
        try:
            crops = np.load(folder / "crops.npy", mmap_mode="r", allow_pickle=False)
            landmarks = np.load(folder / "landmarks.npy", allow_pickle=False)
            table = pd.read_parquet(folder / "faces.parquet")
        except (OSError, ValueError, EOFError) as error:  # pyarrow's ArrowInvalid is a ValueError
            raise InputError(f"{folder} holds no readable faces: {error}") from error
        return cls(crops, landmarks, table)


class CropWriter:
    """Streams crops into one ``.npy`` file whose length is known only at the end."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)  # an earlier file may be mapped: it must not shrink under that
        self._file = path.open("wb")
        self._count = 0
        self._header()

    def _header(self) -> None:
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": "|u1",
                "fortran_order": False,
                "shape": (self._count, CROP_SIZE, CROP_SIZE, 3),
            },
        )

    def append(self, crop: NDArray[np.uint8]) -> None:
        """Add one uint8 [224, 224, 3] crop."""
        self._file.write(np.ascontiguousarray(crop).tobytes())
        self._count += 1

    def close(self) -> None:
        """Write the true length into the header (its padding keeps the header's size)."""
        self._header()
        self._file.close()
