"""CompreFace: the calculator of every template stands beside it."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import Hop, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class CompreFace(ProductReader):
    """``embedding`` with ``subject`` and, unless switched off, the pictures in ``img``."""

    name = "compreface"
    product = Product(
        name,
        "CompreFace (database frs)",
        "by calculator: FaceNet or InsightFace",
        (
            Templates(
                "embedding",
                ("embedding",),
                subject=("subject_id",),
                name=Hop(("subject",), "id", "subject_name"),
                model="calculator",
                needs=("subject_id", "calculator"),
            ),
        ),
        pictures=(("img", "content"),),
        backbones=("facenet-vggface2",),
    )
