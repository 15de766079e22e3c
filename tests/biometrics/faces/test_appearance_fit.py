from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from biometrics.errors import InputError
from biometrics.faces.appearance import AppearanceModel, normalised_textures
from biometrics.faces.appearance_fit import (
    BACKGROUND_WEIGHT,
    fit_appearance,
    principal,
    split_covariance,
    texture_weights,
)
from biometrics.faces.faceset import FaceSet
from tests.biometrics.faces.drawn import plain_shape

SIZE = 32


def fit(faces: FaceSet, components: int = 6, seed: int = 0) -> AppearanceModel:
    return fit_appearance(
        faces, texture_size=SIZE, texture_components=components, shape_components=4, seed=seed
    )


def textures_of(faces: FaceSet, model: AppearanceModel) -> NDArray[np.float32]:
    return np.concatenate(list(normalised_textures(faces, model.mean_shape, SIZE)))


def same_up_to_sign(got: NDArray[np.floating], expected: NDArray[np.floating]) -> None:
    for a, b in zip(got, expected, strict=True):
        sign = np.sign((a * b).sum())
        np.testing.assert_allclose(a, sign * b, atol=0.01 * abs(b).max())


def test_texture_components_are_those_of_weighted_pixels(synthetic: FaceSet) -> None:
    model = fit(synthetic)
    rows = textures_of(synthetic, model).reshape(60, -1)
    weighted = rows * model.pixel_weights.reshape(-1)
    oracle = PCA(20, svd_solver="full").fit(weighted)
    components = oracle.components_ * np.sqrt(oracle.explained_variance_)[:, None]
    basis = (model.texture_basis * model.pixel_weights).reshape(6, -1)
    same_up_to_sign(basis, components[:6])
    np.testing.assert_allclose(model.mean_texture.reshape(-1), rows.mean(axis=0), atol=1e-5)
    held = oracle.explained_variance_[:6].sum() / weighted.var(axis=0, ddof=1).sum()
    assert model.explained == pytest.approx(held, abs=2e-3)


def test_shape_components_are_those_of_the_landmarks(synthetic: FaceSet) -> None:
    model = fit(synthetic)
    oracle = PCA(4, svd_solver="full").fit(synthetic.landmarks.reshape(60, -1))
    expected = oracle.components_ * np.sqrt(oracle.explained_variance_)[:, None]
    same_up_to_sign(model.shape_basis, expected)
    np.testing.assert_allclose(model.mean_shape, synthetic.landmarks.mean(axis=0), atol=1e-4)


