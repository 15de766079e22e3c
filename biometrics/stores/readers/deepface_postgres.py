"""Deepface's store in PostgreSQL with arrays."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class DeepfacePostgres(ProductReader):
    """Tables ``embeddings``; the pixels of every face stand beside its template."""

    name = "deepface-postgres"
    product = Product(
        name,
        "deepface, PostgreSQL with arrays",
        "by model_name",
        (
            Templates(
                "embeddings",
                ("embedding",),
                subject=("img_name",),
                folders=True,
                nobody=(),
                model="model_name",
                needs=("img_name", "face_hash"),
            ),
        ),
        pictures=(("embeddings", "face"),),
    )
