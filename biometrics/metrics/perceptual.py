"""LPIPS: how different two pictures look, by the ``lpips`` package (version 0.1 of its metric).

The package brings the small linear heads; the trunks are torchvision's, and the package would
download them in its constructor. Here they come from the folder of known weights, or not at all.

Source: R. Zhang, P. Isola, A. Efros, E. Shechtman, O. Wang, "The unreasonable effectiveness of deep
features as a perceptual metric", 2018, eq. 1.
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from importlib.resources import as_file, files
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from biometrics.errors import WeightsError
from biometrics.faces.resize import from_pixels
from biometrics.metrics.image import check_pairs
from biometrics.metrics.state import load_known
from biometrics.weights import known

Trunk = Literal["alex", "vgg", "squeeze"]
TRUNKS: tuple[Trunk, ...] = get_args(Trunk)

FILES: dict[Trunk, str] = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}
"""The known weight file of each trunk, under the name of torchvision's constructor."""

TOO_SMALL = 31
"""Pixels of a side below which AlexNet has nothing left to pool."""

BATCH = 4


class Lpips:
    """One LPIPS metric; made by :func:`load_lpips`."""

    def __init__(self, trunk: Trunk, network: nn.Module, device: torch.device) -> None:
        self.trunk, self.device = trunk, device
        self.network = convert_conv2d_weight_memory_format(network.to(device), torch.channels_last)

    def __call__(
        self,
        reconstructed: NDArray[np.uint8],
        originals: NDArray[np.uint8],
        *,
        batch: int = BATCH,
    ) -> NDArray[np.float64]:
        """Distance of each pair of pictures uint8 [N, S, S, 3], float64 [N], 0 for equal ones.

        Convention: the network sees RGB in [-1, 1] at the size the pictures have. In [0, 1] it
        would still give plausible numbers, about half as large.

        Raises:
            ValueError: shapes or types that disagree.
        """
        check_pairs(reconstructed, originals, larger_than=TOO_SMALL)
        values = np.empty(len(originals))
        with torch.inference_mode():
            for start in range(0, len(originals), batch):
                rows = slice(start, start + batch)
                pair = self._input(reconstructed[rows]), self._input(originals[rows])
                values[rows] = self.network(*pair).flatten().double().cpu().numpy()
        return values

    def _input(self, pictures: NDArray[np.uint8]) -> Tensor:
        return (2.0 * from_pixels(pictures) - 1.0).to(self.device)

    @property
    def origin(self) -> str:
        """Implementation and weights, for the report."""
        file = known(FILES[self.trunk]).file
        return f"lpips {version('lpips')}, metric 0.1, trunk {file}"


def load_lpips(trunk: Trunk, device: torch.device | str = "cpu") -> Lpips:
    """The metric with the trunk from the folder of known weights.

    Raises:
        WeightsError: the file is missing (with the command that gets it), damaged, or does not have
            exactly the tensors of torchvision's network.
    """
    import lpips  # it imports torchvision, which takes a second

    whole = load_known(_empty_trunk(trunk), FILES[trunk])
    with torch.device("meta"), warnings.catch_warnings():
        _silence_torchvision()
        network: nn.Module = lpips.LPIPS(net=trunk, pretrained=False, pnet_rand=True, verbose=False)
    heads = _heads(trunk)
    scaling = lpips.ScalingLayer().state_dict(prefix="scaling_layer.")
    # The package cuts the trunk's features into slices and keeps their numbers: features.3.weight
    # becomes net.slice2.3.weight.
    layers = {
        key: whole.get_parameter("features." + key.split(".", 2)[2])
        for key in network.state_dict()
        if key.startswith("net.")
    }
    network.load_state_dict({**layers, **heads, **scaling}, assign=True)
    network.requires_grad_(False)
    return Lpips(trunk, network.eval(), torch.device(device))


def _empty_trunk(trunk: Trunk) -> nn.Module:
    import torchvision

    with torch.device("meta"):
        network: nn.Module = getattr(torchvision.models, FILES[trunk])(weights=None)
    return network


def _heads(trunk: Trunk) -> dict[str, Tensor]:
    """The linear heads that the package carries."""
    resource = files("lpips") / "weights" / "v0.1" / f"{trunk}.pth"
    try:
        with as_file(resource) as path:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"the package lpips lacks its file {resource.name}") from error
    # The heads are registered twice, by name and in a list.
    names = sorted(state)
    copies = {f"lins.{key[3]}{key[4:]}": state[key] for key in names}
    return {**state, **copies}


def _silence_torchvision() -> None:
    """The package uses torchvision's older spelling, ``pretrained=False``."""
    for message in (
        r"The parameter 'pretrained' is deprecated since 0\.13",
        r"Arguments other than a weight enum or `None` for 'weights' are deprecated since 0\.13",
    ):
        warnings.filterwarnings("ignore", message, UserWarning)
