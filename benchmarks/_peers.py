"""Recognition models beside the library that they come from, on the same pictures.

Where no weight file is at hand a network has seeded random numbers: they cost the same time, and
both sides must still give the same templates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from biometrics.backbones.base import Backbone, load_backbone
from biometrics.backbones.dlib_resnet import packaged_file
from biometrics.backbones.embed import embed, to_tensor
from biometrics.backbones.mobilefacenet import SPEC, ConvUnit, MobileFaceNet
from biometrics.backbones.state import fold_batch_norm

Pictures = NDArray[np.uint8]
Templates = NDArray[np.floating]
Way = Callable[[], Templates]


class Load(NamedTuple):
    """What all are given: pictures of noise, batches, and a folder for files."""

    random: np.random.Generator
    images: int
    batch: int
    threads: int
    folder: Path

    def pictures(self, height: int, width: int) -> Pictures:
        """Noise [N, H, W, 3]."""
        return self.random.integers(0, 256, (self.images, height, width, 3), dtype=np.uint8)

    def batches(self, values: Pictures | Tensor) -> list[Pictures | Tensor]:
        """The same in parts."""
        starts = range(0, len(values), self.batch)
        return [values[start : start + self.batch] for start in starts]


class Match(NamedTuple):
    """``inputs`` and ``native`` give the templates of the same pictures; ``crops`` cuts them from
    whole canonical crops first."""

    weights: str
    crops: Way
    inputs: Way
    native: Mapping[str, Way]


def dlib_match(load: Load) -> Match:
    import dlib

    chips = load.pictures(150, 150)
    model = dlib.face_recognition_model_v1(str(packaged_file()))
    native = {
        "dlib, one by one": lambda: np.array([model.compute_face_descriptor(c) for c in chips]),
        "dlib, as a batch": lambda: np.array(model.compute_face_descriptor(list(chips), 0)),
    }
    return _match("its own weights", load_backbone("dlib"), chips, native, load)


def facenet_match(load: Load) -> Match:
    """The package as its README uses it, and once more without the book-keeping for gradients."""
    from facenet_pytorch import InceptionResnetV1

    torch.manual_seed(0)
    resnet = InceptionResnetV1(classify=False, num_classes=8631).eval()
    path = load.folder / "20180402-114759-vggface2.pt"
    torch.save(resnet.state_dict(), path)
    backbone = load_backbone("facenet-vggface2", {"facenet-vggface2": str(path)})
    faces = load.pictures(160, 160)
    # its fixed_image_standardization, of pictures [N, 3, 160, 160]
    cropped = (torch.from_numpy(faces).permute(0, 3, 1, 2).float() - 127.5) / 128.0

    def readme() -> Templates:
        made = [resnet(part).detach().cpu() for part in load.batches(cropped)]
        return torch.cat(made).numpy()

    native = {
        "facenet-pytorch": readme,
        "the same, inference": lambda: _inference(readme),
    }
    return _match("seeded random weights", backbone, faces, native, load)


def insightface_match(load: Load) -> Match:
    """A network of the shape of buffalo_s, in insightface's own class and session."""
    import onnxruntime
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX
    from insightface.model_zoo.model_zoo import PickableInferenceSession

    network = MobileFaceNet(replace(SPEC, dim=512, input_size=(112, 112)))
    network.linear7 = ConvUnit(512, 512, 7, groups=512, linear=True)
    torch.manual_seed(0)
    _spread(network)
    path = load.folder / "w600k_mbf.onnx"
    _export(nn.Sequential(_Unprepared(), _InputToTemplate(network)), (112, 112), path)
    name = "insightface:w600k_mbf.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = load.threads
    session = PickableInferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    model = ArcFaceONNX(str(path), session=session)
    faces = load.pictures(112, 112)
    bgr = np.ascontiguousarray(faces[..., ::-1])
    native = {
        "insightface, one by one": lambda: np.concatenate([model.get_feat(f) for f in bgr]),
        "insightface, batches": lambda: np.concatenate(
            [model.get_feat(list(part)) for part in load.batches(bgr)]
        ),
    }
    backbone = load_backbone(name, {name: str(path)})
    return _match("seeded random weights", backbone, faces, native, load)


def mobilefacenet_match(load: Load) -> Match:
    """It comes from no library, so its checkpoint is exported and run by onnxruntime."""
    import onnxruntime

    backbone = load_backbone("mobilefacenet")
    path = load.folder / "mobilefacenet.onnx"
    _export(_InputToTemplate(backbone), (112, 96), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = load.threads
    session = onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
    faces = load.pictures(112, 96)
    native = {
        "onnxruntime, batches": lambda: np.concatenate(
            [
                session.run(None, {"face": to_tensor(part).contiguous().numpy()})[0]
                for part in load.batches(faces)
            ]
        )
    }
    return _match("its checkpoint", backbone, faces, native, load)


MATCHES: Mapping[str, Callable[[Load], Match]] = {
    "dlib": dlib_match,
    "mobilefacenet": mobilefacenet_match,
    "facenet-vggface2": facenet_match,
    "insightface:FILE.onnx": insightface_match,
}


def own_way(backbone: Backbone, load: Load) -> Way:
    """Templates of whole canonical crops."""
    crops = load.pictures(224, 224)
    return lambda: embed(backbone, crops, batch_size=load.batch)


def _match(
    weights: str, backbone: Backbone, faces: Pictures, native: Mapping[str, Way], load: Load
) -> Match:
    def inputs() -> Templates:
        with torch.inference_mode():
            made = [backbone.embed_input(to_tensor(part)) for part in load.batches(faces)]
        return torch.cat(made).numpy()

    return Match(weights, own_way(backbone, load), inputs, native)


def _inference(way: Way) -> Templates:
    with torch.inference_mode():
        return way()


def _spread(network: MobileFaceNet) -> None:
    """Random numbers under which no layer's output dies out, folded as a published file's are."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    network.eval()
    fold_batch_norm(network)


class _Unprepared(nn.Module):
    """From insightface's range, (x - 127.5) / 127.5, to [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5 + 0.5


class _InputToTemplate(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone.embed_input(x)


def _export(network: nn.Module, size: tuple[int, int], path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is an old one
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, 3, *size),),
            str(path),
            dynamo=False,
            input_names=["face"],
            output_names=["template"],
            dynamic_axes={"face": {0: "n"}, "template": {0: "n"}},
        )
