"""``insightface:PACK`` and ``insightface:FILE.onnx``: the recognition models of insightface.

Only the ONNX file is needed, not the package. All of them take a 112x112 RGB picture aligned to the
five points of ArcFace, ``(x - 127.5) / 127.5``, and give 512 numbers that are compared by their
cosine (insightface, ``model_zoo/arcface_onnx.py``), so they share one record.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from biometrics.backbones.base import Backbone, BackboneFactory, register_backbone_family
from biometrics.backbones.onnx_file import load_onnx
from biometrics.backbones.own_model import named_file
from biometrics.backbones.own_record import CropRecord, InputRecord, OwnRecord
from biometrics.errors import UnknownNameError, WeightsError
from biometrics.weights import FOLDER_VARIABLE, weights_folder

PREFIX = "insightface"
SUFFIX = ".onnx"
PACKS: Mapping[str, str] = {
    "antelopev2": "glintr100.onnx",
    "buffalo_l": "w600k_r50.onnx",
    "buffalo_s": "w600k_mbf.onnx",
}
"""Name of a pack to the file of its recognition model."""

RECORD = OwnRecord(
    dim=512,
    input=InputRecord(height=112, width=112),
    crop=CropRecord(template="arcface-112"),
    colour="rgb",
    pixel_range=255,
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
    layout="nchw",
    similarity="cosine",
    licence="insightface's own models: non-commercial research only",
)


def find_pack(pack: str) -> Path:
    """The recognition model of a pack in the folder of weights, there or in a folder of the pack's
    name, or where insightface itself keeps it.

    Raises:
        WeightsError: it is in none of them; the message says where it was looked for.
    """
    file, kept = PACKS[pack], weights_folder()
    places = [kept / file, kept / pack / file, Path.home() / ".insightface/models" / pack / file]
    for path in places:
        if path.is_file():
            return path
    looked = ", ".join(str(path) for path in places)
    raise WeightsError(
        f"weights {PREFIX}:{pack} missing: looked for {looked}; "
        f"{FOLDER_VARIABLE} names the first folder"
    )


@register_backbone_family(PREFIX, "PACK or FILE.onnx", packages=("onnx", "onnxruntime"))
def insightface_backbone(rest: str) -> BackboneFactory:
    """The backbone of a pack or a file.

    Raises:
        UnknownNameError: neither a pack nor a file's name.
    """
    name = f"{PREFIX}:{rest}"
    if rest not in PACKS and not rest.endswith(SUFFIX):
        raise UnknownNameError("backbone", name, [f"{PREFIX}:{n}" for n in (*PACKS, "FILE.onnx")])

    def load(weights: Mapping[str, str]) -> Backbone:
        from_pack = rest in PACKS and name not in weights
        path = find_pack(rest) if from_pack else named_file(name, rest, weights)
        return load_onnx(path, RECORD, name)

    return load
