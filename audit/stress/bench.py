"""What every stress family works with: one target, and pictures that were perturbed."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from attacks.perturbation.base import Perturbation, Perturbed, Pictures, picture_seeds
from audit.config import AuditConfig
from audit.models import Models
from audit.people import People
from audit.run_folder import RunFolder
from audit.stress.settings import StressSettings
from audit.watch import Watch
from audit.workbench import BATCH, NOTHING, Made, Numbers, Vectors
from audit.workbench import Workbench as Target
from biometrics.backbones.embed import embed
from biometrics.faces.images import digest
from biometrics.file_names import file_name

__all__ = ["BATCH", "NOTHING", "Made", "Numbers", "Vectors", "Workbench"]


class Workbench(Target):
    """One target under stress.

    Attributes:
        sizes: what is tried.
    """

    STAGES: ClassVar[str] = "stress"

    def __init__(
        self,
        config: AuditConfig,
        sizes: StressSettings,
        people: People,
        models: Models,
        shared: RunFolder,
        run: RunFolder,
        watch: Watch,
    ) -> None:
        super().__init__(config, people, models, shared, run, watch)
        self.sizes = sizes

    @property
    def most_shown(self) -> int:
        """People whose pictures are shown."""
        return self.sizes.shown

    def pictures(self, rows: NDArray[np.intp], *, purpose: str) -> Pictures:
        """Clean pictures with a seed for each, from its own name."""
        faces = self.people.faces
        ids = faces.table["face_id"].to_numpy(dtype=str)[rows]
        seeds = picture_seeds(ids, purpose=purpose, seed=self.config.seed)
        return Pictures(np.asarray(faces.crops[rows]), faces.landmarks[rows], seeds)

    def perturbed(self, perturbation: Perturbation, rows: NDArray[np.intp]) -> Perturbed:
        """The pictures at these rows perturbed; a few only, since all are held in memory."""
        return perturbation.apply(self.pictures(rows, purpose=perturbation.name))

    def templates(
        self, perturbation: Perturbation, rows: NDArray[np.intp], backbone: str
    ) -> Vectors:
        """A backbone's templates of perturbed pictures [N, D], as a stage of the whole run.

        A picture that the perturbation left as it was keeps its clean template to the last bit.
        """
        drawn = digest(rows.astype(np.int64).tobytes())
        inputs = {
            "faces": self.people.faces_key,
            "rows": drawn,
            "perturbation": [perturbation.name, perturbation.strength],
            "seed": self.config.seed,
            "backbone": self.models.backbone_keys[backbone],
        }

        def build(out: Path) -> None:
            vectors = self.clean(backbone, rows).copy()
            what = f"{perturbation.label}: templates of {backbone}"
            with self.watch.task(what, len(rows)) as advance:
                for begin in range(0, len(rows), BATCH):
                    some = slice(begin, begin + BATCH)
                    clean = self.pictures(rows[some], purpose=perturbation.name)
                    crops = perturbation.apply(clean).crops
                    changed = np.flatnonzero((crops != clean.crops).any(axis=(1, 2, 3)))
                    model = self.models.ready[backbone]
                    vectors[begin + changed] = embed(model, crops[changed])
                    advance(len(crops))
            np.save(out / "vectors.npy", vectors, allow_pickle=False)

        # One place for each set of people: families may draw their own.
        place = f"perturbed/{perturbation.slug}-{drawn[:8]}/{file_name(backbone)}"
        stage = self.shared.stage(place, inputs, build)
        found: Vectors = np.load(stage.folder / "vectors.npy", allow_pickle=False)
        return found
