from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator
from torch import Tensor

from biometrics.faces.warp import (
    RIDGE,
    border_points,
    evaluate_spline,
    fit_spline,
    flow_field,
    scale_points,
    warp,
)
from tests.biometrics.faces.drawn import centroid, dot, plain_shape, smooth

SIZE = 64


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def face_points(size: int = SIZE) -> Tensor:
    """The plain face's landmarks in an image of that side, float64 [1, 68, 2]."""
    return scale_points(torch.from_numpy(plain_shape()).double(), size=224, to=size)[None]


def pictures(count: int, size: int = SIZE, coarse: int = 6, seed: int = 1) -> Tensor:
    field = smooth(np.random.default_rng(seed), count, coarse, size)
    return torch.from_numpy(0.5 + 0.1 * field).permute(0, 3, 1, 2).clamp(0, 1)


@pytest.mark.parametrize("smoothing", [0.0, 1e-3, 0.3])
def test_the_spline_equals_scipys(smoothing: float) -> None:
    centres, values = random(20, 2), random(20, 3, seed=1)
    points = random(50, 2, seed=2) * 2
    oracle = RBFInterpolator(
        centres.numpy(), values.numpy(), kernel="linear", degree=1, smoothing=smoothing
    )
    coefficients = fit_spline(centres[None], values[None], smoothing=smoothing)
    got = evaluate_spline(points[None], centres[None], coefficients)[0]
    np.testing.assert_allclose(got.numpy(), oracle(points.numpy()), atol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.01])
def test_the_flow_equals_scipys_with_the_border_held(smoothing: float) -> None:
    landmarks, displacement = face_points(33), random(1, 68, 2)
    end, mid = 32.0, 16.0
    held = [(x, y) for y in (0.0, mid, end) for x in (0.0, mid, end) if (x, y) != (mid, mid)]
    oracle = RBFInterpolator(
        np.concatenate([landmarks[0].numpy(), np.array(held)]),
        np.concatenate([displacement[0].numpy(), np.zeros((8, 2))]),
        kernel="linear",
        degree=1,
        smoothing=smoothing * 16,  # the distances grow sixteenfold from half images to pixels
    )
    ys, xs = np.mgrid[:33, :33]
    expected = oracle(np.column_stack([xs.ravel(), ys.ravel()])).reshape(33, 33, 2)
    got = flow_field(landmarks, displacement, 33, smoothing=smoothing)
    np.testing.assert_allclose(got[0].numpy(), expected, atol=1e-8)


def test_without_smoothing_the_control_points_are_met_exactly() -> None:
    landmarks = torch.tensor([[[9.0, 20.0], [40.0, 13.0], [31.0, 31.0], [20.0, 50.0]]]).double()
    displacement = random(1, 4, 2) * 3
    flow = flow_field(landmarks, displacement, SIZE, smoothing=0)[0]
    for point, d in zip(landmarks[0].long(), displacement[0], strict=True):
        np.testing.assert_allclose(flow[point[1], point[0]], d, atol=1e-10)


def test_the_eight_border_points_stay() -> None:
    flow = flow_field(face_points(65), random(1, 68, 2) * 2, 65, smoothing=0)[0]
    rows, columns = [0, 0, 0, 32, 32, 64, 64, 64], [0, 32, 64, 0, 64, 0, 32, 64]
    np.testing.assert_allclose(flow[rows, columns], 0, atol=1e-9)
    assert flow.abs().max() > 1


def test_border_points_of_an_even_side_lie_between_pixels() -> None:
    points = border_points(4, like=torch.zeros(1, dtype=torch.float64))
    expected = {(x, y) for x in (0, 1.5, 3) for y in (0, 1.5, 3)} - {(1.5, 1.5)}
    assert {(x, y) for x, y in points.tolist()} == expected
    assert points.dtype == torch.float64


