"""From crops to templates, batch by batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biometrics.backbones.base import Backbone
from biometrics.errors import FaceleakError, InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.progress import Advance, silent
from biometrics.templates import TemplateSet

UNIT_TOLERANCE = 1e-3
"""A template whose length is this near to 1 counts as normalised."""


def embed(
    backbone: Backbone,
    crops: NDArray[np.uint8],
    *,
    batch_size: int = 32,
    advance: Advance = silent,
) -> NDArray[np.float32]:
    """Templates float32 [N, D] of canonical crops.

    Args:
        backbone: the model; it computes where its buffers lie.
        crops: uint8 [N, 224, 224, 3] RGB; read batch by batch, so it may be memory-mapped.
        batch_size: crops in one forward pass; the result does not depend on it but for rounding.
        advance: told the number of crops after every batch.

    Raises:
        InputError: where the crops have another shape or type.
        FaceleakError: where the backbone gives NaN or infinite values.
    """
    check_crops(crops)
    templates = np.empty((len(crops), backbone.spec.dim), dtype=np.float32)
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        templates[start : start + len(batch)] = embed_batch(backbone, batch)
        advance(len(batch))
    return templates


def embed_batch(backbone: Backbone, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One forward pass: templates [B, D] of crops uint8 [B, 224, 224, 3]."""
    with torch.inference_mode():
        vectors = backbone(to_tensor(crops).to(backbone.grid.device)).float().cpu()
    if not torch.isfinite(vectors).all():
        raise FaceleakError(f"backbone '{backbone.spec.name}' gave NaN or infinite templates")
    array: NDArray[np.float32] = vectors.numpy()
    return array


def to_tensor(crops: NDArray[np.uint8]) -> Tensor:
    """Crops uint8 [N, H, W, 3] as float [N, 3, H, W] in [0, 1], channels last in memory."""
    pixels = torch.from_numpy(np.array(crops, order="C"))  # a copy: memory maps are read-only
    return pixels.permute(0, 3, 1, 2).float().div_(255.0)  # N H W C -> N C H W


def embed_faces(
    backbone: Backbone, faces: FaceSet, *, batch_size: int = 32, advance: Advance = silent
) -> TemplateSet:
    """One template for each face, with the faces' ids as template ids.

    Raises:
        FaceleakError: where the backbone gives NaN or infinite values.
    """
    vectors = embed(backbone, faces.crops, batch_size=batch_size, advance=advance)
    table = faces.table[["face_id", "subject_id"]].rename(columns={"face_id": "template_id"})
    return TemplateSet(
        vectors=vectors,
        table=table.reset_index(drop=True),
        backbone=backbone.spec.name,
        normalised=unit_length(vectors),
        source=f"{len(faces)} faces embedded by {backbone.spec.name}",
    )


def unit_length(vectors: NDArray[np.float32]) -> bool:
    """Whether there are templates [N, D] and all are of length 1."""
    lengths = np.linalg.norm(vectors, axis=1)
    return len(lengths) > 0 and bool((abs(lengths - 1) < UNIT_TOLERANCE).all())


def check_crops(crops: NDArray[np.uint8]) -> None:
    """Refuse what is not uint8 [N, 224, 224, 3].

    Raises:
        InputError: with the shape and type that were got.
    """
    if crops.dtype != np.uint8 or crops.shape[1:] != (CROP_SIZE, CROP_SIZE, 3):
        raise InputError(
            f"crops must be uint8 [N, {CROP_SIZE}, {CROP_SIZE}, 3] RGB, "
            f"got {crops.dtype} {list(crops.shape)}"
        )
