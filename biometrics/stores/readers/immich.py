"""Immich since the middle of 2024: templates in a table of their own for the search."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import Hop, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class Immich(ProductReader):
    """``face_search`` leads through ``asset_face`` to ``person``; ``smart_search`` is no faces."""

    name = "immich"
    product = Product(
        name,
        "Immich since 2024 (a table face_search)",
        "InsightFace buffalo_l (ArcFace R50), 112x112",
        (
            Templates(
                "face_search",
                ("embedding",),
                key="faceId",
                subject=("faceId",),
                path=(Hop(("asset_face", "asset_faces"), "id", "personId"),),
                name=Hop(("person",), "id", "name"),
                needs=("faceId",),
            ),
        ),
        backbones=("insightface:buffalo_l",),
    )
