"""DigiKam 7 and 8 before 8.6."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.cells import Encoding
from biometrics.stores.product import IDENTITY, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class Digikam7(ProductReader):
    """``FaceMatrices.embedding`` of ``recognition.db``."""

    name = "digikam7"
    product = Product(
        name,
        "digiKam 7 and 8 before 8.6",
        "OpenFace nn4.small2, 96x96",
        (
            Templates(
                "FaceMatrices",
                ("embedding",),
                Encoding.FLOAT32,
                subject=("identity",),
                name=IDENTITY,
                needs=("identity",),
                lacks=("vecdata", "removeHash"),
            ),
        ),
    )
