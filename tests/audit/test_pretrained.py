"""What ships below attacks/pretrained: small, described, and an attack that works."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from attacks.trained import load_trained, shipped_attack
from audit.synthesis import VARIATION
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.images import digest
from biometrics.faces.resize import to_canonical
from biometrics.faces.shipped import shipped_model_path
from biometrics.metrics.scores import paired_similarity

FOLDER = Path(__file__).parents[2] / "attacks" / "pretrained"
SHIPPED = sorted(path.parent.name for path in FOLDER.glob("*/attack.json"))
LIMIT = 6 * 2**20

each = pytest.mark.parametrize("target", SHIPPED)


def test_one_ships_for_the_embedded_default() -> None:
    assert "dlib" in SHIPPED


@each
def test_it_is_small_and_says_where_it_comes_from(target: str) -> None:
    folder = shipped_attack(target)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LIMIT
    record = json.loads((folder / "attack.json").read_text())
    card = (folder / "card.md").read_text()
    (weights,) = folder.glob("*.safetensors")
    assert record["target"] == target
    assert digest(weights.read_bytes()) in card
    assert f"{record['pictures']:,} faces" in card
    for part in ("| data |", "| command |", "| seed |", "| terms |", "Type-I", "Type-II"):
        assert part in card
    shared = (folder / "appearance.sha256").read_text().strip()
    assert shared == digest(shipped_model_path().read_bytes())


def test_its_faces_open_dlib_for_people_who_do_not_exist() -> None:
    model = AppearanceModel.load(shipped_model_path())
    people = model.sample(12, 1, seed=11, variation=VARIATION)
    with torch.inference_mode():
        pictures = model.render(torch.from_numpy(people.coefficients)).numpy()
    dlib = load_backbone("dlib")
    leaked = embed(dlib, to_canonical(pictures))
    made = load_trained(shipped_attack("dlib")).attack.invert(leaked)
    again = embed(dlib, to_canonical(made.rounded()))
    own = paired_similarity(again, leaked, "l2")
    strangers = paired_similarity(again, np.roll(leaked, 1, axis=0), "l2")
    # Nearer than the customary 0.6 to the templates that they were made from, and to no others.
    assert (own > -0.5).all(), own
    assert own.mean() > strangers.mean() + 0.15
