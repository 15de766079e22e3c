"""DeepStack: one mean a user, as the text of a Python list."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class DeepStack(ProductReader):
    """``TB_EMBEDDINGS`` of ``faceembedding.db``; CodeProject.AI is assumed to be alike."""

    name = "deepstack"
    product = Product(
        name,
        "DeepStack (faceembedding.db)",
        "ArcFace IR-SE50, 112x112, not aligned",
        (
            Templates(
                "TB_EMBEDDINGS",
                ("embedding",),
                key="",
                subject=("userid",),
                named=True,
                nobody=(),
                mean=True,
                needs=("userid",),
            ),
        ),
    )
