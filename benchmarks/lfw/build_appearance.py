"""Build the appearance model that ships, and measure that it reproduces nobody.

    FACELEAK_LFW=DIR [FACELEAK_MOBILEFACENET=FILE] python benchmarks/lfw/build_appearance.py

Reads Labeled Faces in the Wild, fits the model on the attacker's subjects of the shipped
configurations (seed 7), and writes the model, the list of those subjects and a card with what was
measured into biometrics/faces/assets/. The same pictures give the same model on the same machine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audit.split import role_of, split_rows
from audit.synthesis import SHIPPED_MODEL, VARIATION, generate_faces
from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.embed import embed
from biometrics.errors import WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.appearance_fit import fit_appearance
from biometrics.faces.detect import find_in_crop
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import read_folder
from biometrics.faces.images import digest
from biometrics.metrics.scores import similarity_matrix
from biometrics.metrics.verification import nonmated_threshold, tmr
from biometrics.parallel import ordered_map

SEED = 7
TEXTURE_SIZE, TEXTURE_COMPONENTS, SHAPE_COMPONENTS = 96, 256, 30
SAMPLES = 1000
ASSETS = Path(__file__).resolve().parents[2] / "biometrics" / "faces" / "assets"
CARD = Path(__file__).with_name("appearance-card.md.in")
SUBJECTS = "lfw-attacker-subjects.txt"
QUANTILES = (0.5, 0.9, 0.99, 1.0)


def main() -> None:
    """Fit, save, measure, write the card."""
    folder = Path(os.environ["FACELEAK_LFW"])
    with tempfile.TemporaryDirectory() as work:
        faces = read_folder(folder, Path(work)).faces
        names = faces.subject_ids
        split = split_rows(names, {name: role_of(name, seed=SEED) for name in set(names)})
        attacker = faces.take(split.attacker)
        listed = sorted(set(attacker.subject_ids))
        (ASSETS / SUBJECTS).write_text("".join(f"{name}\n" for name in listed))
        model = fit_appearance(
            attacker,
            texture_size=TEXTURE_SIZE,
            texture_components=TEXTURE_COMPONENTS,
            shape_components=SHAPE_COMPONENTS,
            seed=SEED,
        )
        path = ASSETS / SHIPPED_MODEL
        model.save(path, compact=True)
        path.chmod(0o644)
        shipped = AppearanceModel.load(path)
        others = np.concatenate([split.threshold, split.leaked])
        measured = [
            line
            for backbone in _backbones()
            for line in measure(backbone, shipped, attacker, faces.take(others))
        ]
        found = sum(f is not None for f in ordered_map(find_in_crop, list(_samples(shipped).crops)))
    card = CARD.read_text().format(
        bytes=path.stat().st_size,
        sha256=digest(path.read_bytes()),
        subjects=len(listed),
        faces=len(attacker),
        size=TEXTURE_SIZE,
        texture=TEXTURE_COMPONENTS,
        shape=SHAPE_COMPONENTS,
        explained=100 * shipped.explained,
        seed=SEED,
        samples=SAMPLES,
        found=found,
        variation=VARIATION,
        table="\n".join(measured),
    )
    (ASSETS / "appearance-lfw.card.md").write_text(card)
    print(card)


def measure(
    backbone: Backbone, model: AppearanceModel, training: FaceSet, others: FaceSet
) -> Iterator[str]:
    """Rows of the card: nearest training face of sampled people and of real strangers."""
    kind = backbone.spec.similarity
    trained, real = embed(backbone, training.crops), embed(backbone, others.crops)
    sampled = _samples(model)
    made = embed(backbone, sampled.crops)
    cut = nonmated_threshold(real, others.subject_ids, kind, 1e-3)
    assert hasattr(cut, "value")
    rng = np.random.default_rng(SEED)
    strangers = real[rng.permutation(len(real))[:SAMPLES]]
    for label, templates in (("sampled people", made), ("real strangers", strangers)):
        nearest = similarity_matrix(templates, trained, kind).max(axis=1)
        quantiles = " | ".join(f"{q:.3f}" for q in np.quantile(nearest, QUANTILES))
        share = 100 * float((nearest >= cut.value).mean())
        yield f"| {backbone.spec.name} | {label} | {quantiles} | {share:.1f} % |"
    people = generate_faces(SAMPLES // 4, 4, SEED + 1, model=model)
    own = embed(backbone, people.crops)
    for fmr in (1e-2, 1e-3):
        limit = nonmated_threshold(own, people.subject_ids, kind, fmr)
        assert hasattr(limit, "value")
        rate = tmr(own, people.subject_ids, kind, limit.value)
        label = f"TMR of sampled people at FMR {fmr:g}"
        yield f"| {backbone.spec.name} | {label} | {rate.value:.3f} | | | | |"


def _samples(model: AppearanceModel) -> FaceSet:
    return generate_faces(SAMPLES, 1, SEED, model=model)


def _backbones() -> Iterator[Backbone]:
    for name in ("dlib", "mobilefacenet"):
        try:
            yield load_backbone(name)
        except WeightsError as error:
            print(f"not measured with {name}: {error}")


if __name__ == "__main__":
    main()
