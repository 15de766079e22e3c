"""Nextcloud Face Recognition."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import PREFIX, Hop, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class NextcloudFaceRecognition(ProductReader):
    """``facerecog_faces`` with persons that have names, under any prefix."""

    name = "nextcloud-facerecognition"
    product = Product(
        name,
        "Nextcloud Face Recognition",
        "dlib's ResNet",
        (
            Templates(
                PREFIX + "facerecog_faces",
                ("descriptor",),
                subject=("person",),
                name=Hop(("facerecog_persons",), "id", "name"),
            ),
        ),
        backbones=("dlib",),
    )
