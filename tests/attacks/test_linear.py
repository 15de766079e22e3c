"""The ridge and its faces, in worlds where the answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from attacks.inversion.linear import Linear
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.faceset import FaceSet
from biometrics.ridge import solve_ridge
from tests.attacks.world import DIM, World, build, fit


def fit_linear(world: World, **settings: float) -> Linear:
    attack = fit("linear", world, **settings)
    assert isinstance(attack, Linear)
    return attack


@pytest.mark.parametrize("ridge", [0.0, 1e-9])
def test_without_noise_and_penalty_coefficients_are_recovered(
    noiseless: World, ridge: float
) -> None:
    attack = fit_linear(noiseless, ridge=ridge, exaggeration=1.0)
    found = attack.coefficients(noiseless.leaked)
    np.testing.assert_allclose(found, noiseless.truth, atol=2e-3)
    assert np.abs(noiseless.truth).max() > 1
    made = attack.invert(noiseless.leaked)
    np.testing.assert_allclose(made.crops, noiseless.pictures, atol=1e-3)


def test_landmarks_are_those_of_the_coefficients(noiseless: World) -> None:
    model = noiseless.model
    made = fit_linear(noiseless, ridge=0.0, exaggeration=1.0).invert(noiseless.leaked)
    shape = noiseless.truth[:, : model.n_shape] @ model.shape_basis
    assert made.landmarks is not None
    np.testing.assert_allclose(
        made.landmarks, model.mean_shape + shape.reshape(-1, 68, 2), atol=0.02
    )


def test_without_penalty_the_smallest_solution_is_taken(noiseless: World) -> None:
    """12 values that hold 8: many weights fit, the pseudo-inverse gives the smallest."""
    x = noiseless.templates.vectors.astype(np.float64)
    assert np.linalg.matrix_rank(x - x.mean(axis=0), tol=1e-3) == 8 < DIM
    _, weights = solve_ridge(noiseless.templates.vectors, noiseless.coefficients, 0.0)
    np.testing.assert_allclose(weights, np.linalg.pinv(noiseless.mixing), atol=2e-3)


def test_exaggeration_scales_the_coefficients(world: World) -> None:
    plain = fit_linear(world, exaggeration=1.0).coefficients(world.leaked)
    caricature = fit_linear(world, exaggeration=1.7).coefficients(world.leaked)
    np.testing.assert_allclose(caricature, 1.7 * plain, rtol=1e-5, atol=1e-6)


def test_more_ridge_draws_everybody_nearer_to_the_mean(world: World) -> None:
    sizes = [
        float(np.abs(fit_linear(world, ridge=ridge).coefficients(world.leaked)).mean())
        for ridge in (1e-3, 1.0, 100.0)
    ]
    assert sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] < 0.05 * sizes[0]


def test_the_mean_template_gives_the_mean_face(world: World) -> None:
    attack = fit_linear(world)
    made = attack.invert(attack.mean[None])
    with torch.inference_mode():
        mean = world.model.render(torch.zeros(1, world.model.n_coefficients)).numpy()
    assert np.array_equal(made.crops, mean)
    np.testing.assert_allclose(made.crops[0], world.model.mean_texture, atol=1e-4)


def test_faces_are_encoded_once_for_fits_that_follow_each_other(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[AppearanceModel] = []
    encode = AppearanceModel.encode

    def watched(self: AppearanceModel, faces: FaceSet, **more: Any) -> NDArray[np.float32]:
        encoded.append(self)
        return encode(self, faces, **more)

    monkeypatch.setattr(AppearanceModel, "encode", watched)
    faces = world.faces.take(np.arange(len(world.faces)))
    first = build("linear", world)
    assert isinstance(first, Linear)
    first.fit(faces, world.templates)
    first.save(tmp_path)
    # Read back, its appearance model is another object with the same numbers.
    again = Linear.load(tmp_path, first.settings, first.resources)
    once = again.refitted(faces, world.templates)
    assert len(encoded) == 1
    np.testing.assert_array_equal(once.weights, first.weights)
    other = replace(world.model, mean_shape=world.model.mean_shape + 1.0)
    moved = Linear(first.settings, replace(first.resources, appearance=other))
    moved.fit(faces, world.templates)
    assert len(encoded) == 2
    assert encoded[1] is other
    assert not np.allclose(moved.weights, first.weights)
    moved.fit(faces.take(np.arange(len(faces))), world.templates)  # other faces
    assert len(encoded) == 3
