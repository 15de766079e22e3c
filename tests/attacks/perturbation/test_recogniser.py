from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from attacks.perturbation.recogniser import Gallery, Recogniser, fit_gallery
from biometrics.backbones.base import Similarity
from biometrics.backbones.embed import embed
from biometrics.errors import ConfigError
from biometrics.faces.resize import from_pixels
from biometrics.metrics.scores import similarity_matrix
from tests.attacks.perturbation.toy import (
    PEOPLE,
    ToyBackbone,
    toy_pictures,
    toy_recogniser,
    toy_spec,
)
from tests.one_thread import one_thread  # noqa: F401


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_logits_are_the_scaled_similarities_to_everybody(kind: Similarity) -> None:
    recogniser = toy_recogniser(kind)
    crops = toy_pictures(3).crops
    vectors = embed(recogniser.backbone, crops)
    with torch.no_grad():
        logits = recogniser(from_pixels(crops)).numpy()
    expected = 20.0 * similarity_matrix(vectors, recogniser.gallery.templates, kind)
    np.testing.assert_allclose(logits, expected, atol=2e-4)
    np.testing.assert_allclose(recogniser.gallery.logits(vectors), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["cosine", "l2"])
def test_gradients_pass_through_the_canonical_crop(kind: Similarity) -> None:
    recogniser = toy_recogniser(kind).double()
    recogniser.backbone.grid = recogniser.backbone.grid.double()
    crop = from_pixels(toy_pictures(1).crops).double().requires_grad_(True)
    recogniser(crop)[0, 1].backward()
    assert crop.grad is not None
    rng = np.random.default_rng(1)
    for _ in range(8):
        direction = torch.from_numpy(rng.normal(size=crop.shape))
        with torch.no_grad():
            step = 1e-5 * direction
            ends = recogniser(crop + step)[0, 1] - recogniser(crop - step)[0, 1]
        slope = float((crop.grad * direction).sum())
        assert float(ends) / 2e-5 == pytest.approx(slope, rel=1e-4, abs=1e-7)
    assert float(crop.grad.abs().sum()) > 0.1


def test_a_picture_gives_the_same_in_every_company() -> None:
    recogniser = toy_recogniser()
    crops = from_pixels(toy_pictures(11).crops)
    together = crops.clone().requires_grad_(True)
    recogniser(together)[:, 0].sum().backward()
    assert together.grad is not None
    for i in (0, 5, 10):
        alone = crops[i : i + 1].clone().requires_grad_(True)
        recogniser(alone)[:, 0].sum().backward()
        assert alone.grad is not None
        assert torch.equal(alone.grad[0], together.grad[i])


def test_a_template_met_exactly_has_a_gradient() -> None:
    backbone = ToyBackbone(toy_spec("l2"))
    pictures = toy_pictures(1)
    recogniser = Recogniser(backbone, Gallery(embed(backbone, pictures.crops), "l2"), chunk=1)
    crop = from_pixels(pictures.crops).requires_grad_(True)
    recogniser(crop).sum().backward()
    assert crop.grad is not None
    assert torch.isfinite(crop.grad).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), kind=st.sampled_from(["cosine", "l2"]))
def test_the_scale_is_the_most_likely_one(seed: int, kind: Similarity) -> None:
    rng = np.random.default_rng(seed)
    templates = rng.normal(size=(PEOPLE, 6)).astype(np.float32)
    people = rng.integers(0, PEOPLE, 30)
    vectors = templates[people] + rng.normal(scale=1.2, size=(30, 6))
    gallery = fit_gallery(templates, kind, vectors, people)
    scores = similarity_matrix(vectors, templates, kind).astype(float)

    def likely(scale: float) -> float:
        return float(log_softmax(scale * scores, axis=1)[np.arange(30), people].sum())

    grid = np.geomspace(1e-3, 1e4, 300)
    assert likely(gallery.scale) >= max(likely(s) for s in grid) - 1e-2


def test_probabilities_sum_to_one_and_follow_the_nearest() -> None:
    templates = np.eye(3, dtype=np.float32)
    found = Gallery(templates, "cosine", 10.0).probabilities(templates + 0.1)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.argmax(axis=1).tolist() == [0, 1, 2]


def test_a_model_without_gradients_is_refused() -> None:
    backbone = ToyBackbone(toy_spec(differentiable=False))
    with pytest.raises(ConfigError, match="'toy' is not differentiable"):
        Recogniser(backbone, Gallery(np.ones((2, 8), dtype=np.float32), "cosine"))
