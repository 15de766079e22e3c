"""Deepface's store in PostgreSQL with pgvector."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class DeepfacePgvector(ProductReader):
    """Tables ``embeddings_.+``; the pixels of every face stand beside its template."""

    name = "deepface-pgvector"
    product = Product(
        name,
        "deepface, PostgreSQL with pgvector",
        "by model_name",
        (
            Templates(
                "embeddings_.+",
                ("embedding",),
                subject=("img_name",),
                folders=True,
                nobody=(),
                model="model_name",
                needs=("img_name", "face_hash"),
            ),
        ),
        pictures=(("embeddings_.+", "face"),),
    )
