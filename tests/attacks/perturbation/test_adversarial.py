from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from attacks.perturbation import adversarial_single
from attacks.perturbation.adversarial import (
    AdversarialNoise,
    CarliniWagner,
    Effort,
    Fgsm,
    Goal,
    IterativeFgsm,
    Objective,
    Pgd,
    Square,
)
from attacks.perturbation.adversarial_art import LogOdds
from attacks.perturbation.adversarial_single import Remembered
from attacks.perturbation.base import PERTURBATIONS, Pictures
from attacks.perturbation.recogniser import Recogniser
from biometrics import parallel
from biometrics.backbones.embed import embed
from biometrics.errors import ConfigError
from biometrics.faces.resize import from_pixels
from biometrics.metrics.scores import paired_similarity
from biometrics.parallel import kept_processes
from tests.attacks.perturbation.toy import aims, toy_pictures, toy_recogniser
from tests.one_thread import one_thread  # noqa: F401

GRADIENT = (Fgsm, IterativeFgsm, Pgd)
BUDGETED = (*GRADIENT, Square)
QUICK = Effort(steps=4, searches=3, search_steps=6, queries=20)
ROOT = Path(__file__).resolve().parents[3]


def noise(
    method: type[AdversarialNoise],
    strength: float | None,
    pictures: Pictures,
    *,
    objective: Objective = "similarity",
    goal: Goal = "impersonation",
    recogniser: Recogniser | None = None,
    effort: Effort = QUICK,
) -> AdversarialNoise:
    return method(
        strength,
        recogniser or toy_recogniser(),
        aims(pictures),
        objective=objective,
        goal=goal,
        effort=effort,
    )


def similarity(recogniser: Recogniser, crops: np.ndarray, pictures: Pictures) -> np.ndarray:
    people = np.array([aims(pictures)[seed] for seed in pictures.seeds.tolist()])
    vectors = embed(recogniser.backbone, crops)
    gallery = recogniser.gallery
    return paired_similarity(vectors, gallery.templates[people], gallery.kind)


def by_hand(
    recogniser: Recogniser, pictures: Pictures, objective: Objective, targeted: bool
) -> torch.Tensor:
    """Signs of the gradient that raises what the attacker wants."""
    people = torch.tensor([aims(pictures)[seed] for seed in pictures.seeds.tolist()])
    crops = from_pixels(pictures.crops).requires_grad_(True)
    vectors = recogniser.backbone(crops)
    known = torch.from_numpy(recogniser.gallery.templates)
    if recogniser.gallery.kind == "cosine":
        scores = F.cosine_similarity(vectors[:, None], known, dim=2)
    else:
        scores = -torch.cdist(vectors, known)
    if objective == "softmax":
        wish = -F.cross_entropy(recogniser.gallery.scale * scores, people)
    else:
        wish = scores.gather(1, people[:, None]).mean()
    (wish if targeted else -wish).backward()
    assert crops.grad is not None
    return crops.grad.permute(0, 2, 3, 1)


@pytest.mark.parametrize("objective", ["softmax", "similarity"])
@pytest.mark.parametrize("goal", ["impersonation", "evasion"])
@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_fgsm_is_one_step_along_the_sign_of_the_gradient(objective, goal, kind) -> None:
    pictures, recogniser = toy_pictures(3), toy_recogniser(kind, scale=2.0)
    method = noise(Fgsm, 3.0, pictures, objective=objective, goal=goal, recogniser=recogniser)
    made = method.apply(pictures).crops.astype(int)
    gradient = by_hand(recogniser, pictures, objective, goal == "impersonation").numpy()
    expected = np.clip(pictures.crops + 3.0 * np.sign(gradient), 0, 255).astype(int)
    # The last bit of a sum may turn the sign of what is zero but for rounding.
    sure = np.abs(gradient) > 1e-5 * np.abs(gradient).max()
    assert sure[gradient != 0].mean() > 0.9
    np.testing.assert_array_equal(made[sure], expected[sure])
    np.testing.assert_array_equal(made[gradient == 0], pictures.crops[gradient == 0])


