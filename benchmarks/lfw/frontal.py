"""Landmark error of an attack on the leaked pictures that are nearest to frontal.

    python -m benchmarks.lfw.frontal RUN ATTACK

RUN is a finished run of ``faceleak audit`` on LFW. A picture counts as frontal where the tip of the
nose lies within 6 pixels (of the 224 crop) of the middle between the ends of the jaw.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from audit.estimates import mean_estimate
from benchmarks.lfw._run import LfwRun
from biometrics.metrics.pairs import group

NEAR = 6.0
NOSE_TIP, JAW_ENDS = 30, [0, 16]


def main() -> None:
    """Print the mean squared error of all and of the frontal pictures, px² a coordinate."""
    run, attack = LfwRun.read(Path(sys.argv[1])), sys.argv[2]
    rows = run.rows("leaked")
    true = np.asarray(run.faces.landmarks)[rows]
    file = run.folder / "reconstructions" / attack.replace(":", "-") / "predicted.npy"
    errors = np.square(np.load(file) - true).mean(axis=(1, 2))
    middle = true[:, JAW_ENDS, 0].mean(axis=1)
    frontal = np.abs(true[:, NOSE_TIP, 0] - middle) < NEAR
    for name, some in (("all", np.ones(len(rows), dtype=bool)), ("frontal", frontal)):
        subjects = group(run.faces.subject_ids[rows[some]]).index
        found = mean_estimate(errors[some], subjects, run.seed)
        print(f"{name}: {some.mean():.0%} of {len(rows):,} pictures, {found}")


if __name__ == "__main__":
    main()
