"""The fixed box that stands for MTCNN's, against MTCNN itself on real faces."""

from __future__ import annotations

import os
from pathlib import Path

import dlib
import numpy as np
import pytest
from PIL import Image

import biometrics  # noqa: F401  facenet-pytorch imports torchvision
from biometrics.backbones.dlib_resnet import packaged_file
from biometrics.backbones.mtcnn_box import MTCNN_BOX, Box
from biometrics.faces.geometry import CANONICAL_POINTS, apply_affine, five_points
from tests.biometrics.backbones.pictures import lfw_pictures

LFW = os.environ.get("FACELEAK_LFW")


def test_a_box_is_stretched_to_the_input_edge_to_edge() -> None:
    crop = np.asarray(Box(left=9.5, top=19.5, right=29.5, bottom=59.5).crop(80))
    edges = apply_affine(crop, np.array([(9.5, 19.5), (29.5, 59.5)]))
    assert edges == pytest.approx(np.array([(-0.5, -0.5), (79.5, 79.5)]))


def test_boxes_grow_and_become_square_about_their_centre() -> None:
    box = Box(10, 20, 30, 60)
    assert box.enlarged(1.5) == Box(5, 10, 35, 70)
    assert box.squared() == Box(10, 30, 30, 50)


@pytest.mark.skipif(not LFW, reason="FACELEAK_LFW is not set")
def test_the_fixed_box_is_mtcnns_on_average(capsys: pytest.CaptureFixture[str]) -> None:
    package = pytest.importorskip(
        "facenet_pytorch", reason="facenet-pytorch is not installed", exc_type=ImportError
    )
    mtcnn = package.MTCNN(image_size=160, margin=0)
    detector = dlib.get_frontal_face_detector()
    file = packaged_file().with_name("shape_predictor_68_face_landmarks.dat")
    predictor = dlib.shape_predictor(str(file))
    found = []
    for picture in lfw_pictures(Path(str(LFW)), 24):
        faces, boxes = detector(picture, 0), mtcnn.detect(Image.fromarray(picture))[0]
        if len(faces) != 1 or boxes is None or len(boxes) != 1:
            continue
        shape = predictor(picture, faces[0])
        points = five_points(np.array([(p.x, p.y) for p in shape.parts()]))
        left, top, right, bottom = boxes[0].astype(int)
        scale = 160 / np.array([right - left, bottom - top])
        found.append((points - [left, top] + 0.5) * scale - 0.5)
    ours = apply_affine(np.asarray(MTCNN_BOX.crop(160)), CANONICAL_POINTS)
    apart = np.linalg.norm(np.mean(found, axis=0) - ours, axis=1)
    spread = np.linalg.norm(np.std(found, axis=0), axis=1)
    with capsys.disabled():
        print(
            f"\nfixed box against MTCNN's, {len(found)} faces: means apart by at most "
            f"{apart.max():.1f} of 160 px, pictures scatter by {spread.mean():.1f} px"
        )
    assert len(found) >= 10
    assert apart.max() < 12
