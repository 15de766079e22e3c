"""Attacks that were trained before: a folder each, with a record beside what the attack saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from attacks.base import InversionAttack, Resources, attack_class, make_settings
from biometrics.backbones.base import BACKBONES
from biometrics.errors import InputError, UnknownNameError, WeightsError
from biometrics.faces.appearance import AppearanceModel
from biometrics.faces.shipped import shipped_model_path
from biometrics.file_names import file_name

RECORD = "attack.json"


@dataclass(frozen=True)
class Trained:
    """A fitted attack, the record beside it, and their folder."""

    attack: InversionAttack
    record: Mapping[str, Any]
    folder: Path


def read_record(folder: Path) -> dict[str, Any]:
    """What a kept attack is: ``attack``, ``settings``, ``target``, ``similarity`` and more.

    Raises:
        InputError: no record, or one of something else.
    """
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        for name in ("attack", "target", "similarity"):
            if not isinstance(record[name], str):
                raise TypeError(name)
        dict(record["settings"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{folder} holds no trained attack ({RECORD}); make one with faceleak train"
        ) from error
    return record


def load_trained(folder: Path) -> Trained:
    """A kept attack.

    Raises:
        InputError: no record, or one of something else.
        WeightsError: its weights are absent or damaged.
    """
    record = read_record(folder)
    name, values = str(record["attack"]), dict(record["settings"])
    resources = Resources(
        appearance=AppearanceModel.load(shipped_model_path()), similarity=record["similarity"]
    )
    kind = attack_class(name)
    return Trained(kind.load(folder, make_settings(name, values), resources), record, folder)


def shipped_attack(target: str) -> Path:
    """The folder of the attack that ships for a backbone.

    Raises:
        UnknownNameError: no such backbone.
        WeightsError: none ships for it.
    """
    BACKBONES.get(target)
    folder = _shipped() / file_name(target)
    if not (folder / RECORD).is_file():
        there = ", ".join(sorted(p.parent.name for p in folder.parent.glob(f"*/{RECORD}")))
        raise WeightsError(
            f"no attack ships for backbone '{target}' (there is one for {there or 'none'}); "
            "train one with faceleak train and name its folder"
        )
    return folder


def ships(folder: Path) -> bool:
    """Whether a kept attack is one of those that ship: its training people are listed."""
    return folder.resolve().parent == _shipped().resolve()


def find_attack(name: str) -> Path:
    """The folder of that path, or of the attack that ships for the backbone of that name."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    try:
        return shipped_attack(name)
    except UnknownNameError as error:
        raise InputError(
            f"attack {name}: neither a folder nor a backbone that an attack ships for"
        ) from error


def copy_trained(folder: Path, target: Path) -> None:
    """The files of a kept attack in a new folder, with the rights of whoever copies."""
    target.mkdir()
    for path in _files(folder):
        (target / path.name).write_bytes(path.read_bytes())


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of a kept attack's files."""
    found = hashlib.sha256()
    for path in _files(folder):
        content = hashlib.sha256(path.read_bytes()).digest()
        found.update(hashlib.sha256(path.name.encode()).digest() + content)
    return found.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _shipped() -> Path:
    return Path(str(files("attacks").joinpath("pretrained")))
