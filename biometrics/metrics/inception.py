"""The features behind FID and KID: the Inception network of pytorch-fid, with its weights.

The package's own classes are used for the parts in which this network differs from torchvision's;
its constructor is not, since it downloads the weights.

Source: M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium", 2017; M. Seitzer, pytorch-fid, 2020.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import convert_conv2d_weight_memory_format

from biometrics.backbones.state import fold_batch_norm
from biometrics.faces.resize import from_pixels
from biometrics.metrics.state import load_known
from biometrics.progress import Advance, silent
from biometrics.weights import known

FILE = "fid-inception"
DIM = 2048
INPUT_SIZE = 299
N_CLASSES = 1008
BATCH = 16


class Inception:
    """Pictures to pooled features; made by :func:`load_inception`."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.device = device
        self.network = convert_conv2d_weight_memory_format(network.to(device), torch.channels_last)

    def features(
        self, pictures: NDArray[np.uint8], *, batch: int = BATCH, advance: Advance = silent
    ) -> NDArray[np.float32]:
        """Features of the last pooling, float32 [N, 2048], of pictures uint8 [N, S, S, 3].

        Convention: RGB in [-1, 1], resized to 299 bilinearly without antialiasing and with pixel
        edges aligned, as pytorch-fid does. Another way of resizing shifts every FID.

        Raises:
            ValueError: another type or shape.
        """
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3:
            raise ValueError(f"expected uint8 [N, S, S, 3], got {pictures.dtype} {pictures.shape}")
        found = np.empty((len(pictures), DIM), dtype=np.float32)
        size = (INPUT_SIZE, INPUT_SIZE)
        with torch.inference_mode():
            for start in range(0, len(pictures), batch):
                some = from_pixels(pictures[start : start + batch]).to(self.device)
                inputs = 2.0 * F.interpolate(some, size, mode="bilinear", align_corners=False) - 1.0
                inputs = inputs.contiguous(memory_format=torch.channels_last)
                found[start : start + len(some)] = self.network(inputs).float().cpu().numpy()
                advance(len(some))
        return found

    @property
    def origin(self) -> str:
        """Implementation and weights, for the report."""
        return f"network of pytorch-fid {version('pytorch-fid')}, {known(FILE).file}"


def load_inception(device: torch.device | str = "cpu") -> Inception:
    """The network with the weights from the folder of known ones.

    Raises:
        WeightsError: the file is missing (with the command that gets it), damaged, or does not have
            exactly the network's tensors.
    """
    network = load_known(_empty_network(), FILE).eval()
    network.fc = nn.Identity()
    network.requires_grad_(False)
    fold_batch_norm(network)
    return Inception(network, torch.device(device))


def _empty_network() -> nn.Module:
    """Architecture without weights, on the ``meta`` device."""
    import torchvision
    from pytorch_fid import inception as parts

    with torch.device("meta"):
        network: nn.Module = torchvision.models.inception_v3(
            weights=None, num_classes=N_CLASSES, aux_logits=False, init_weights=False
        )
        network.Mixed_5b = parts.FIDInceptionA(192, pool_features=32)
        network.Mixed_5c = parts.FIDInceptionA(256, pool_features=64)
        network.Mixed_5d = parts.FIDInceptionA(288, pool_features=64)
        network.Mixed_6b = parts.FIDInceptionC(768, channels_7x7=128)
        network.Mixed_6c = parts.FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6d = parts.FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6e = parts.FIDInceptionC(768, channels_7x7=192)
        network.Mixed_7b = parts.FIDInceptionE_1(1280)
        network.Mixed_7c = parts.FIDInceptionE_2(2048)
    return network
