"""Runs an audit again and again and kills it each time at another point, then lets it finish.

    python -m tests.audit.killing CONFIG OUT LOG KILLS.json

Each start is a fork of this process, which has only imported the modules: importing them again
would take most of the time. A kill is ``[when, place]``: *before* or *after* the renaming that
completes the file or stage ``place``, or *within* one of the functions of ``WITHIN``. LOG gets one
line for each stage that was started and each that was completed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacks import lightning_loops  # noqa: F401 - for all starts
from attacks.base import ATTACKS
from attacks.inversion import landmark_texture
from audit import likeness, models, pipeline, reconstruct
from audit.config import load_config
from audit.run_folder import RunFolder
from audit.watch import Watch
from biometrics.backbones.base import BACKBONES
from biometrics.faces.faceset import FaceSet


def die(*_given: object, **_named: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def half_a_face_set(faces: FaceSet, folder: Path) -> None:
    (folder / "crops.npy").write_bytes(faces.crops.tobytes()[:1000])
    die()


WITHIN: dict[str, tuple[object, str, Callable[..., Any]]] = {
    "faces": (FaceSet, "save", half_a_face_set),
    "templates": (models, "embed_faces", die),
    "training": (landmark_texture.LandmarkTexture, "_train_texture", die),
    "inversion": (landmark_texture.LandmarkTexture, "invert", die),
    "detection": (reconstruct, "find_in_crop", die),
    "likeness": (likeness, "image_scores", die),
    "figures": (pipeline, "save_results", die),
    "report": (pipeline, "write_formats", die),
}


def arrange(when: str, place: str, out: Path) -> None:
    """Make this process kill itself at the point."""
    if when == "within":
        owner, name, replacement = WITHIN[place]
        setattr(owner, name, replacement)
        return
    rename = os.replace

    def replace(source: Any, target: Any) -> None:
        here = Path(target) == out / place
        if here and when == "before":
            die()
        rename(source, target)
        if here:
            die()

    os.replace = replace


def keep_log(log: Path) -> None:
    build = RunFolder._build

    def logged(self: RunFolder, final: Path, *rest: Any) -> Any:
        name = final.relative_to(self.path).as_posix()
        with log.open("a") as file:
            file.write(f"started {name}\n")
        return build(self, final, *rest)

    RunFolder._build = logged  # type: ignore[method-assign]


def main(config: str, out: str, log: str, kills: str) -> None:
    keep_log(Path(log))
    for registry in (ATTACKS, BACKBONES):
        registry.names()  # imports every plug-in
    for when, place in [*json.loads(Path(kills).read_text()), ("never", "")]:
        child = os.fork()
        if child == 0:
            if when != "never":
                arrange(when, place, Path(out))
            pipeline.run_audit(load_config(config), Path(out), Watch.quiet())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if killed != (when != "never") or (not killed and status != 0):
            sys.exit(f"{when} {place}: expected another end than {status}")
        with Path(log).open("a") as file:
            file.write(f"ended {when} {place}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
