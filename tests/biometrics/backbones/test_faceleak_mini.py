"""faceleak-mini: its gradients against loops, and its file."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from audit.synthesis import generate_faces
from biometrics.backbones import faceleak_mini as mini
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.errors import WeightsError
from biometrics.faces.shipped import shipped_model_path
from biometrics.metrics.scores import similarity_matrix


def by_loops(face: np.ndarray) -> np.ndarray:
    """The same definition, pixel by pixel."""
    size = mini.SIZE
    wide = np.pad(face.astype(np.float64), 1, mode="edge")
    dx = wide[1:-1, 2:] - wide[1:-1, :-2]
    dy = wide[2:, 1:-1] - wide[:-2, 1:-1]
    length = np.sqrt(dx**2 + dy**2 + 1e-8)
    strength = np.zeros((8, size, size))
    for y in range(size):
        for x in range(size):
            near = length[max(y - 8, 0) : y + 9, max(x - 8, 0) : x + 9].mean()
            for k in range(8):
                angle = 2 * math.pi * k / 8
                along = max(dx[y, x] * math.cos(angle) + dy[y, x] * math.sin(angle), 0.0)
                strength[k, y, x] = along**2 / (length[y, x] * (near + 0.02))
    cells = np.zeros((8, 14, 14))
    for row in range(14):
        for column in range(14):
            top, left = 8 * row - 4, 8 * column - 4
            part = strength[:, max(top, 0) : top + 16, max(left, 0) : left + 16]
            cells[:, row, column] = part.mean(axis=(1, 2))
    return np.sqrt(cells + 1e-10)


def noise(seed: int = 0) -> torch.Tensor:
    made = torch.rand(1, 1, 14, 14, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(made, mini.SIZE, mode="bilinear")


def test_gradients_equal_those_of_the_loops() -> None:
    found = mini.oriented_gradients(noise())[0].numpy()
    np.testing.assert_allclose(found, by_loops(noise()[0, 0].numpy()), atol=1e-5)


def test_a_mirror_image_has_mirrored_gradients() -> None:
    found = mini.mirrored(mini.oriented_gradients(noise()))
    torch.testing.assert_close(found, mini.oriented_gradients(noise().flip(3)), atol=2e-6, rtol=0)


def test_a_face_and_its_mirror_image_have_one_template() -> None:
    backbone = load_backbone(mini.NAME)
    faces = torch.rand(2, 3, mini.SIZE, mini.SIZE, generator=torch.Generator().manual_seed(1))
    one, other = backbone.embed_input(faces), backbone.embed_input(faces.flip(3))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_brighter_and_of_more_contrast_is_nearly_the_same_face() -> None:
    backbone = load_backbone(mini.NAME)
    face = 0.3 + 0.4 * torch.nn.functional.interpolate(noise(), mini.SIZE).expand(1, 3, -1, -1)
    lit = torch.cat([face, face * 1.3 + 0.05, 1 - face])
    templates = torch.nn.functional.normalize(backbone.embed_input(lit))
    assert float(templates[0] @ templates[1]) > 0.95
    assert float(templates[0] @ templates[2]) < 0.5


def test_flat_faces_send_back_finite_gradients() -> None:
    faces = torch.full((1, 3, mini.SIZE, mini.SIZE), 0.5, requires_grad=True)
    load_backbone(mini.NAME).embed_input(faces).sum().backward()
    assert faces.grad is not None
    assert faces.grad.isfinite().all()


def test_the_file_is_small_and_its_card_is_of_it() -> None:
    path = mini.shipped_path()
    assert path.stat().st_size <= 4 << 20
    state = safetensors.torch.load_file(path)
    assert {value.dtype for value in state.values()} == {torch.float16}
    text = path.with_name("faceleak-mini.card.md").read_text()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest in text
    assert load_backbone(mini.NAME).spec.sha256 == digest
    listed = shipped_model_path().with_name("lfw-attacker-subjects.txt").read_text().split()
    assert f"{len(listed):,} subjects" in text


def test_the_card_says_that_the_floors_are_met() -> None:
    """View 2 of unlisted people at least 88 %, TMR at FMR 1e-2 at least .55."""
    text = mini.shipped_path().with_name("faceleak-mini.card.md").read_text()
    accuracy = re.search(r"View 2.*\| ([0-9.]+) % ±", text)
    rate = re.search(r"TMR at FMR 0.01 \|.*\| ([0-9.]+) \[", text)
    assert accuracy is not None
    assert rate is not None
    assert float(accuracy[1]) >= 88
    assert float(rate[1]) >= 0.55


def test_another_file_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    state = safetensors.torch.load_file(mini.shipped_path())
    del state["linear.weight"]
    safetensors.torch.save_file(state, path)
    with pytest.raises(WeightsError, match=r"does not fit faceleak-mini: missing: linear\.weight"):
        load_backbone(mini.NAME, {mini.NAME: str(path)})
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="no readable safetensors file"):
        load_backbone(mini.NAME, {mini.NAME: str(path)})
    with pytest.raises(WeightsError, match="cannot be read"):
        load_backbone(mini.NAME, {mini.NAME: str(tmp_path / "none")})


def test_of_a_file_of_ones_own_nobody_knows_whom_it_learnt_from(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(mini.shipped_path().read_bytes())
    assert load_backbone(mini.NAME, {mini.NAME: str(path)}).learnt_from == frozenset()
    assert len(load_backbone(mini.NAME).learnt_from) > 3_000


def test_it_tells_generated_people_apart() -> None:
    """People of another seed than it learnt from: the nearest other picture is the person's own
    for most of 40, where chance is one in 79."""
    faces = generate_faces(40, 2, 99)
    vectors = embed(load_backbone(mini.NAME), faces.crops)
    scores = similarity_matrix(vectors, vectors, "cosine")
    np.fill_diagonal(scores, -1)
    names = faces.subject_ids
    assert (names[scores.argmax(axis=1)] == names).mean() > 0.7
