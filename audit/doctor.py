"""``faceleak doctor``: what this installation can do; is a backbone declared rightly?"""

from __future__ import annotations

import hashlib
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import torch

from audit.backbone_check import Check, check_backbone
from audit.backbone_list import BackboneLine, list_backbones
from audit.embedding import auto_device
from audit.input_variants import VARIANTS
from audit.run_folder import private_files
from audit.watch import Watch
from audit.weights_tools import WeightsLine, list_weights
from biometrics.backbones.base import BACKBONES, load_backbone
from biometrics.errors import FaceleakError
from biometrics.faces.faceset import FaceSet
from biometrics.faces.folder import list_pictures, read_pictures
from biometrics.faces.landmark_cache import cache_folder
from biometrics.metrics.intervals import Interval
from biometrics.weights import weights_folder
from faceleak import __version__

if TYPE_CHECKING:
    from rich.console import Console

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "numpy": ("numpy",),
    "opencv": ("opencv-python-headless", "opencv-python"),
    "dlib": ("dlib-bin", "dlib"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
}
"""A name as people know it to the distributions that may carry it."""

OFFLINE = "offline: only faceleak weights pull touches the network"
SUBJECTS, PICTURES = 200, 4
"""At most so many people, and pictures of each, are looked at in a check: it embeds them often."""

Writable = Literal["writable", "made when needed", "not writable"]


class FolderLine(TypedDict):
    """One folder that faceleak writes to."""

    name: str
    path: str
    state: Writable


class Health(TypedDict):
    """What ``faceleak doctor --json`` gives; a version is null where a package is missing."""

    versions: dict[str, str | None]
    device: str
    threads: int
    backbones: list[BackboneLine]
    backbones_problem: str | None
    weights: list[WeightsLine]
    folders: list[FolderLine]
    network: str


def examine(weights: Mapping[str, str]) -> Health:
    """Look at this installation; nothing is changed and the network is not touched.

    Args:
        weights: weight files by backbone, as an audit would get them.
    """
    try:
        backbones, problem = list_backbones(weights), None
    except FaceleakError as error:  # a plug-in of another package that cannot be loaded
        backbones, problem = [], str(error)
    return Health(
        versions={
            "faceleak": __version__,
            "python": platform.python_version(),
            **{name: _version(names) for name, names in PACKAGES.items()},
        },
        device=_device(),
        threads=torch.get_num_threads(),
        backbones=backbones,
        backbones_problem=problem,
        weights=list_weights(),
        folders=[
            _folder("cache", cache_folder()),
            _folder("weights", weights_folder()),
            _folder("runs", Path("runs").absolute()),
        ],
        network=OFFLINE,
    )


def _version(names: Sequence[str]) -> str | None:
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def _device() -> str:
    device = auto_device()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _folder(name: str, path: Path) -> FolderLine:
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            state: Writable = "writable" if there == path else "made when needed"
    except OSError:
        state = "not writable"
    return FolderLine(name=name, path=str(path), state=state)


def show_health(health: Health, console: Console) -> None:
    """All sections, for 80 columns."""
    from audit.console import show_backbones
    from audit.weights_tools import show_weights

    _heading("Versions", console)
    found = {name: text or "missing" for name, text in health["versions"].items()}
    _pairs(found, console)
    _heading("Machine", console)
    _pairs({"device": health["device"], "threads": str(health["threads"])}, console)
    _heading("Backbones", console)
    if health["backbones_problem"]:
        console.print(health["backbones_problem"], markup=False)
    else:
        show_backbones(health["backbones"], console)
    _heading("Weight files", console)
    show_weights(health["weights"], console)
    _heading("Folders", console)
    for line in health["folders"]:
        # A path is printed whole, to be copied, however long it is.
        text = f"{line['name']:<12}{line['state']:<18}{line['path']}"
        console.print(text, markup=False, soft_wrap=True)
    _heading("Network", console)
    console.print(health["network"], markup=False)


def _heading(text: str, console: Console) -> None:
    console.print(f"\n{text}", style="bold", markup=False)


def _pairs(pairs: Mapping[str, str], console: Console) -> None:
    for name, text in pairs.items():
        console.print(f"{name:<12}{text}", markup=False)


# --- is a backbone declared rightly?


