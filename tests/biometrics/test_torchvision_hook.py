"""torchvision can be imported beside any build of torch, and is left alone where it is whole.

Imports leave traces in a process, so tests of importing have one of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import biometrics

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, *, first_on_path: Path | None = None) -> str:
    """What a fresh interpreter prints; a traceback there fails the test."""
    path = [str(folder) for folder in (first_on_path, ROOT) if folder is not None]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fake_torchvision(folder: Path, extension: str) -> Path:
    """A package that dies like torchvision does where ``nms`` has no schema."""
    package = folder / "torchvision"
    (package / "ops").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from torchvision import extension\n"
        "from torch import library\n"
        "library.register_fake('torchvision::nms')(lambda dets, scores, t: None)\n"
        "library.register_fake('torchvision::qnms')(lambda dets, scores, t: None)\n"
    )
    (package / "extension.py").write_text(extension)
    (package / "ops" / "__init__.py").write_text("from torchvision.ops import boxes\n")
    (package / "ops" / "boxes.py").write_text("def _assert_has_ops():\n    return 'its own'\n")
    return folder


BROKEN = "def _has_ops():\n    return False\n"
WHOLE = """
import torch
from torch import library
whole = vars(library)["Library"]("torchvision", "DEF")
for name in ("nms", "qnms"):
    whole.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    whole.impl(name, lambda dets, scores, t: torch.tensor([42]), "CPU")
"""
CALL_NMS = "torch.ops.torchvision.nms(torch.ones(1, 4), torch.ones(1), .5).tolist()"


def test_biometrics_imports_neither_torch_nor_torchvision() -> None:
    code = "import sys, biometrics; print([m for m in sys.modules if m.startswith('torch')])"
    assert run(code) == "[]"


def brute_force(boxes: Tensor, scores: Tensor, limit: float) -> list[int]:
    """Keep the best box, drop what overlaps it by more than the limit, go on with the rest."""
    left = sorted(range(len(boxes)), key=lambda i: -float(scores[i]))
    kept = []
    while left:
        best, *rest = left
        kept.append(best)
        left = [i for i in rest if overlap(boxes[best].tolist(), boxes[i].tolist()) <= limit]
    return kept


def overlap(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return both / (sum(areas) - both)


def kernel_and_operator() -> list[Callable[[Tensor, Tensor, float], Tensor]]:
    import torchvision

    return [biometrics._nms, torchvision.ops.nms]


@pytest.mark.parametrize("limit", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("nms", kernel_and_operator(), ids=["kernel", "torchvision"])
def test_nms_equals_brute_force(
    nms: Callable[[Tensor, Tensor, float], Tensor], limit: float
) -> None:
    draw = torch.Generator().manual_seed(0)
    dropped = 0
    for n in (0, 1, 2, 80):
        low, size, scores = (
            torch.rand(n, k, generator=draw, dtype=torch.float64) for k in (2, 2, 1)
        )
        boxes = torch.cat([low * 30, low * 30 + 1 + size * 20], dim=1)
        kept = nms(boxes, scores[:, 0], limit)
        assert kept.dtype == torch.long
        assert kept.tolist() == brute_force(boxes, scores[:, 0], limit)
        dropped += n - len(kept)
    assert (dropped > 0) == (limit < 1.0), "boxes that never overlap test nothing"


def test_the_kernel_stands_where_the_operator_is_missing(tmp_path: Path) -> None:
    code = f"""
import biometrics, torchvision, torch, torchvision.ops
print({CALL_NMS}, torchvision.ops.boxes._assert_has_ops())
"""
    assert run(code, first_on_path=fake_torchvision(tmp_path, BROKEN)) == "[0] None"


def test_a_whole_torchvision_keeps_its_own_operators(tmp_path: Path) -> None:
    code = f"""
import biometrics, torchvision, torch, torchvision.ops
print({CALL_NMS}, torchvision.ops.boxes._assert_has_ops(), biometrics._declared)
"""
    assert run(code, first_on_path=fake_torchvision(tmp_path, WHOLE)) == "[42] its own {}"


def test_without_the_hook_the_import_dies_and_with_it_a_second_one_works(tmp_path: Path) -> None:
    code = f"""
try:
    import torchvision
except RuntimeError as error:
    print(error)
import biometrics, torchvision, torch
print({CALL_NMS})
"""
    said = run(code, first_on_path=fake_torchvision(tmp_path, BROKEN))
    assert said.splitlines() == ["operator torchvision::nms does not exist", "[0]"]


def test_libraries_that_import_torchvision_work_and_the_hook_is_installed_once() -> None:
    code = """
import importlib, sys, biometrics
importlib.reload(biometrics)
print(sum(type(finder).__name__ == "_TorchvisionHook" for finder in sys.meta_path))
import torchmetrics, torchvision
importlib.reload(biometrics)
print(torchvision.__spec__.origin.endswith("__init__.py"))
print(type(torchvision.extension.__spec__.loader).__name__)
"""
    assert run(code).split() == ["1", "True", "SourceFileLoader"]
