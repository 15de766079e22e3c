"""Train the attack that ships for a backbone, and measure it on people it never saw.

    python -m benchmarks.lfw.build_attack RUN [BACKBONE]

RUN is a finished run of ``faceleak audit lfw-dlib`` (LFW, seed 7): its faces and templates are
used. The attack learns from the committed list of attacker subjects and draws with the appearance
model that ships; it is judged on the leaked subjects of the run, who are on no list.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch

from attacks.base import Reconstruction, Resources
from attacks.inversion.appearance import Appearance, AppearanceSettings
from attacks.saved import share_appearance
from attacks.trained import RECORD
from benchmarks.lfw._run import LfwRun
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.errors import WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.detect import find_in_crop
from biometrics.faces.images import digest
from biometrics.faces.resize import to_canonical
from biometrics.faces.shipped import shipped_model_path
from biometrics.metrics.success import Attempts, acceptance
from biometrics.parallel import ordered_map
from faceleak import __version__

PRETRAINED = Path("attacks/pretrained")
LISTED = Path("biometrics/faces/assets/lfw-attacker-subjects.txt")
CARD = Path(__file__).with_name("attack-card.md.in")
FMRS = (1e-2, 1e-3, 1e-4)
JUDGES = ("dlib", "mobilefacenet")


def main() -> None:
    """Write the attack's folder and print its card."""
    run = LfwRun.read(Path(sys.argv[1]))
    target = sys.argv[2] if len(sys.argv) > 2 else "dlib"
    attacker, leaked = run.rows("attacker"), run.rows("leaked")
    listed = [n for n in LISTED.read_text().splitlines() if n and not n.startswith("#")]
    assert set(run.faces.subject_ids[attacker]) == set(listed), "another split than the list's"
    templates, backbone = run.templates(target), load_backbone(target)
    settings = AppearanceSettings()
    resources = Resources(
        appearance=AppearanceModel.load(shipped_model_path()),
        backbone=backbone,
        similarity=backbone.spec.similarity,
        seed=run.seed,
    )
    attack, start = Appearance(settings, resources), time.perf_counter()
    attack.fit(run.faces.take(attacker), templates.take(attacker))
    seconds = time.perf_counter() - start
    folder = PRETRAINED / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    attack.save(folder)
    share_appearance(folder)
    assert attack.training is not None
    record = {
        "generator": f"faceleak {__version__}",
        "attack": "appearance",
        "settings": settings.model_dump(mode="json"),
        "target": target,
        "dim": templates.vectors.shape[1],
        "similarity": backbone.spec.similarity,
        "seed": run.seed,
        "target_sha256": backbone.spec.sha256,
        "subjects": len(listed),
        "pictures": len(attacker),
        "seconds": round(seconds, 1),
        "training": vars(attack.training),
    }
    for path in folder.iterdir():
        path.chmod(0o644)
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")
    vectors = templates.vectors[leaked]
    start = time.perf_counter()
    made = attack.invert(vectors)
    speed = len(vectors) / (time.perf_counter() - start)
    rows = judge(run, made, leaked, target)
    weights = folder / f"{attack.file}.safetensors"
    card = CARD.read_text().format(
        target=target,
        file=weights.name,
        bytes=weights.stat().st_size,
        sha256=digest(weights.read_bytes()),
        subjects=len(listed),
        faces=len(attacker),
        leaked_subjects=len(set(run.faces.subject_ids[leaked])),
        leaked=len(leaked),
        seed=run.seed,
        minutes=seconds / 60,
        passes=attack.training.passes,
        steps=attack.training.steps,
        threads=torch.get_num_threads(),
        size=made.crops.shape[-1],
        speed=speed,
        table="\n".join(rows),
    )
    (folder / "card.md").write_text(card)
    print(card)


def judge(run: LfwRun, made: Reconstruction, leaked: np.ndarray, target: str) -> list[str]:
    """Rows of the card: each judge at each FMR."""
    pictures = to_canonical(made.rounded())
    found = np.array([f is not None for f in ordered_map(find_in_crop, list(pictures))])
    rows = [f"face found by the detector: {100 * found.mean():.1f} % of {len(found):,}", ""]
    rows += [
        "| judge | FMR | Type-I | Type-II | its reference |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in JUDGES:
        try:
            backbone = load_backbone(name)
        except WeightsError as error:
            print(f"not judged by {name}: {error}")
            continue
        templates = run.templates(name)
        attempts = Attempts(
            reconstructed=embed(backbone, pictures),
            leaked=templates.vectors[leaked],
            subjects=run.faces.subject_ids[leaked],
            detected=found,
            kind=backbone.spec.similarity,
        )
        label = f"{name} ({'the attacked model' if name == target else 'unseen'})"
        for fmr in FMRS:
            cut = run.threshold(templates, backbone.spec.similarity, fmr)
            rates = acceptance(attempts, cut, seed=run.seed)
            cells = [rates.type1, rates.type2, rates.type2_reference]
            shown = " | ".join(f"{c.value:.3f} [{c.low:.3f}-{c.high:.3f}]" for c in cells)
            rows.append(f"| {label} | {fmr:.0e} | {shown} |")
    return rows


if __name__ == "__main__":
    main()
