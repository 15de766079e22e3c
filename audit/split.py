"""Who is attacker, who sets the thresholds, whose templates leaked.

The split goes by subject, by a keyed hash of the name: it does not depend on the order of files or
on who else is in the folder (64 / 16 / 20).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError

Role = Literal["attacker", "threshold", "leaked", "capped"]

ATTACKER_SHARE, THRESHOLD_SHARE = 0.64, 0.16
THRESHOLD_SHARE_OF_ATTACKER_FOLDER = 0.2
QUICK_SHARE = 0.25
MAX_PICTURES = 10
"""Of one subject in the threshold and leaked sets: one man holds most pairs of LFW otherwise."""

MIN_ATTACKER_FACES = 20


def unit_hash(name: str, *, purpose: str, seed: int) -> float:
    """A number in [0, 1) that depends on the name, the purpose and the seed alone."""
    # Folder names need not be valid UTF-8; Python keeps their odd bytes as surrogates.
    data = name.encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(data, key=f"{purpose}:{seed}".encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64


def role_of(name: str, *, seed: int) -> Role:
    """The role of a subject when one folder is split."""
    position = unit_hash(name, purpose="split", seed=seed)
    if position < ATTACKER_SHARE:
        return "attacker"
    return "threshold" if position < ATTACKER_SHARE + THRESHOLD_SHARE else "leaked"


def attacker_folder_role(name: str, *, seed: int) -> Role:
    """The role of a subject of the attacker's own folder, where there are two folders."""
    position = unit_hash(name, purpose="split", seed=seed)
    return "threshold" if position < THRESHOLD_SHARE_OF_ATTACKER_FOLDER else "attacker"


def quick_subjects(names: Iterable[str], *, seed: int) -> frozenset[str]:
    """The quarter of the subjects that a quick run uses."""
    return frozenset(n for n in names if unit_hash(n, purpose="quick", seed=seed) < QUICK_SHARE)


def most_pictured(counts: Mapping[str, int], wanted: int) -> list[str]:
    """The ``wanted`` subjects with the most pictures, given the number of each; of equal ones those
    whose names come first."""
    return sorted(counts, key=lambda name: (-counts[name], name))[:wanted]


@dataclass(frozen=True)
class Split:
    """Rows of a FaceSet by role, each int [·] in the order of the set; ``capped`` rows are left out
    because their subject has more than ten pictures."""

    attacker: NDArray[np.intp]
    threshold: NDArray[np.intp]
    leaked: NDArray[np.intp]
    capped: NDArray[np.intp]

    @property
    def key(self) -> str:
        """SHA-256 over all rows: what is fitted on some of them depends on it."""
        rows = {role: getattr(self, role).tolist() for role in get_args(Role)}
        return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def split_rows(subjects: Iterable[str], roles: dict[str, Role]) -> Split:
    """Rows by role, at most ten of a subject in the threshold and leaked sets.

    Raises:
        InputError: where a set is too small to audit anything.
    """
    rows: dict[str, list[int]] = {"attacker": [], "threshold": [], "leaked": [], "capped": []}
    seen: dict[str, int] = defaultdict(int)
    names = list(subjects)
    for row, name in enumerate(names):
        seen[name] += 1
        role = roles[name]
        capped = role != "attacker" and seen[name] > MAX_PICTURES
        rows["capped" if capped else role].append(row)
    split = Split(**{role: np.array(found, dtype=np.intp) for role, found in rows.items()})
    _check(split, names)
    return split


def read_split(path: Path) -> tuple[int, dict[str, str]]:
    """The seed of a run's ``split.csv`` and the role of every face in it, by ``face_id``.

    Raises:
        InputError: unreadable, or no such file.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            seed = int(file.readline().split()[-1])
            return seed, {row["face_id"]: row["role"] for row in csv.DictReader(file)}
    except (OSError, ValueError, LookupError) as error:
        raise InputError(f"{path} is not the split of a run: {error}") from error


def _check(split: Split, names: list[str]) -> None:
    people = {
        role: len({names[i] for i in getattr(split, role)})
        for role in ("attacker", "threshold", "leaked")
    }
    if len(split.attacker) < MIN_ATTACKER_FACES or people["threshold"] < 2 or people["leaked"] < 2:
        raise InputError(
            f"too few people: {len(set(names))} subjects with a face gave {len(split.attacker)} "
            f"attacker faces, {people['threshold']} threshold and {people['leaked']} leaked "
            f"subjects; needed are {MIN_ATTACKER_FACES} faces, 2 and 2 subjects"
        )