def test_coefficients_of_the_training_faces_are_standardised(synthetic: FaceSet) -> None:
    coefficients = fit(synthetic).encode(synthetic)
    assert coefficients.shape == (60, 10)
    np.testing.assert_allclose(coefficients.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(coefficients.std(axis=0, ddof=1), 1, atol=5e-3)


def test_all_components_together_give_the_training_textures_back(synthetic: FaceSet) -> None:
    model = fit(synthetic, components=1000)
    assert len(model.texture_basis) == 59
    assert model.explained == pytest.approx(1, abs=1e-4)
    decoded = model.decode(torch.from_numpy(model.encode(synthetic)))
    np.testing.assert_allclose(decoded.textures, textures_of(synthetic, model), atol=2e-3)


def test_textures_lie_on_the_mean_face(synthetic: FaceSet) -> None:
    # At the landmarks of the mean face stands what the picture shows at its own landmarks.
    mean = plain_shape()
    texture = next(iter(normalised_textures(synthetic.take([7]), mean, 224)))[0]
    crop, own = synthetic.crops[7] / 255.0, synthetic.landmarks[7]
    for k in (19, 30, 36, 54):
        x, y = mean[k].round().astype(int)
        u, v = (own[k] + mean[k].round() - mean[k]).round().astype(int)
        np.testing.assert_allclose(texture[:, y, x], crop[v, u], atol=0.03)


def test_weights_are_one_in_the_face_and_small_far_away() -> None:
    weights = texture_weights(plain_shape(), 224)
    assert weights.shape == (224, 224)
    assert weights[120, 112] == 1
    assert weights[60, 112] == 1  # the forehead, above the brows
    assert weights[0, 0] == pytest.approx(BACKGROUND_WEIGHT, abs=1e-3)
    # One fall-off width (15 px) outside the chin at y = 190: 0.02 + 0.98 / e.
    assert weights[205, 112] == pytest.approx(0.02 + 0.98 * np.exp(-1), abs=0.08)
    assert texture_weights(plain_shape(), 32)[17, 16] == 1


def test_covariances_equal_the_sums_written_out() -> None:
    rng = np.random.default_rng(0)
    names = np.array(["b"] * 4 + ["a"] * 2 + ["lone"] + ["c"] * 3 + ["d"] * 2)
    own = dict(zip(["a", "b", "c", "d", "lone"], 5 * np.eye(5, 3), strict=True))
    rows = np.array([own[name] for name in names.tolist()]) + rng.standard_normal((12, 3))
    within = np.zeros((3, 3))
    freedom = 0
    for name in ("a", "b", "c", "d"):
        some = rows[names == name]
        within += sum(np.outer(row - some.mean(axis=0), row - some.mean(axis=0)) for row in some)
        freedom += len(some) - 1
    within /= freedom
    total = sum(np.outer(r - rows.mean(axis=0), r - rows.mean(axis=0)) for r in rows) / 11
    got_between, got_within = split_covariance(rows.astype(np.float32), names)
    np.testing.assert_allclose(got_within, within, rtol=1e-4, atol=1e-5)
    assert np.linalg.eigvalsh(total - within).min() > 0
    np.testing.assert_allclose(got_between, total - within, rtol=1e-4, atol=1e-4)


def test_between_is_positive_semi_definite_where_the_difference_is_not() -> None:
    # Subjects differ along x only, pictures along y only: total minus within is negative in y.
    rows = np.array([[x, y] for x in (0, 10) for y in (-3, 3)], dtype=np.float32)
    between, within = split_covariance(rows, np.array(["a", "a", "b", "b"]))
    np.testing.assert_allclose(within, [[0, 0], [0, 18]], atol=1e-5)
    np.testing.assert_allclose(between, [[100 / 3, 0], [0, 0]], atol=1e-4)


def test_principal_components_do_not_depend_on_their_number() -> None:
    rng = np.random.default_rng(4)
    rows = (rng.standard_normal((50, 30)) * np.geomspace(10, 0.1, 30)).astype(np.float32)
    rows -= rows.mean(axis=0)
    same_up_to_sign(principal(rows, 3, 0), principal(rows, 12, 1)[:3])
    assert principal(rows, 100, 0).shape == (30, 30)
    assert principal(rows[:5], 100, 0).shape == (4, 30)


def test_the_seed_decides_and_the_global_generator_is_left_alone(synthetic: FaceSet) -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first = fit(synthetic, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    np.random.seed(0)  # whatever the global state is
    again = fit(synthetic, seed=3)
    np.testing.assert_array_equal(first.texture_basis, again.texture_basis)
    np.testing.assert_array_equal(first.between, again.between)


def test_progress_counts_every_face(synthetic: FaceSet) -> None:
    seen: list[int] = []
    fit_appearance(
        synthetic,
        texture_size=16,
        texture_components=2,
        shape_components=2,
        seed=0,
        advance=seen.append,
    )
    assert sum(seen) == 60


def test_too_few_faces_and_lone_pictures_are_refused(synthetic: FaceSet) -> None:
    with pytest.raises(InputError, match="at least 20 faces, got 19"):
        fit(synthetic.take(range(19)))
    lone = synthetic.take(range(20))
    lone.table["subject_id"] = [str(i) for i in range(20)]
    with pytest.raises(InputError, match="needs a subject with two pictures"):
        fit(lone)
