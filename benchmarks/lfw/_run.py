"""What the scripts beside this one read of a finished run of ``faceleak audit`` on LFW."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.split import read_split, unit_hash
from biometrics.faces.faceset import FaceSet
from biometrics.metrics.verification import nonmated_threshold
from biometrics.templates import TemplateSet

TUNE_SHARE = 0.1


@dataclass(frozen=True)
class LfwRun:
    """Faces of a run, who plays which role, and where its templates lie."""

    folder: Path
    faces: FaceSet
    roles: NDArray[np.str_]
    seed: int

    @classmethod
    def read(cls, folder: Path) -> LfwRun:
        """The run in that folder; its seed stands in the first line of ``split.csv``."""
        faces = FaceSet.load(folder / "faces")
        seed, roles = read_split(folder / "split.csv")
        found = np.array([roles.get(face, "") for face in faces.table["face_id"]])
        return cls(folder, faces, found, seed)

    def templates(self, backbone: str) -> TemplateSet:
        """Every face's template by that backbone."""
        return TemplateSet.load(self.folder / "templates" / backbone / "templates.parquet")

    def rows(self, role: str) -> NDArray[np.intp]:
        """Faces of subjects with that role."""
        return np.flatnonzero(self.roles == role)

    def tuning_fold(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The attacker's faces: nine tenths of the subjects to fit on, one tenth to try on."""
        rows = self.rows("attacker")
        names = self.faces.subject_ids[rows]
        places = np.array([unit_hash(n, purpose="tune", seed=self.seed) for n in names])
        return rows[places < 1 - TUNE_SHARE], rows[places >= 1 - TUNE_SHARE]

    def threshold(self, templates: TemplateSet, similarity: str, fmr: float) -> float:
        """A judge's threshold at an FMR, from the threshold subjects."""
        rows = self.rows("threshold")
        cut = nonmated_threshold(
            templates.vectors[rows], self.faces.subject_ids[rows], similarity, fmr
        )
        assert hasattr(cut, "value"), "too few threshold subjects"
        return cut.value