@pytest.mark.parametrize("targeted", [True, False])
def test_log_odds_lead_where_the_cross_entropy_does(targeted: bool) -> None:
    logits = torch.tensor([[3.0, 1.0, 2.5], [0.2, 0.1, -4.0]], requires_grad=True)
    people = torch.tensor([0, 2])
    ours = torch.autograd.grad(LogOdds()(logits, F.one_hot(people, 3)), logits)[0]
    theirs = torch.autograd.grad(F.cross_entropy(logits, people, reduction="sum"), logits)[0]
    rest = 1.0 - logits.softmax(dim=1).gather(1, people[:, None])
    torch.testing.assert_close(ours * rest, theirs)


def test_who_is_recognised_beyond_doubt_can_still_evade() -> None:
    pictures, recogniser = toy_pictures(2), toy_recogniser(scale=1e4)
    best = recogniser.gallery.logits(embed(recogniser.backbone, pictures.crops)).argmax(axis=1)
    own = dict(zip(pictures.seeds.tolist(), best.tolist(), strict=True))
    method = Fgsm(4.0, recogniser, own, objective="softmax", goal="evasion")
    assert (method.apply(pictures).crops != pictures.crops).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("method", BUDGETED)
@pytest.mark.parametrize("strength", [1.0, 2.5, 8.0])
def test_the_budget_holds_after_rounding(method, strength) -> None:
    pictures = toy_pictures(2)
    made = noise(method, strength, pictures).apply(pictures)
    apart = np.abs(made.crops.astype(int) - pictures.crops)
    assert made.crops.dtype == np.uint8
    assert 0 < apart.max() <= strength
    np.testing.assert_array_equal(made.landmarks, pictures.landmarks)


@pytest.mark.parametrize("method", BUDGETED)
def test_no_budget_leaves_every_picture_as_it_was(method) -> None:
    pictures = toy_pictures(2)
    made = noise(method, 0.0, pictures).apply(pictures).crops
    np.testing.assert_array_equal(made, pictures.crops)
    assert made is not pictures.crops


