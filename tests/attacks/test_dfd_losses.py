"""The six losses of the Deep Face Decoder against their formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from attacks.inversion.decoder import resized_crops
from attacks.inversion.dfd import mean_picture
from attacks.inversion.dfd_losses import TERMS, DfdLoss, gradients, narrow_face
from tests.attacks.world import World, mean_layout

SIZE = 24
BOX = (5, 6, 17, 19)
EVERY = dict.fromkeys(TERMS, 1.0)


def pictures(count: int, seed: int = 0, size: int = SIZE) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), generator=generator).byte()


def floats(pixels: Tensor) -> np.ndarray:
    return pixels.numpy().astype(np.float64) / 255


def written_out(made: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Pixel and gradient terms by loops over pixels."""
    totals = {"pixel": 0.0, "gradient": 0.0}
    n, channels, height, width = made.shape
    across, down = n * channels * height * (width - 1), n * channels * (height - 1) * width
    error = made - true
    for y in range(height):
        for x in range(width):
            totals["pixel"] += (error[:, :, y, x] ** 2).sum() / error.size
            if x + 1 < width:
                step = error[:, :, y, x + 1] - error[:, :, y, x]
                totals["gradient"] += (step**2).sum() / across
            if y + 1 < height:
                step = error[:, :, y + 1, x] - error[:, :, y, x]
                totals["gradient"] += (step**2).sum() / down
    return totals


def uncalibrated(made: Tensor, true: Tensor, **changes: object) -> dict[str, float]:
    names = ("pixel", "gradient", "local_pixel", "local_gradient")
    loss = DfdLoss(dict.fromkeys(names, 1.0), BOX, **changes)  # type: ignore[arg-type]
    return {name: float(value) for name, value in loss.terms(made, true).items()}


def test_pixel_and_gradient_terms_are_the_sums_of_the_paper() -> None:
    made, true = torch.rand(3, 3, SIZE, SIZE, generator=torch.manual_seed(1)), pictures(3)
    got = uncalibrated(made, true)
    whole = written_out(made.numpy().astype(np.float64), floats(true))
    left, top, right, bottom = BOX
    part = np.s_[:, :, top:bottom, left:right]
    local = written_out(made.numpy().astype(np.float64)[part], floats(true)[part])
    expected = whole | {f"local_{name}": value for name, value in local.items()}
    assert got == pytest.approx(expected, rel=1e-5)


def test_absolute_differences_where_they_are_asked_for() -> None:
    made, true = torch.rand(2, 3, SIZE, SIZE, generator=torch.manual_seed(1)), pictures(2)
    got = uncalibrated(made, true, norm="l1")
    assert got["pixel"] == pytest.approx(np.abs(made.numpy() - floats(true)).mean(), rel=1e-5)
    assert got["gradient"] == pytest.approx(uncalibrated(made, true)["gradient"])


def test_a_constant_error_has_no_gradient() -> None:
    true = pictures(2)
    got = uncalibrated(true.float() / 255 + 0.25, true)
    assert got["pixel"] == pytest.approx(0.0625, rel=1e-4)
    assert got["gradient"] == pytest.approx(0, abs=1e-10)


def test_an_error_outside_the_box_is_no_local_one() -> None:
    true = pictures(2)
    made = true.float() / 255
    left, top, right, bottom = BOX
    outside = torch.ones(SIZE, SIZE, dtype=torch.bool)
    outside[top:bottom, left:right] = False
    got = uncalibrated(made + 0.3 * outside, true)
    assert got["local_pixel"] == pytest.approx(0, abs=1e-12)
    assert got["local_gradient"] == pytest.approx(0, abs=1e-12)
    assert got["pixel"] > 0.01
    assert got["gradient"] > 0.001


@given(size=st.integers(2, 9), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_gradients_sum_up_to_the_picture(size: int, seed: int) -> None:
    image = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed))
    across, down = gradients(image)
    torch.testing.assert_close(image[..., :1] + across.cumsum(-1), image[..., 1:])
    torch.testing.assert_close(image[..., :1, :] + down.cumsum(-2), image[..., 1:, :])


def calibrated(world: World, **changes: object) -> tuple[DfdLoss, Tensor, Tensor]:
    true = resized_crops(world.faces.take(np.arange(0, 60, 5)), SIZE)
    mean = mean_picture(true)
    options = {"weights": EVERY, "box": BOX, "network": world.backbone} | changes
    loss = DfdLoss(**options)  # type: ignore[arg-type]
    loss.calibrate(true, mean)
    return loss, true, mean


def test_every_term_is_one_for_the_mean_crop_and_zero_for_the_truth(world: World) -> None:
    loss, true, mean = calibrated(world)
    for name, value in loss.terms(mean.expand(len(true), -1, -1, -1), true).items():
        assert float(value) == pytest.approx(1, rel=1e-4), name
    for name, value in loss.terms(true.float() / 255, true).items():
        assert float(value) == pytest.approx(0, abs=1e-9), name


