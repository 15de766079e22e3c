"""Our one crop against each maker's own alignment, on real faces; the figures are printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import dlib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from biometrics.backbones.base import load_backbone
from biometrics.backbones.dlib_resnet import packaged_file
from biometrics.backbones.embed import embed, to_tensor
from biometrics.backbones.mobilefacenet import INPUT_POINTS
from biometrics.faces.geometry import CANONICAL_POINTS, fit_similarity, five_points
from tests.biometrics.backbones.pictures import cut, lfw_pictures

N_PICTURES = 40
LFW = os.environ.get("FACELEAK_LFW")
CHECKPOINT = os.environ.get("FACELEAK_MOBILEFACENET")

pytestmark = pytest.mark.skipif(not LFW, reason="FACELEAK_LFW is not set")


class Found(NamedTuple):
    """A picture with dlib's shape object and its five points [5, 2]."""

    picture: NDArray[np.uint8]
    shape: dlib.full_object_detection
    points: NDArray[np.float64]


@pytest.fixture(scope="module")
def found() -> list[Found]:
    detector = dlib.get_frontal_face_detector()
    file = packaged_file().with_name("shape_predictor_68_face_landmarks.dat")
    predictor = dlib.shape_predictor(str(file))
    faces = []
    for picture in lfw_pictures(Path(str(LFW)), N_PICTURES):
        boxes = detector(picture, 0)
        if len(boxes) == 1:
            shape = predictor(picture, boxes[0])
            landmarks = np.array([(p.x, p.y) for p in shape.parts()])
            faces.append(Found(picture, shape, five_points(landmarks)))
    assert len(faces) >= N_PICTURES // 2
    return faces


@pytest.fixture(scope="module")
def canonical(found: list[Found]) -> NDArray[np.uint8]:
    return np.stack(
        [
            cut(face.picture, fit_similarity(face.points, CANONICAL_POINTS), (224, 224))
            for face in found
        ]
    )


def cosines(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    values: NDArray[np.floating] = (a * b).sum(axis=1) / lengths
    return values


def test_dlib(
    found: list[Found], canonical: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    model = dlib.face_recognition_model_v1(str(packaged_file()))
    native = np.array([model.compute_face_descriptor(f.picture, f.shape) for f in found])
    ours = embed(load_backbone("dlib"), canonical)
    agreement, apart = cosines(native, ours), np.linalg.norm(native - ours, axis=1)
    with capsys.disabled():
        print(
            f"\ndlib, native against canonical crop, {len(found)} faces: mean cosine "
            f"{agreement.mean():.4f}, mean distance {apart.mean():.3f} (accepted below 0.6)"
        )
    assert agreement.mean() > 0.993
    assert apart.max() < 0.3
    assert cosines(native, np.roll(ours, 1, axis=0)).mean() < 0.95


@pytest.mark.skipif(not CHECKPOINT, reason="FACELEAK_MOBILEFACENET is not set")
def test_mobilefacenet(
    found: list[Found], canonical: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = load_backbone("mobilefacenet", {"mobilefacenet": str(CHECKPOINT)})
    chips = [cut(f.picture, fit_similarity(f.points, INPUT_POINTS), (112, 96)) for f in found]
    with torch.inference_mode():
        native = backbone.embed_input(to_tensor(np.stack(chips))).numpy()
    ours = embed(backbone, canonical)
    agreement = cosines(native, ours)
    with capsys.disabled():
        print(
            f"\nmobilefacenet, native against canonical crop, {len(found)} faces: mean cosine "
            f"{agreement.mean():.4f}"
        )
    assert agreement.mean() > 0.99
    assert cosines(native, np.roll(ours, 1, axis=0)).mean() < 0.5