@pytest.mark.parametrize("method", [*BUDGETED, CarliniWagner])
@pytest.mark.parametrize("objective", ["softmax", "similarity"])
def test_four_at_once_are_four_one_by_one_and_come_again(method, objective) -> None:
    pictures = toy_pictures(4)
    before = pictures.crops.copy()
    wagner = method is CarliniWagner
    effort = Effort(3, 2, 2, 8, 0.5 if wagner and objective == "similarity" else None)
    attack = noise(method, None if wagner else 4.0, pictures, objective=objective, effort=effort)
    state = np.random.get_state()[1].copy()
    together = attack.apply(pictures).crops
    # The last first: nothing may depend on what was drawn before.
    alone = [attack.apply(pictures.take(slice(i, i + 1))).crops[0] for i in (3, 2, 1, 0)]
    np.testing.assert_array_equal(together, np.stack(alone[::-1]))
    np.testing.assert_array_equal(pictures.crops, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_many_side_by_side_are_as_one_after_the_other(monkeypatch) -> None:
    pictures = toy_pictures(4)
    effort = Effort(steps=2, searches=1, search_steps=2, queries=5)
    methods = [
        noise(Square, 8.0, pictures, effort=effort),
        noise(CarliniWagner, None, pictures, objective="softmax", effort=effort),
    ]
    here = [method.apply(pictures).crops for method in methods]
    monkeypatch.setattr(adversarial_single, "FEW", 1)
    monkeypatch.setattr(parallel, "default_workers", lambda: 2)
    with kept_processes():
        there = [method.apply(pictures).crops for method in methods]
    for one, other in zip(here, there, strict=True):
        assert (one != pictures.crops).any()
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", [Pgd, Square])
def test_another_seed_is_another_draw(method) -> None:
    pictures = toy_pictures(1)
    other = Pictures(pictures.crops, pictures.landmarks, pictures.seeds + np.uint64(1))
    a = noise(method, 4.0, pictures).apply(pictures).crops
    b = noise(method, 4.0, other).apply(other).crops
    assert (a != b).any()


@pytest.mark.parametrize("method", GRADIENT)
@pytest.mark.parametrize("goal", ["impersonation", "evasion"])
def test_a_larger_budget_leads_farther(method, goal) -> None:
    pictures, recogniser = toy_pictures(4), toy_recogniser()
    means = [
        similarity(
            recogniser,
            noise(method, e, pictures, goal=goal, recogniser=recogniser).apply(pictures).crops,
            pictures,
        ).mean()
        for e in (0.0, 2.0, 8.0)
    ]
    assert means == sorted(means, reverse=goal == "evasion")
    assert abs(means[2] - means[0]) > 0.05


def test_iteration_leads_farther_than_one_step_on_the_toy() -> None:
    pictures, recogniser = toy_pictures(4), toy_recogniser()
    one, many = (
        similarity(
            recogniser,
            noise(m, 8.0, pictures, recogniser=recogniser).apply(pictures).crops,
            pictures,
        ).mean()
        for m in (Fgsm, IterativeFgsm)
    )
    assert many >= one - 1e-3


def test_carlini_wagner_meets_the_threshold_with_less_noise_than_a_budget() -> None:
    pictures, recogniser = toy_pictures(4), toy_recogniser()
    cut = float(np.median(similarity(recogniser, pictures.crops, pictures))) + 0.1
    effort = Effort(searches=3, search_steps=5, threshold=cut)
    attack = noise(CarliniWagner, None, pictures, recogniser=recogniser, effort=effort)
    made = attack.apply(pictures).crops
    changed = (made != pictures.crops).any(axis=(1, 2, 3))
    reached = similarity(recogniser, made, pictures) >= cut
    there = similarity(recogniser, pictures.crops, pictures) >= cut
    assert changed.any()
    assert reached[changed].all()
    assert (changed | there | ~reached).all()
    strong = noise(Fgsm, 40.0, pictures, recogniser=recogniser).apply(pictures).crops
    sizes = [np.linalg.norm((c.astype(float) - pictures.crops)[changed]) for c in (made, strong)]
    assert 0 < sizes[0] < sizes[1]


def test_carlini_wagner_needs_a_threshold_on_similarity_alone() -> None:
    pictures = toy_pictures(1)
    with pytest.raises(ValueError, match="takes a threshold on similarity"):
        noise(CarliniWagner, None, pictures).apply(pictures)


def test_the_square_attack_shows_no_more_pictures_than_allowed(monkeypatch) -> None:
    asked = []
    forward = Remembered.forward

    def counted(self, crops):
        answer = forward(self, crops)
        asked.append(self.asked)
        return answer

    monkeypatch.setattr(Remembered, "forward", counted)
    pictures, recogniser = toy_pictures(1), toy_recogniser()
    made = noise(Square, 8.0, pictures, recogniser=recogniser).apply(pictures).crops
    assert 15 <= max(asked) <= QUICK.queries
    after, before = (similarity(recogniser, c, pictures)[0] for c in (made, pictures.crops))
    assert after > before


def test_names_say_method_objective_and_goal() -> None:
    pictures = toy_pictures(1)
    attack = noise(IterativeFgsm, 4.0, pictures, objective="softmax", goal="evasion")
    assert attack.title == "iterative-fgsm-softmax-evasion"
    assert attack.slug == "iterative-fgsm-softmax-evasion-4"
    assert attack.label == "iterative FGSM on softmax, away from the own person, ε = 4/255"
    assert not {"fgsm", "pgd", "square", "carlini-wagner"} & set(PERTURBATIONS.names())


def test_a_picture_without_an_aim_and_a_budget_out_of_range_are_refused() -> None:
    pictures = toy_pictures(2)
    attack = Fgsm(1.0, toy_recogniser(), {100: 0}, objective="softmax", goal="evasion")
    with pytest.raises(ValueError, match="1 of 2 pictures have no aim"):
        attack.apply(pictures)
    with pytest.raises(ConfigError, match="expected a strength from 0 to 255"):
        noise(Fgsm, 300.0, pictures)


def test_the_modules_are_imported_without_the_toolbox() -> None:
    code = "import sys, attacks.perturbation.adversarial; assert 'art' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=True)
