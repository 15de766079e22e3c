from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from biometrics.errors import WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.appearance_fit import fit_appearance
from biometrics.faces.faceset import FaceSet
from biometrics.faces.resize import to_canonical
from tests.biometrics.faces.drawn import ASSET, plain_shape

FIELDS = [field.name for field in dataclasses.fields(AppearanceModel)]


@pytest.fixture(scope="module")
def model(synthetic: FaceSet) -> AppearanceModel:
    """A small model: 4 shape and 6 texture components at 32 pixels."""
    return fit_appearance(
        synthetic, texture_size=32, texture_components=6, shape_components=4, seed=0
    )


def faces_of(model: AppearanceModel, coefficients: NDArray[np.float32]) -> FaceSet:
    with torch.inference_mode():
        decoded = model.decode(torch.from_numpy(coefficients))
        images = model.compose(decoded.textures, decoded.landmarks)
    names = [str(i) for i in range(len(coefficients))]
    table = pd.DataFrame({"face_id": names, "subject_id": names})
    return FaceSet(to_canonical(images.numpy()), decoded.landmarks.numpy(), table)


def test_a_face_is_the_mean_plus_coefficients_times_components(model: AppearanceModel) -> None:
    z = np.random.default_rng(1).standard_normal((5, 10)).astype(np.float32)
    decoded = model.decode(torch.from_numpy(z))
    shape = model.mean_shape + np.einsum("nk,kp->np", z[:, :4], model.shape_basis).reshape(5, 68, 2)
    texture = model.mean_texture + np.einsum("nk,kcij->ncij", z[:, 4:], model.texture_basis)
    np.testing.assert_allclose(decoded.landmarks, shape, atol=1e-3)
    np.testing.assert_allclose(decoded.textures, np.clip(texture, 0, 1), atol=1e-5)
    assert (model.texture_size, model.n_shape, model.n_coefficients) == (32, 4, 10)


def test_the_mean_face_is_drawn_unwarped(model: AppearanceModel) -> None:
    out = model.render(torch.zeros(1, 10))
    np.testing.assert_allclose(out[0], model.mean_texture.clip(0, 1), atol=1e-5)


def test_drawing_moves_the_texture_to_the_landmarks(model: AppearanceModel) -> None:
    # The whole shape moves right: what was at the nose must then be right of it.
    texture = torch.zeros(1, 3, 32, 32)
    x, y = ((model.mean_shape[30] + 0.5) * 32 / 224 - 0.5).round().astype(int)
    texture[0, :, y, x] = 1
    shifted = torch.from_numpy(model.mean_shape)[None] + torch.tensor([14.0, 0.0])
    drawn = model.compose(texture, shifted)[0, 0]
    assert divmod(int(drawn.argmax()), 32) == (y, x + 2)


def test_coefficients_of_a_drawn_face_are_recovered(model: AppearanceModel) -> None:
    z = 0.7 * np.random.default_rng(2).standard_normal((40, 10)).astype(np.float32)
    seen: list[int] = []
    found = model.encode(faces_of(model, z), advance=seen.append)
    assert found.dtype == np.float32
    assert sum(seen) == 40
    # The shape is exact; the texture was resampled four times at 32 pixels.
    np.testing.assert_allclose(found[:, :4], z[:, :4], atol=1e-3)
    for k in range(4, 10):
        assert np.corrcoef(found[:, k], z[:, k])[0, 1] > 0.98
        assert abs(np.polyfit(z[:, k], found[:, k], 1)[0] - 1) < 0.15


def test_drawing_is_differentiable(model: AppearanceModel) -> None:
    z = torch.from_numpy(np.random.default_rng(3).standard_normal((2, 10)).astype(np.float32))
    z.requires_grad_()
    goal = torch.from_numpy(model.mean_texture)
    loss = (model.render(z) - goal).square().sum()
    (gradient,) = torch.autograd.grad(loss, z)
    assert (gradient.abs() > 0).all()
    step = 1e-2 * gradient / gradient.norm()
    with torch.no_grad():
        up, down = ((model.render(z + s) - goal).square().sum() for s in (step, -step))
    assert float(up - down) == pytest.approx(float(2e-2 * gradient.norm()), rel=0.05)


def test_sampled_people_follow_both_covariances(model: AppearanceModel) -> None:
    pictures = 4
    sampled = model.sample(6000, pictures, seed=5)
    assert sampled.coefficients.dtype == np.float32
    np.testing.assert_array_equal(sampled.person, np.repeat(np.arange(6000), pictures))
    grouped = sampled.coefficients.reshape(6000, pictures, -1).astype(np.float64)
    means = grouped.mean(axis=1, keepdims=True)
    deviations = (grouped - means).reshape(-1, grouped.shape[2])
    within = deviations.T @ deviations / (6000 * (pictures - 1))
    between = np.cov(means[:, 0], rowvar=False) - within / pictures
    np.testing.assert_allclose(within, model.within, atol=0.03)
    np.testing.assert_allclose(between, model.between, atol=0.06)
    np.testing.assert_allclose(sampled.coefficients.mean(axis=0), 0, atol=0.06)
    assert np.trace(model.between) > 3
    assert np.trace(model.within) > 0.5


