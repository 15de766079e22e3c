"""DigiKam 6."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.cells import Encoding
from biometrics.stores.product import IDENTITY, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class Digikam6(ProductReader):
    """``FaceMatrices.vecdata`` of ``recognition.db``."""

    name = "digikam6"
    product = Product(
        name,
        "digiKam 6",
        "dlib's ResNet",
        (
            Templates(
                "FaceMatrices",
                ("vecdata",),
                Encoding.PACKED_FLOAT32,
                subject=("identity",),
                name=IDENTITY,
                needs=("identity",),
                lacks=(),
            ),
        ),
        pictures=(("FaceMatrices", "data"),),
        backbones=("dlib",),
    )
