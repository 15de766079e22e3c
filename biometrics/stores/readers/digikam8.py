"""DigiKam from 8.6 on."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.cells import Encoding
from biometrics.stores.product import IDENTITY, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class Digikam8(ProductReader):
    """``FaceMatrices.embedding`` of ``recognition.db``."""

    name = "digikam8"
    product = Product(
        name,
        "digiKam from 8.6 on",
        "OpenCV SFace, 112x112",
        (
            Templates(
                "FaceMatrices",
                ("embedding",),
                Encoding.FLOAT32,
                subject=("identity",),
                name=IDENTITY,
                needs=("identity", "removeHash"),
                lacks=("vecdata",),
            ),
        ),
    )
