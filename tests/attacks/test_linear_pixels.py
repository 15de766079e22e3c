"""Ridge regression to the pixels against scikit-learn, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from attacks.inversion import linear_pixels
from attacks.inversion.decoder import resized_crops
from attacks.inversion.linear_pixels import LinearPixels
from tests.attacks.world import World, fit


def fit_pixels(world: World, **settings: float) -> LinearPixels:
    attack = fit("linear-pixels", world, **settings)
    assert isinstance(attack, LinearPixels)
    return attack


def test_pictures_equal_those_of_scikit_learns_ridge(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_pixels, "PIXELS_AT_ONCE", 1000)  # several parts, the last shorter
    made = fit_pixels(world, size=32, ridge=0.05).invert(world.leaked).crops
    x = world.templates.vectors.astype(np.float64)
    y = resized_crops(world.faces, 32).numpy().reshape(len(x), -1) / 255
    alpha = 0.05 * len(x) * float(x.var(axis=0).mean())
    expected = Ridge(alpha=alpha).fit(x, y).predict(world.leaked).reshape(-1, 3, 32, 32)
    np.testing.assert_allclose(made, expected.clip(0, 1), atol=2e-5)


def test_longer_templates_are_brought_to_their_principal_components(world: World) -> None:
    """Templates that hold 8 numbers lose nothing by eight components, and some by two."""
    whole = fit_pixels(world, size=32).invert(world.leaked).crops
    rank = np.linalg.matrix_rank(world.templates.vectors - world.templates.vectors.mean(axis=0))
    same = fit_pixels(world, size=32, components=int(rank)).invert(world.leaked).crops
    fewer = fit_pixels(world, size=32, components=2)
    assert fewer.weights.shape == (2, 3 * 32 * 32)
    np.testing.assert_allclose(same, whole, atol=0.02)
    assert np.abs(fewer.invert(world.leaked).crops - whole).max() > 0.05


def test_no_line_is_nearer_in_the_mean_square(world: World) -> None:
    """Any other weights fit the pairs worse: the gradient at the solution without penalty is 0."""
    attack = fit_pixels(world, size=16, ridge=1e-9)
    shown = attack.invert(world.templates.vectors).crops
    inside = (shown > 0) & (shown < 1)
    photographs = resized_crops(world.faces, 16).numpy() / 255
    errors = np.where(inside, shown - photographs, 0).reshape(len(shown), -1)
    x = world.templates.vectors - attack.mean
    pushed = x.T.astype(np.float64) @ errors / len(x)
    assert np.abs(pushed)[:, inside.all(axis=0).reshape(-1)].max() < 1e-3 * np.abs(x).mean()
