"""Choose the settings of ``linear`` without touching a leaked subject or an unseen judge.

    FACELEAK_LFW=DIR python benchmarks/lfw/tune_linear.py [BACKBONE]

Fits on nine tenths of the attacker's subjects (the shipped split of LFW, seed 7), inverts the last
tenth, and lets the attacked model alone judge: success at the thresholds of FMR 1e-3 and 1e-4.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attacks.base import Resources
from attacks.inversion.linear import Linear, LinearSettings
from audit.split import role_of, split_rows, unit_hash
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed, embed_faces
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.appearance_fit import fit_appearance
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import read_folder
from biometrics.faces.resize import to_canonical
from biometrics.metrics.scores import paired_similarity
from biometrics.metrics.verification import nonmated_threshold
from biometrics.templates import TemplateSet

SEED = 7
TEXTURE_SIZE = 112
COMPONENTS = (200, 400, 600)
RIDGES = (1e-3, 1e-2, 1e-1)
EXAGGERATIONS = (1.0, 1.3, 1.6)


def main() -> None:
    """Print one row for each combination."""
    target = sys.argv[1] if len(sys.argv) > 1 else "dlib"
    with tempfile.TemporaryDirectory() as work:
        faces = read_folder(Path(os.environ["FACELEAK_LFW"]), Path(work)).faces
        names = faces.subject_ids
        split = split_rows(names, {name: role_of(name, seed=SEED) for name in set(names)})
        folds = np.array([unit_hash(name, purpose="tune", seed=SEED) for name in names])
        backbone = load_backbone(target)
        threshold = embed_faces(backbone, faces.take(split.threshold))
        own = split.attacker[folds[split.attacker] < 0.9]
        tested = embed(backbone, faces.crops[split.attacker[folds[split.attacker] >= 0.9]])
        training = faces.take(own)
    templates = embed_faces(backbone, training)
    cuts = _cuts(threshold, backbone)
    print(f"{len(training):,} faces to fit on, {len(tested):,} to invert; judge: {target}")
    print("components  ridge  exaggeration  " + "  ".join(f"FMR {fmr:g}" for fmr in cuts))
    for components in COMPONENTS:
        resources = Resources(_model(training, components))
        for ridge in RIDGES:
            attack = Linear(LinearSettings(ridge=ridge), resources)
            attack.fit(training, templates)
            for factor in EXAGGERATIONS:
                attack.settings = LinearSettings(ridge=ridge, exaggeration=factor)
                rates = _success(attack, tested, backbone, cuts)
                print(
                    f"{components:10d}  {ridge:5g}  {factor:12g}  "
                    + "  ".join(f"{100 * rate:7.1f}" for rate in rates),
                    flush=True,
                )


def _cuts(threshold: TemplateSet, backbone: Backbone) -> dict[float, float]:
    found = {}
    for fmr in (1e-3, 1e-4):
        cut = nonmated_threshold(
            threshold.vectors, threshold.subject_ids, backbone.spec.similarity, fmr
        )
        assert hasattr(cut, "value"), "the threshold set is too small"
        found[fmr] = cut.value
    return found


def _model(training: FaceSet, components: int) -> AppearanceModel:
    return fit_appearance(
        training,
        texture_size=TEXTURE_SIZE,
        texture_components=components,
        shape_components=30,
        seed=SEED,
    )


def _success(
    attack: Linear, vectors: NDArray[np.float32], backbone: Backbone, cuts: dict[float, float]
) -> list[float]:
    made = embed(backbone, to_canonical(attack.invert(vectors).crops))
    scores = paired_similarity(made, vectors, backbone.spec.similarity)
    return [float((scores >= cut).mean()) for cut in cuts.values()]


if __name__ == "__main__":
    main()
