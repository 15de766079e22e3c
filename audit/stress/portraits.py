"""What reconstructions of averaged templates look like: like the person, and how frontal and
neutral.

``ssim_*`` and ``psnr_*`` are means over the first probes of the person. ``yaw`` and ``roll`` are
absolute, in degrees; ``mse_to_mean_shape`` is the mean squared distance of the landmarks to the
attacker's mean shape in px², ``mouth_opening`` the gap between the inner lips in px, both in the
crop of 224. These four are measured where a face was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from audit.stress.bench import Numbers
from biometrics.faces.faceset import FaceSet
from biometrics.faces.head_pose import head_pose
from biometrics.metrics.image import hull_masks, image_scores
from biometrics.metrics.intervals import subject_means
from biometrics.metrics.landmarks import landmark_mse

UPPER_LIP, LOWER_LIP = slice(61, 64), slice(65, 68)
"""The inner edge of the lips in the 68-point scheme, without the corners."""


def frontal_and_neutral(
    landmarks: NDArray[np.floating], mean_shape: NDArray[np.floating]
) -> dict[str, NDArray[np.float64]]:
    """Numbers of every face, float64 [N] each, NaN where its landmarks [N, 68, 2] are."""
    there = np.isfinite(landmarks).all(axis=(1, 2))
    yaw, roll, opening = np.full((3, len(landmarks)), np.nan)
    if there.any():
        pose = head_pose(landmarks[there], mean_shape)
        yaw[there], roll[there] = np.abs(pose.yaw), np.abs(pose.roll)
    y = landmarks[:, :, 1].astype(np.float64)
    opening[there] = (y[:, LOWER_LIP].mean(axis=1) - y[:, UPPER_LIP].mean(axis=1))[there]
    mean = np.broadcast_to(mean_shape, landmarks.shape)
    return {
        "yaw": yaw,
        "roll": roll,
        "mse_to_mean_shape": landmark_mse(landmarks, mean),
        "mouth_opening": np.maximum(opening, 0.0),
    }


@dataclass(frozen=True)
class Portraits:
    """Measures what was made of some templates.

    Attributes:
        faces: all faces, and ``faces_key``, the hash of them.
        mean_shape: the attacker's [68, 2].
        probes: rows of the faces that each reconstruction is compared with, one or more, [G].
    """

    faces: FaceSet
    faces_key: str
    mean_shape: NDArray[np.floating]
    probes: Sequence[NDArray[np.intp]]

    @property
    def numbers(self) -> Numbers:
        """As :meth:`audit.stress.bench.Workbench.invert` takes it."""
        record = {
            "portraits": [rows.tolist() for rows in self.probes],
            "faces": self.faces_key,
            "mean shape": self.mean_shape.tolist(),
        }
        return Numbers(self._measure, record)

    def _measure(
        self, crops: NDArray[np.uint8], landmarks: NDArray[np.float32], some: slice
    ) -> Mapping[str, NDArray[np.floating]]:
        probes = self.probes[some]
        made = np.repeat(np.arange(len(crops)), [len(rows) for rows in probes])
        rows, back = np.unique(np.concatenate(probes), return_inverse=True)
        pictures, hulls = self.faces.crops[rows], hull_masks(self.faces.landmarks[rows])
        scores = image_scores(crops[made], np.asarray(pictures)[back], hulls[back])
        likeness = {name: subject_means(v, made) for name, v in asdict(scores).items()}
        return {**likeness, **frontal_and_neutral(landmarks, self.mean_shape)}
