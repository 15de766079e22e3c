from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from biometrics.errors import WeightsError
from biometrics.faces import detect
from biometrics.faces.detect import find_face, find_in_crop, find_landmarks, model_path

Drawn = tuple[NDArray[np.uint8], NDArray[np.float32]]
Native = tuple[dlib.fhog_object_detector, dlib.shape_predictor]
PREDICTOR = "shape_predictor_68_face_landmarks.dat"


@pytest.fixture(scope="module")
def dlibs_own() -> Native:
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model_path(PREDICTOR)))


def corners(box: dlib.rectangle) -> NDArray[np.float64]:
    return np.array([box.left(), box.top(), box.right(), box.bottom()], dtype=np.float64)


def test_landmarks_are_near_those_the_face_was_drawn_at(drawn_faces: Drawn) -> None:
    errors = []
    for crop, true in zip(*drawn_faces, strict=True):
        found = find_in_crop(crop)
        assert found is not None
        assert found.shape == (68, 2)
        assert found.dtype == np.float32
        errors.append(np.linalg.norm(found - true, axis=1))
    # Measured 2.4 px over all points, 1.9 without the jaw; the eyes are 55 px apart.
    assert np.mean(errors) < 3.5
    assert np.mean(errors, axis=0)[17:].mean() < 2.7
    assert max(error.mean() for error in errors) < 5


def test_landmarks_agree_with_dlibs_own_rounded_ones(drawn_faces: Drawn, dlibs_own: Native) -> None:
    detector, predictor = dlibs_own
    differences = []
    for crop in drawn_faces[0]:
        box = detector(crop, 0)[0]
        native = [(p.x, p.y) for p in predictor(crop, box).parts()]
        differences.append(find_landmarks(Image.fromarray(crop), corners(box)) - native)
    np.testing.assert_allclose(np.mean(differences, axis=(0, 1)), 0, atol=0.4)
    assert np.std(differences) < 1.2


def test_moving_the_face_by_whole_pixels_moves_its_landmarks_exactly(drawn_faces: Drawn) -> None:
    crop = drawn_faces[0][1]
    margins = [((40, 60), (70, 30), (0, 0)), ((51, 60), (73, 30), (0, 0))]
    box = np.array([60.0, 60.0, 170.0, 170.0])
    first, second = (
        find_landmarks(
            Image.fromarray(np.pad(crop, margin, mode="edge")),
            box + np.tile([margin[1][0], margin[0][0]], 2),
        )
        for margin in margins
    )
    np.testing.assert_allclose(second - first, np.tile([3, 11], (68, 1)), atol=1e-4)


def test_half_a_pixel_is_seen(drawn_faces: Drawn, dlibs_own: Native) -> None:
    moves, fractions = [], []
    for crop in drawn_faces[0]:
        box = corners(dlibs_own[0](crop, 0)[0])
        shifted = ndimage.shift(crop.astype(float), (0, 0.5, 0), order=3, mode="nearest")
        picture = Image.fromarray(np.rint(shifted.clip(0, 255)).astype(np.uint8))
        before = find_landmarks(Image.fromarray(crop), box)
        moves.append(find_landmarks(picture, box + np.array([0.5, 0, 0.5, 0])) - before)
        fractions.append(before % 1)
    np.testing.assert_allclose(np.mean(moves, axis=(0, 1)), [0.5, 0], atol=0.15)
    # dlib's own are whole pixels.
    assert 0.1 < np.median(np.abs(np.array(fractions) - 0.5)) < 0.4


def scene(drawn: Drawn, places: list[tuple[int, int]]) -> Image.Image:
    """A grey canvas 700 x 260 with faces at those top left corners."""
    canvas = Image.new("RGB", (700, 260), (128, 128, 128))
    for crop, place in zip(drawn[0], places, strict=False):
        canvas.paste(Image.fromarray(crop), place)
    return canvas


@pytest.mark.parametrize("central", [0, 1])
def test_of_several_faces_the_one_nearest_the_centre_is_taken(
    drawn_faces: Drawn, central: int
) -> None:
    places = [(220, 10), (470, 20)] if central == 0 else [(10, 10), (250, 20)]
    found = find_face(scene(drawn_faces, places))
    assert found is not None
    assert found.n_faces == 2
    error = found.landmarks - (drawn_faces[1][central] + places[central])
    assert np.linalg.norm(error, axis=1).mean() < 5


def test_one_face_counts_as_one(drawn_faces: Drawn) -> None:
    found = find_face(scene(drawn_faces, [(30, 10)]))
    assert found is not None
    assert found.n_faces == 1


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (30_000, 2), (200, 200)])
def test_pictures_without_a_face_give_none(size: tuple[int, int]) -> None:
    assert find_face(Image.new("RGB", size, (90, 120, 60))) is None


def test_noise_is_no_face() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    assert find_in_crop(noise) is None


def test_small_faces_are_found_only_with_upsampling(drawn_faces: Drawn) -> None:
    small = Image.fromarray(drawn_faces[0][1]).resize((72, 72), Image.Resampling.BOX)
    assert find_face(small, upsample=0) is None
    found = find_face(small)
    assert found is not None
    true = (drawn_faces[1][1] + 0.5) * 72 / 224 - 0.5
    assert np.linalg.norm(found.landmarks - true, axis=1).mean() < 2.5


def test_large_pictures_are_searched_small_and_answered_in_their_own_pixels(
    drawn_faces: Drawn,
) -> None:
    large = scene(drawn_faces, [(230, 10)]).resize((2800, 1040), Image.Resampling.BICUBIC)
    found = find_face(large)
    assert found is not None
    true = (drawn_faces[1][0] + [230, 10] + 0.5) * 4 - 0.5
    assert np.linalg.norm(found.landmarks - true, axis=1).mean() < 5 * 4


def test_reconstructions_are_brought_to_224_and_get_no_upsampling(
    drawn_faces: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(picture: Image.Image, *, upsample: int) -> None:
        asked.append((picture.size, upsample))

    monkeypatch.setattr(detect, "find_face", spy)
    assert find_in_crop(drawn_faces[0][0][:96, :96]) is None
    assert asked == [((224, 224), 0)]


def test_a_missing_model_file_is_named() -> None:
    with pytest.raises(WeightsError, match=r"lacks nothing\.dat; reinstall it"):
        model_path("nothing.dat")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(WeightsError, match="face_recognition_models is missing; pip install"):
        model_path(PREDICTOR)


def test_worker_processes_do_not_pay_for_torch() -> None:
    code = "import sys, biometrics.faces.folder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_landmarks_have_no_offset_to_dlibs_own(lfw: Path, dlibs_own: Native) -> None:
    detector, predictor = dlibs_own
    differences = []
    for path in sorted(lfw.glob("A*/*_0001.jpg"))[:30]:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        for box in detector(pixels, 0):
            native = [(p.x, p.y) for p in predictor(pixels, box).parts()]
            differences.append(find_landmarks(Image.fromarray(pixels), corners(box)) - native)
    assert len(differences) >= 25
    # Measured (-0.01, -0.06): half a pixel would be a wrong convention.
    np.testing.assert_allclose(np.mean(differences, axis=(0, 1)), 0, atol=0.2)
    assert np.std(differences) < 0.8