def test_the_usual_smoothing_costs_a_fraction_of_a_pixel() -> None:
    landmarks, displacement = face_points(225), random(1, 68, 2)
    # A motion like that of a face: large parts move together.
    displacement = displacement.mean(dim=1, keepdim=True) + 0.02 * (landmarks - 112)
    exact = flow_field(landmarks, displacement, 225, smoothing=0)
    assert (flow_field(landmarks, displacement, 225) - exact).abs().max() < 0.1


@pytest.mark.parametrize("stride", [1, 4])
def test_no_displacement_is_the_identity(stride: int) -> None:
    images = pictures(2)
    out = warp(
        images, face_points().expand(2, -1, -1), torch.zeros(2, 68, 2).double(), stride=stride
    )
    np.testing.assert_allclose(out, images, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.floats(20, 44), st.floats(20, 44)), st.tuples(st.floats(-6, 6), st.floats(-6, 6))
)
def test_what_lies_at_landmark_plus_displacement_appears_at_the_landmark(
    place: tuple[float, float], displacement: tuple[float, float]
) -> None:
    source = np.array(place) + displacement
    image = torch.from_numpy(dot(SIZE, SIZE, *source, sigma=1.5))[None, None]
    # A rigid square about the landmark moves along, so that the dot keeps its shape.
    corners = torch.tensor([[0, 0], [6, 6], [-6, 6], [6, -6], [-6, -6]]).double()
    landmarks = (torch.tensor(place).double() + corners)[None]
    moved = torch.tensor(displacement).double().expand(1, 5, 2)
    out = warp(image, landmarks, moved, smoothing=0)[0, 0]
    np.testing.assert_allclose(centroid(out.numpy()), place, atol=0.5)
    if np.hypot(*displacement) > 2:
        forward = warp(image, landmarks, -moved, smoothing=0)[0, 0]
        assert np.hypot(*(centroid(forward.numpy()) - place)) > np.hypot(*displacement)


def test_on_a_ramp_every_landmark_shows_exactly_where_it_was_fetched_from() -> None:
    ys, xs = np.mgrid[:SIZE, :SIZE].astype(float)
    ramps = torch.from_numpy(np.stack([xs, ys]))[None]  # bilinear sampling reproduces them
    landmarks = torch.tensor([[[9.0, 20.0], [40.0, 13.0], [31.0, 31.0], [20.0, 50.0]]]).double()
    displacement = random(1, 4, 2) * 3
    out = warp(ramps, landmarks, displacement, smoothing=0)[0]
    for point, d in zip(landmarks[0].long(), displacement[0], strict=True):
        np.testing.assert_allclose(out[:, point[1], point[0]], point + d, atol=1e-9)


def test_warping_to_a_shape_and_back_is_nearly_the_identity_inside_the_face() -> None:
    image, mean = pictures(1, size=224, coarse=16), face_points(224)
    offset = random(1, 1, 2) + random(1, 68, 2, seed=5) * 0.3 + 0.05 * (mean - 112)
    target = mean + offset
    there = warp(image, target, mean - target)
    back = warp(there, mean, target - mean)
    inside = (slice(None), slice(None), slice(90, 180), slice(70, 156))
    changed = (there - image)[inside].abs().mean()
    assert changed > 0.01
    assert (back - image)[inside].abs().mean() < 0.03 * changed


@pytest.mark.parametrize("smoothing", [0.0, 1e-2])
def test_gradients_are_right_for_all_three_inputs(smoothing: float) -> None:
    images = pictures(2, size=8, coarse=4).requires_grad_()
    landmarks = (3.5 + 1.3 * random(2, 5, 2, seed=4)).requires_grad_()
    displacement = (0.4 * random(2, 5, 2, seed=6)).requires_grad_()

    def warped(images: Tensor, landmarks: Tensor, displacement: Tensor) -> Tensor:
        return warp(images, landmarks, displacement, smoothing=smoothing)

    assert torch.autograd.gradcheck(warped, (images, landmarks, displacement))


