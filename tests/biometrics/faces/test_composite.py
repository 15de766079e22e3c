from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import lsqr
from torch import Tensor

from biometrics.faces.composite import (
    LeastSquares,
    Seamless,
    face_mask,
    make_compositor,
    soft_mask,
)
from tests.biometrics.faces.drawn import plain_shape


def pictures(count: int, size: int, seed: int) -> Tensor:
    """Smooth pictures away from 0 and 1, so that nothing is clipped."""
    noise = np.random.default_rng(seed).random((count, 3, size, size))
    smooth = gaussian_filter(noise, (0, 0, 1.5, 1.5))
    return torch.from_numpy(0.5 + 0.5 * (smooth - smooth.mean())).float()


def blob(size: int) -> NDArray[np.float64]:
    mask = np.zeros((size, size))
    mask[size // 4 : -size // 4, size // 3 : -size // 4] = 1
    return np.asarray(gaussian_filter(mask, 1.5))


def written_out(
    face: NDArray[np.float64], background: NDArray[np.float64], mask: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Equation 3 with one row for each of its equations, solved by SciPy's LSQR."""
    size = len(mask)
    number = np.arange(size * size).reshape(size, size)
    rows: list[tuple[int, int | None, float, float]] = []  # plus, minus, weight, right side
    for y in range(size):
        for x in range(size):
            for y2, x2 in ((y, x + 1), (y + 1, x)):
                if max(y2, x2) < size:
                    m = (mask[y, x] + mask[y2, x2]) / 2
                    goal = m * (face[y2, x2] - face[y, x])
                    goal += (1 - m) * (background[y2, x2] - background[y, x])
                    rows.append((number[y2, x2], number[y, x], 1.0, goal))
            rows.append((number[y, x], None, mask[y, x], mask[y, x] * face[y, x]))
    matrix = sp.lil_matrix((len(rows), size * size))
    for i, (plus, minus, weight, _) in enumerate(rows):
        matrix[i, plus] = weight
        if minus is not None:
            matrix[i, minus] = -1
    right = np.array([row[3] for row in rows])
    solution: NDArray[np.float64] = lsqr(matrix.tocsr(), right, atol=1e-12, btol=1e-12)[0]
    return solution.reshape(size, size)


def test_it_solves_the_over_determined_system() -> None:
    size, mask = 14, blob(14)
    faces, backgrounds = pictures(2, size, 0), pictures(2, size, 1) * 0.5 + 0.2
    out = LeastSquares(mask)(faces, backgrounds)
    assert out.shape == faces.shape
    for n, c in ((0, 0), (1, 2)):
        goal = written_out(faces[n, c].double().numpy(), backgrounds[n, c].double().numpy(), mask)
        np.testing.assert_allclose(out[n, c], goal, atol=2e-5)


def test_a_face_on_its_own_background_stays() -> None:
    same = pictures(2, 20, 2)
    torch.testing.assert_close(LeastSquares(blob(20))(same, same), same, atol=1e-6, rtol=0)


def test_the_background_takes_the_colour_of_the_face() -> None:
    # The same picture, brighter: its gradients agree, and the colour constraint speaks for F.
    background = pictures(1, 20, 3)
    out = LeastSquares(blob(20))(background + 0.1, background)
    torch.testing.assert_close(out, background + 0.1, atol=1e-4, rtol=0)


def test_a_full_mask_takes_the_whole_face() -> None:
    faces, backgrounds = pictures(1, 16, 4), pictures(1, 16, 5)
    out = LeastSquares(np.ones((16, 16)))(faces, backgrounds)
    torch.testing.assert_close(out, faces, atol=1e-5, rtol=0)


def test_the_result_stays_a_picture() -> None:
    out = LeastSquares(blob(20))(pictures(1, 20, 6) + 0.45, pictures(1, 20, 7) - 0.45)
    assert float(out.min()) >= 0
    assert float(out.max()) <= 1


def test_a_batch_is_its_pictures() -> None:
    solve = LeastSquares(blob(20))
    faces, backgrounds = pictures(5, 20, 8), pictures(5, 20, 9)
    each = torch.cat([solve(faces[i : i + 1], backgrounds[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(solve(faces, backgrounds), each, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((8, 8)), "not zero everywhere"),
        (np.full((8, 8), 1.5), r"lies in \[0, 1\]"),
        (np.full((8, 8), np.nan), r"lies in \[0, 1\]"),
        (np.ones((8, 9)), r"square mask, got \[8, 9\]"),
    ],
)
def test_bad_masks_are_refused(mask: NDArray[np.float64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LeastSquares(mask)


def test_the_soft_mask_is_the_hull_blurred() -> None:
    hull, soft = face_mask(plain_shape()), soft_mask(plain_shape())
    assert hull[130, 112]
    assert not hull[10, 10]
    assert soft[130, 112] == pytest.approx(1, abs=1e-3)
    assert soft[10, 10] < 1e-3
    edge = int(np.argmax(hull[:, 112][::-1]))  # rows below the chin
    assert 0.3 < soft[223 - edge, 112] < 0.7
    assert soft.sum() == pytest.approx(hull.sum(), rel=0.01)


# OpenCV's way


def test_the_clone_keeps_the_background_and_takes_the_faces_gradients() -> None:
    mask = face_mask(plain_shape())
    xs = torch.linspace(-1, 1, 224).expand(1, 3, 224, 224)
    ripple = 0.15 * torch.sin(12 * xs)
    background = torch.full((1, 3, 224, 224), 0.4)
    out = Seamless(mask)(0.6 + ripple, background)
    outside = torch.from_numpy(~gaussian_filter(mask.astype(float), 3).astype(bool))
    torch.testing.assert_close(out[..., outside], background[..., outside], atol=0.02, rtol=0)
    inside = np.s_[0, 0, 130, 90:134]
    found, goal = out[inside].diff().numpy(), ripple[inside].diff().numpy()
    assert np.corrcoef(found, goal)[0, 1] > 0.95
    assert abs(float(out[0, 0, 130, 112]) - 0.4) < 0.1  # the face takes on the colour


def test_the_same_pair_gives_the_same_clone_each_time() -> None:
    # OpenCV leaves its mask inverted.
    clone = make_compositor("seamless", plain_shape())
    face, background = pictures(1, 224, 10), pictures(1, 224, 11)
    out = clone(face.repeat(3, 1, 1, 1), background.repeat(3, 1, 1, 1))
    assert (out[0] == out[1]).all()
    assert (out[0] == out[2]).all()
    assert (out[0] - background[0]).abs().max() > 0.1


@pytest.mark.parametrize("mask", [np.zeros((9, 9), bool), np.ones((9, 9), bool)])
def test_the_clone_refuses_masks_at_the_border(mask: NDArray[np.bool_]) -> None:
    with pytest.raises(ValueError, match="may not touch the border"):
        Seamless(mask)