def check_on_folder(
    backbone: str, folder: Path, watch: Watch, *, weights: Mapping[str, str]
) -> Check:
    """Measure a backbone as declared and with each common mistake undone.

    Args:
        backbone: which one.
        folder: one sub-folder of pictures a person, or a FaceSet on disk.
        watch: shows progress.
        weights: weight files by backbone.

    Raises:
        InputError: no such folder, no face, or too few people.
        UnknownNameError, WeightsError: the backbone is unknown or not ready.
    """
    for name in weights:
        BACKBONES.get(name)
    model = load_backbone(backbone, weights).to(auto_device())
    with _some_faces(folder, watch) as faces:
        total = len(faces) * (1 + len(VARIANTS))
        with watch.task(f"embed {len(faces):,} faces in {1 + len(VARIANTS)} ways", total) as done:
            return check_backbone(model, faces, advance=done)


@contextmanager
def _some_faces(folder: Path, watch: Watch) -> Iterator[FaceSet]:
    """At most ``SUBJECTS`` people with ``PICTURES`` pictures each; nothing is left behind."""
    if (folder / "crops.npy").is_file():
        faces = FaceSet.load(folder)
        yield faces.take(_chosen(faces.subject_ids.tolist()))
        return
    files = list_pictures(folder)
    files = [files[row] for row in _chosen([file.parent.name for file in files])]
    with private_files(), tempfile.TemporaryDirectory(prefix="faceleak-") as place:
        with watch.task(f"align {len(files):,} pictures", len(files)) as advance:
            faces = read_pictures(files, Path(place), advance=advance).faces
        yield faces


def _chosen(subjects: Sequence[str]) -> list[int]:
    """Rows of the people to look at, those with two pictures first, else in an order that their
    names decide: the same people each time, and no letter of the alphabet preferred."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(subjects):
        rows.setdefault(name, []).append(row)

    def order(name: str) -> tuple[bool, str]:
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        return len(rows[name]) < 2, digest

    taken = sorted(rows, key=order)[:SUBJECTS]
    return sorted(row for name in taken for row in rows[name][:PICTURES])


def check_record(check: Check) -> dict[str, Any]:
    """For machines; null where nothing was measured."""
    suspect = check.suspect
    return {
        "backbone": check.backbone,
        "fmr": check.fmr,
        "subjects": check.subjects,
        "faces": check.faces,
        "verdict": check.verdict,
        "suspect": suspect.name if suspect else None,
        "check": suspect.point if suspect else None,
        "outcomes": [
            {
                "input": outcome.name,
                "tmr": outcome.tmr._asdict() if outcome.tmr else None,
                "gain": outcome.gain._asdict() if outcome.gain else None,
                "separation": outcome.separation,
                "separation_gain": outcome.further._asdict() if outcome.further else None,
                "better_by": outcome.better,
                "not_measured": outcome.why_not or None,
            }
            for outcome in check.outcomes
        ],
    }


def show_check(check: Check, console: Console) -> None:
    """The verdict and the table of all ways, for 80 columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("input of the network", "TMR [95 %]", "against as declared", "d'", ""):
        table.add_column(heading, no_wrap=True)
    for outcome in check.outcomes:
        gain = _interval(outcome.gain, "+.3f") if outcome.gain else ""
        tmr = _interval(outcome.tmr, ".3f") if outcome.tmr else "not measured"
        apart = "" if outcome.separation is None else f"{outcome.separation:.2f}"
        by = {"TMR": "TMR", "separation": "d'", None: ""}[outcome.better]
        table.add_row(*map(Text, (outcome.name, tmr, gain, apart, by)))
    console.print(f"{check.backbone}: {check.verdict}", style="bold", markup=False)
    console.print()
    console.print(table)
    console.print(
        f"at FMR {check.fmr:.2g}, on {check.faces:,} pictures of {check.subjects:,} people; each "
        "way has its own threshold.\nThe intervals of the differences hold for all ways at once. "
        "d' is how far mated scores\nlie from non-mated ones, in standard deviations. The last "
        "column says by what a way is\nbetter than as declared.",
        markup=False,
    )


def _interval(found: Interval, form: str) -> str:
    low, high = (np.nan if end is None else end for end in (found.low, found.high))
    return f"{found.value:{form}} [{low:{form}}, {high:{form}}]"
