"""PhotoPrism: markers of faces, and the clusters that they make."""

from __future__ import annotations

from biometrics.stores.base import register_store
from biometrics.stores.product import Hop, Product, Templates
from biometrics.stores.product_store import ProductReader


@register_store
class PhotoPrism(ProductReader):
    """``markers.embeddings_json`` of faces, and the midpoints in ``faces.embedding_json``."""

    name = "photoprism"
    product = Product(
        name,
        "PhotoPrism (MariaDB or SQLite)",
        "FaceNet, 512 numbers, 160x160",
        (
            Templates(
                "markers",
                ("embeddings_json",),
                key="marker_uid",
                subject=("subj_uid", "face_id"),
                name=Hop(("subjects",), "subj_uid", "subj_name"),
                where=("marker_type", ("face",)),
                needs=("marker_uid",),
            ),
            Templates(
                "faces",
                ("embedding_json",),
                subject=("subj_uid", "id"),
                name=Hop(("subjects",), "subj_uid", "subj_name"),
                mean=True,
                optional=True,
            ),
        ),
        backbones=("facenet-vggface2",),
    )
