"""Immich before the middle of 2024: templates beside the boxes."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import Hop, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class ImmichOld(ProductReader):
    """``asset_faces.embedding`` as a pgvector or, before that, an array."""

    name = "immich-old"
    product = Product(
        name,
        "Immich before the middle of 2024 (templates in asset_faces)",
        "InsightFace buffalo_l (ArcFace R50), 112x112",
        (
            Templates(
                "asset_faces",
                ("embedding",),
                subject=("personId",),
                name=Hop(("person",), "id", "name"),
                needs=("personId",),
            ),
        ),
        backbones=("insightface:buffalo_l",),
    )