def test_the_loss_is_the_weighted_sum(world: World) -> None:
    weights = {name: float(2**index) for index, name in enumerate(TERMS)}
    loss, true, mean = calibrated(world, weights=weights)
    made = (mean + 0.5 * (true.float() / 255 - mean)).flip(0)
    terms = loss.terms(made, true)
    assert list(terms) == list(TERMS)
    expected = sum(weights[name] * float(value) for name, value in terms.items())
    assert float(loss(made, true)) == pytest.approx(expected, rel=1e-5)
    assert len({round(float(value), 6) for value in terms.values()}) == len(TERMS)


def test_the_perceptual_term_is_the_mean_over_stages_of_feature_errors(world: World) -> None:
    loss, true, mean = calibrated(world)
    made = true.flip(0).float() / 255

    def errors(a: Tensor, b: Tensor) -> np.ndarray:
        big = [torch.nn.functional.interpolate(x, (224, 224), mode="bilinear") for x in (a, b)]
        pairs = zip(*(world.backbone.features(x) for x in big), strict=True)
        return np.array([float((p - q).square().mean()) for p, q in pairs])

    truth = true.float() / 255
    expected = (errors(made, truth) / errors(mean.expand_as(truth), truth)).mean()
    assert float(loss.terms(made, true)["perceptual"]) == pytest.approx(expected, rel=1e-4)


def test_the_local_perceptual_term_looks_into_the_box_only(world: World) -> None:
    loss, true, _ = calibrated(world)
    made = true.float() / 255
    far, near = made.clone(), made.clone()
    far[:, :, :, -4:] += 0.5
    near[:, :, 10:14, 9:13] += 0.5
    far_terms, near_terms = loss.terms(far, true), loss.terms(near, true)
    assert float(far_terms["local_perceptual"]) == pytest.approx(0, abs=1e-9)
    assert float(far_terms["perceptual"]) > 0.1
    assert float(near_terms["local_perceptual"]) > 2 * float(near_terms["perceptual"])


def test_gradients_reach_the_picture_from_every_term_and_never_the_network(world: World) -> None:
    for name in TERMS:
        loss, true, mean = calibrated(world, weights={name: 1.0})
        made = mean.repeat(len(true), 1, 1, 1).requires_grad_()
        loss(made, true).backward()
        assert made.grad is not None
        assert float(made.grad.abs().sum()) > 0, name
    assert all(parameter.grad is None for parameter in world.backbone.parameters())


def test_a_share_of_the_batch_is_its_first_pictures(world: World) -> None:
    whole, true, mean = calibrated(world)
    part, _, _ = calibrated(world, share=0.25)
    made = mean.expand(len(true), -1, -1, -1) + 0.1
    first = whole.terms(made[:3], true[:3])
    shared = part.terms(made, true)
    assert float(shared["perceptual"]) == pytest.approx(float(first["perceptual"]), rel=1e-5)
    assert float(shared["pixel"]) == pytest.approx(float(whole.terms(made, true)["pixel"]))


def test_terms_without_weight_cost_no_network(world: World) -> None:
    loss = DfdLoss({"pixel": 1.0, "perceptual": 0.0}, BOX, network=world.backbone)
    assert list(loss.terms(torch.zeros(2, 3, SIZE, SIZE), pictures(2))) == ["pixel"]
    assert loss.network is None


def test_faces_that_are_all_alike_can_be_calibrated_on() -> None:
    same = pictures(1).expand(4, -1, -1, -1)
    loss = DfdLoss({"pixel": 1.0, "gradient": 1.0}, BOX)
    loss.calibrate(same, same[0].float() / 255)
    assert float(loss(same.float() / 255, same)) == pytest.approx(0, abs=1e-4)


def test_what_cannot_be_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="no loss term 'pixels'"):
        DfdLoss({"pixels": 1.0}, BOX)
    with pytest.raises(ValueError, match="needs a network"):
        DfdLoss({"local_perceptual": 1.0}, BOX)


def test_the_narrow_face_holds_the_inner_points_and_leaves_the_jaw() -> None:
    shape = mean_layout()
    left, top, right, bottom = narrow_face(shape, 224)
    inner = shape[17:]
    assert (inner > [left, top]).all()
    assert (inner < [right, bottom]).all()
    assert shape[:17, 1].max() > bottom
    assert shape[0, 0] < left
    half = narrow_face(shape, 112)
    assert np.abs(2 * np.array(half) - (left, top, right, bottom)).max() <= 2


@given(
    size=st.integers(24, 224),
    shift=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    factor=st.floats(0, 3),
)
@settings(max_examples=50, deadline=None)
def test_the_narrow_face_always_lies_in_the_crop(
    size: int, shift: tuple[float, float], factor: float
) -> None:
    shape = (mean_layout() - 112) * factor + 112 + np.array(shift)
    left, top, right, bottom = narrow_face(shape, size)
    assert 0 <= left < right <= size
    assert 0 <= top < bottom <= size
