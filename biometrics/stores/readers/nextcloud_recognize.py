"""Nextcloud Recognize."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import PREFIX, Hop, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class NextcloudRecognize(ProductReader):
    """``recognize_face_detections`` with clusters that have titles, under any prefix."""

    name = "nextcloud-recognize"
    product = Product(
        name,
        "Nextcloud Recognize",
        "face-api.js (as dlib's)",
        (
            Templates(
                PREFIX + "recognize_face_detections",
                ("face_vector", "vector"),
                subject=("cluster_id",),
                name=Hop(("recognize_face_clusters",), "id", "title"),
            ),
        ),
        backbones=("dlib",),
    )