def test_the_same_seed_gives_the_same_people(model: AppearanceModel) -> None:
    first, again, other = (model.sample(3, 2, seed).coefficients for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


# Files


def test_a_model_comes_back_exactly(model: AppearanceModel, tmp_path: Path) -> None:
    model.save(tmp_path / "m.safetensors")
    after = AppearanceModel.load(tmp_path / "m.safetensors")
    for name in FIELDS[:-1]:
        assert getattr(after, name).dtype == np.float32
        np.testing.assert_array_equal(getattr(after, name), getattr(model, name))
    assert after.explained == pytest.approx(model.explained, abs=1e-7)


def test_a_compact_model_is_small_and_nearly_the_same(
    model: AppearanceModel, tmp_path: Path
) -> None:
    full, compact = tmp_path / "full.safetensors", tmp_path / "compact.safetensors"
    model.save(full)
    model.save(compact, compact=True)
    after = AppearanceModel.load(compact)
    assert compact.stat().st_size < full.stat().st_size / 2.4
    assert load_file(compact)["texture_basis"].dtype == np.int8
    for name in ("mean_texture", "pixel_weights", "between", "within"):
        assert load_file(compact)[name].dtype == np.float16
        assert getattr(after, name).dtype == np.float32
        np.testing.assert_allclose(getattr(after, name), getattr(model, name), atol=6e-4, rtol=6e-4)
    np.testing.assert_array_equal(after.shape_basis, model.shape_basis)
    for before, got in zip(model.texture_basis, after.texture_basis, strict=True):
        # Half a step of 254 over the component's own range.
        np.testing.assert_allclose(got, before, atol=abs(before).max() * 0.501 / 127)
    z = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    assert (after.render(z) - model.render(z)).abs().max() < 1.5 / 255


def test_a_component_of_zeros_survives_compaction(model: AppearanceModel, tmp_path: Path) -> None:
    basis = model.texture_basis.copy()
    basis[2] = 0
    dataclasses.replace(model, texture_basis=basis).save(tmp_path / "m", compact=True)
    after = AppearanceModel.load(tmp_path / "m")
    assert not after.texture_basis[2].any()
    assert after.texture_basis[1].any()


def test_unreadable_models_are_refused(model: AppearanceModel, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model.save(path)
    content, arrays = path.read_bytes(), load_file(path)
    broken = [content[: len(content) // 2], b"", b"not a model" * 50, b"\xff" * 64]
    for damaged in broken:
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match="not a readable appearance model"):
            AppearanceModel.load(path)
    with pytest.raises(WeightsError, match="not a readable appearance model"):
        AppearanceModel.load(tmp_path / "absent")
    changes: dict[str, tuple[NDArray[np.float32], str]] = {
        "between": (arrays["between"][:3, :3], r"between must be \[10, 10\], got \[3, 3\]"),
        "mean_shape": (arrays["mean_shape"][:5], r"mean_shape must be \[68, 2\]"),
        "texture_basis": (arrays["texture_basis"][..., :8], r"texture_basis must be"),
        "mean_texture": (np.float32(1) * np.ones(()), "not a readable"),  # type: ignore[dict-item]
        "explained": (np.zeros(0, np.float32), "not a readable"),
        "within": (arrays["within"] * np.float32(np.nan), "within holds NaN"),
    }
    for name, (array, message) in changes.items():
        save_file({**arrays, name: np.ascontiguousarray(array)}, path)
        with pytest.raises(WeightsError, match=message):
            AppearanceModel.load(path)
    for name in FIELDS:
        save_file({key: value for key, value in arrays.items() if key != name}, path)
        with pytest.raises(WeightsError, match=name):
            AppearanceModel.load(path)


def test_the_model_that_ships_holds_plausible_faces() -> None:
    model = AppearanceModel.load(ASSET)
    assert model.mean_texture.min() >= 0
    assert model.mean_texture.max() <= 1
    assert 0.8 < model.explained < 1
    # Faces are the same shape all over: its mean is near one drawn by hand into the crop.
    assert np.linalg.norm(model.mean_shape - plain_shape(), axis=1).mean() < 8
    for covariance in (model.between, model.within):
        np.testing.assert_allclose(covariance, covariance.T, atol=2e-3)
        assert np.linalg.eigvalsh(covariance).min() > -1e-2
    # The coefficients are standardised.
    np.testing.assert_allclose(np.diag(model.between + model.within), 1, atol=0.25)
