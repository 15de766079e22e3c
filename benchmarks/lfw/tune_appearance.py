"""Choose the losses of ``appearance`` without touching a leaked subject or an unseen judge.

    python -m benchmarks.lfw.tune_appearance RUN BACKBONE [FACES]

RUN is a finished run of ``faceleak audit`` on LFW. Fits on FACES faces of nine tenths of the
attacker's subjects (all by default) and inverts the last tenth. Two judges decide: the attacked
model itself, and the whitened coefficients of the appearance model, which know nothing of any
recognition model. The attacked model alone would choose whatever pleases it, faces or not.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.base import Resources
from attacks.inversion.appearance import Appearance, AppearanceSettings
from benchmarks.lfw._run import LfwRun
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.resize import to_canonical
from biometrics.metrics.success import Attempts, acceptance
from biometrics.metrics.verification import nonmated_threshold

EPOCHS = 2
PLAIN: dict[str, Any] = {"prior": 0.02, "likeness": 0, "jitter": 0, "sibling": 0}
CANDIDATES: dict[str, dict[str, Any]] = {
    "prior towards the mean face": PLAIN,
    "and jitter": {**PLAIN, "jitter": 1},
    "likeness and jitter": {"prior": 0, "likeness": 0.05, "jitter": 1, "sibling": 0},
    "likeness, jitter and siblings": {},
}
"""The last is the default."""

SHRINKAGE = 0.1
"""Of the covariance within subjects towards a multiple of one, before it is inverted."""


def main() -> None:
    """Print one row for each candidate."""
    run, target = LfwRun.read(Path(sys.argv[1])), sys.argv[2]
    own, tried = run.tuning_fold()
    if len(sys.argv) > 3:
        own = np.random.default_rng(run.seed).permutation(own)[: int(sys.argv[3])]
    backbone = load_backbone(target)
    kind = backbone.spec.similarity
    templates = run.templates(target)
    cut = run.threshold(templates, kind, 1e-3)
    model = AppearanceModel.load(run.folder / "appearance" / "appearance.safetensors")
    training, subjects = run.faces.take(own), run.faces.subject_ids[tried]
    whiten = _whitening(model)
    known = model.encode(training) @ whiten
    true = model.encode(run.faces.take(tried)) @ whiten
    other = nonmated_threshold(known, training.subject_ids, "cosine", 1e-2)
    assert hasattr(other, "value")
    everybody = np.ones(len(tried), dtype=bool)
    print(f"{len(own):,} faces to fit on, {len(tried):,} to invert, {EPOCHS} passes")
    print(f"{'losses':32s} {target} I, II at 1e-3   coefficients I, II at 1e-2")
    for label, changes in CANDIDATES.items():
        settings = AppearanceSettings(**{"epochs": EPOCHS, **changes})
        resources = Resources(model, backbone=backbone, similarity=kind, seed=run.seed)
        attack = Appearance(settings, resources)
        attack.fit(training, templates.take(own))
        made = attack.invert(templates.vectors[tried])
        by_model = acceptance(
            Attempts(
                embed(backbone, to_canonical(made.rounded())),
                templates.vectors[tried],
                subjects,
                everybody,
                kind,
            ),
            cut,
            seed=run.seed,
        )
        drawn = _coefficients(attack, templates.vectors[tried]) @ whiten
        by_face = acceptance(
            Attempts(drawn, true, subjects, everybody, "cosine"), other.value, seed=run.seed
        )
        rates = (by_model.type1, by_model.type2, by_face.type1, by_face.type2)
        print(f"{label:32s} " + "   ".join(f"{rate.value:.3f}" for rate in rates), flush=True)


def _whitening(model: AppearanceModel) -> NDArray[np.float32]:
    within = model.within.astype(np.float64)
    spread = SHRINKAGE * np.trace(within) / len(within)
    precision = np.linalg.inv(within + spread * np.eye(len(within)))
    return np.linalg.cholesky(precision).astype(np.float32)


def _coefficients(attack: Appearance, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found: NDArray[np.float32] = attack.network(
            attack.standardise(torch.from_numpy(vectors))
        ).numpy()
    return found


if __name__ == "__main__":
    main()