def test_gradients_are_right_on_a_coarse_grid() -> None:
    landmarks = (6 + 2 * random(1, 5, 2, seed=4)).requires_grad_()
    displacement = (0.4 * random(1, 5, 2, seed=6)).requires_grad_()
    images = pictures(1, size=13, coarse=4)
    assert torch.autograd.gradcheck(
        lambda a, b: warp(images, a, b, stride=4), (landmarks, displacement)
    )


def test_a_batch_equals_its_singles() -> None:
    images = pictures(4).float()
    landmarks = (face_points() + random(4, 68, 2)).float()
    displacement = random(4, 68, 2, seed=3).float()
    whole = warp(images, landmarks, displacement, stride=4)
    for i in range(4):
        one = slice(i, i + 1)
        single = warp(images[one], landmarks[one], displacement[one], stride=4)
        np.testing.assert_allclose(whole[one], single, atol=2e-5)


def test_closed_lips_do_not_tear_the_image() -> None:
    landmarks = face_points().float()
    landmarks[0, 61:64] = landmarks[0, 65:68].flip(0)  # inner lips on each other
    displacement = torch.zeros(1, 68, 2)
    displacement[0, 61:64, 1], displacement[0, 65:68, 1] = 1.0, -1.0
    landmarks.requires_grad_()
    displacement.requires_grad_()
    out = warp(pictures(1).float(), landmarks, displacement, smoothing=RIDGE)
    assert out.isfinite().all()
    flow = flow_field(landmarks, displacement, SIZE)
    assert flow.abs().max() < 2
    out.square().sum().backward()
    assert landmarks.grad is not None
    assert landmarks.grad.isfinite().all()
    assert displacement.grad is not None
    assert displacement.grad.isfinite().all()


def test_every_fourth_pixel_gives_almost_the_dense_warp() -> None:
    landmarks = face_points(224)
    # Landmarks of other people differ by about four pixels of the crop, neighbours alike.
    field = smooth(np.random.default_rng(3), 1, 5, 224)[0, ..., :2]
    whole = landmarks[0].round().long()
    displacement = torch.from_numpy(4 * field[whole[:, 1], whole[:, 0]])[None]
    dense = flow_field(landmarks, displacement, 224)
    coarse = flow_field(landmarks, displacement, 224, stride=4)
    assert dense.abs().max() > 4
    # Measured 0.26 pixels at worst, at the kink of φ beside a landmark.
    assert (coarse - dense).norm(dim=-1).max() < 0.5
    assert (coarse - dense).norm(dim=-1).mean() < 0.02


@pytest.mark.parametrize(("size", "stride"), [(64, 3), (65, 4), (10, 100)])
def test_any_stride_covers_the_whole_image(size: int, stride: int) -> None:
    landmarks = face_points(size)
    shift = 0.5 + 0 * landmarks
    flow = flow_field(landmarks, shift, size, stride=stride)
    assert flow.shape == (1, size, size, 2)
    np.testing.assert_allclose(flow[0, 0, 0], 0, atol=0.05)
    np.testing.assert_allclose(flow[0, -1, -1], 0, atol=0.05)


def test_points_follow_their_image_to_another_size() -> None:
    # The image's edges lie half a pixel outside the first and last centres.
    points = torch.tensor([[-0.5, 223.5], [111.5, 0.0]])
    moved = scale_points(points, size=224, to=96)
    np.testing.assert_allclose(moved, [[-0.5, 95.5], [47.5, 0.5 * 96 / 224 - 0.5]], atol=1e-5)
    large = dot(224, 224, 150.0, 61.0, sigma=8)
    small = torch.nn.functional.interpolate(
        torch.from_numpy(large)[None, None], (56, 56), mode="bilinear", antialias=True
    )
    expected = scale_points(torch.tensor([150.0, 61.0]), size=224, to=56)
    np.testing.assert_allclose(centroid(small[0, 0].numpy()), expected, atol=0.02)
