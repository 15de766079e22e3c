"""From crops to templates, batch by batch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from biometrics.backbones.base import Backbone
from biometrics.errors import ConfigError, FaceleakError, InputError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.geometry import CROP_SIZE
from biometrics.progress import Advance, silent
from biometrics.templates import TemplateSet

Precision = Literal["float32", "bf16"]
"""What a network's layers compute in; bf16 has 8 significant bits. Crops are cut in float32."""

UNIT_TOLERANCE = 1e-3
"""A template whose length is this near to 1 counts as normalised."""


def embed(
    backbone: Backbone,
    crops: NDArray[np.uint8],
    *,
    batch_size: int = 16,
    precision: Precision = "float32",
    advance: Advance = silent,
) -> NDArray[np.float32]:
    """Templates float32 [N, D] of canonical crops.

    Args:
        backbone: the model; it computes where its buffers lie.
        crops: uint8 [N, 224, 224, 3] RGB; read batch by batch, so it may be memory-mapped.
        batch_size: crops in one forward pass; the result does not depend on it but for rounding. On
            two cores 16 takes a fifth less time than 32 where a network is narrow and deep (what
            lies between its layers stays in the cache), and no more elsewhere.
        precision: bf16 moves every template a little; how much it matters depends on the backbone.
        advance: told the number of crops after every batch.

    Raises:
        InputError: where the crops have another shape or type.
        ConfigError: bf16 is asked of a backbone that PyTorch does not compute.
        FaceleakError: where the backbone gives NaN or infinite values.
    """
    check_crops(crops)
    check_precision(backbone, precision)
    templates = np.empty((len(crops), backbone.spec.dim), dtype=np.float32)
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        templates[start : start + len(batch)] = embed_batch(backbone, batch, precision)
        advance(len(batch))
    return templates


def embed_batch(
    backbone: Backbone, crops: NDArray[np.uint8], precision: Precision = "float32"
) -> NDArray[np.float32]:
    """One forward pass: templates [B, D] of crops uint8 [B, 224, 224, 3]."""
    device = backbone.grid.device
    # It leaves the cut from the crop in float32: bf16 cannot name a pixel of 224 exactly.
    bf16 = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
    with torch.inference_mode(), bf16:
        vectors = backbone(to_tensor(crops).to(device)).float().cpu()
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


def check_precision(backbone: Backbone, precision: Precision) -> None:
    """Refuse a precision that would not be heeded.

    Raises:
        ConfigError: bf16 is asked of a backbone that PyTorch does not compute.
    """
    if precision == "bf16" and not backbone.runs_in_torch:
        raise ConfigError(
            f"backbone '{backbone.spec.name}' is not computed by PyTorch here, so not in bf16; "
            "use float32"
        )


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
