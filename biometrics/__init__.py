"""Faces, backbones, templates and metrics: the ground floor.

Importing it also makes torchvision importable beside the CPU build of torch.

Why: torchvision's compiled operators are linked against one build of torch. Beside another one (the
CPU build of torch with torchvision's default wheel is a common pair) they do not load. torchvision
survives that, but then registers shapes for its operator ``nms``, which does not exist, and every
``import torchvision``, also from inside torchmetrics or lightning, dies with "operator
torchvision::nms does not exist". So the first import of ``torchvision.extension``, the module that
tries to load the operators, is followed by a look at what is missing: the schemas of ``nms`` and
``qnms`` are declared and ``nms`` gets a small kernel. Where torchvision is whole, nothing is
missing and nothing is done. torch itself is not imported here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: dict[str, Any] = {}
"""Operator name to the torch library that declares it; a library that is dropped takes its
operators with it."""


def _nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression: the kernel of ``torchvision::nms`` where it is missing.

    Args:
        dets: boxes [N, 4] as ``(x1, y1, x2, y2)``.
        scores: [N].
        iou_threshold: boxes that overlap a better one by more than this are dropped.

    Returns:
        int64 indices of the boxes kept, best first. Memory grows with N, not with its square.
    """
    import torch

    order = scores.sort(descending=True, stable=True).indices
    boxes = dets[order]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    dropped = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    kept: list[int] = []
    for i in range(len(boxes)):
        if dropped[i]:
            continue
        kept.append(i)
        low = torch.maximum(boxes[i, :2], boxes[i + 1 :, :2])
        high = torch.minimum(boxes[i, 2:], boxes[i + 1 :, 2:])
        overlap = (high - low).clamp(min=0).prod(dim=1)
        dropped[i + 1 :] |= overlap / (areas[i] + areas[i + 1 :] - overlap) > iou_threshold
    return order[torch.tensor(kept, dtype=torch.long, device=order.device)]


def _declare_missing(_extension: ModuleType) -> None:
    """Declare what torchvision's own attempt to load its operators left missing."""
    import torch
    from torch import library

    declare = vars(library)["Library"]
    for name, schema in _SCHEMAS.items():
        if hasattr(torch.ops.torchvision, name):
            continue
        fragment = declare("torchvision", "FRAGMENT")
        fragment.define(schema)
        if name == "nms":
            for device in ("CPU", "CUDA"):
                fragment.impl(name, _nms, device)
        _declared[name] = fragment


def _allow_nms(boxes: ModuleType) -> None:
    """Let ``torchvision.ops.nms`` past its check that *all* compiled operators are there."""
    if "nms" in _declared:
        boxes.__dict__["_assert_has_ops"] = lambda: None


_AFTER: dict[str, Callable[[ModuleType], None]] = {
    "torchvision.extension": _declare_missing,
    "torchvision.ops.boxes": _allow_nms,
}


class _ThenLoader(Loader):
    """A module's own loader, followed by one call with the finished module."""

    def __init__(self, loader: Loader, then: Callable[[ModuleType], None]) -> None:
        self.loader, self.then = loader, then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.then(module)


class _TorchvisionHook(MetaPathFinder):
    """Finds the two modules of torchvision above as usual and wraps their loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _AFTER:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _ThenLoader(spec.loader, _AFTER[fullname])
        return spec


def _install_hook() -> None:
    """Put the hook first, once."""
    if any(type(finder).__name__ == _TorchvisionHook.__name__ for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _TorchvisionHook())
    # An import of torchvision that died earlier leaves this module behind; it will not load again.
    extension = sys.modules.get("torchvision.extension")
    if extension is not None:
        _declare_missing(extension)


_install_hook()
