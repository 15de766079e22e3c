"""LibrePhotos: numbers of dlib in hexadecimal."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.cells import Encoding
from biometrics.stores.product import Hop, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class LibrePhotos(ProductReader):
    """``api_face.encoding`` and the means of clusters; older versions wrote base64."""

    name = "librephotos"
    product = Product(
        name,
        "LibrePhotos",
        "face_recognition (dlib's ResNet), 150x150",
        (
            Templates(
                "api_face",
                ("encoding",),
                Encoding.HEX_FLOAT64,
                subject=("person_id",),
                path=(Hop(("api_person",), "id", "id", ("kind", ("USER", "CLUSTER"))),),
                name=Hop(("api_person",), "id", "name", ("kind", ("USER",))),
            ),
            Templates(
                "api_cluster",
                ("mean_face_encoding",),
                Encoding.HEX_FLOAT64,
                subject=("person_id",),
                path=(Hop(("api_person",), "id", "id", ("kind", ("USER", "CLUSTER"))),),
                name=Hop(("api_person",), "id", "name", ("kind", ("USER",))),
                mean=True,
                optional=True,
            ),
        ),
        pictures=(("api_face", "image"),),
        backbones=("dlib",),
        notes=("pictures of faces are files of their own, named in api_face.image",),
    )
