"""LFW View 2: ten-fold verification of given pairs.

Source: G. Huang et al., "Labeled Faces in the Wild", 2007, section III: the threshold of a fold is
chosen on the nine others; the accuracy is the mean over folds, with its standard error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.errors import InputError
from biometrics.metrics.curves import WeightedScores, eer, roc_auc
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.scores import Similarity, paired_similarity

Picture = tuple[str, int]
"""Name and number of a picture."""


class Pair(NamedTuple):
    """Two pictures and whether they show one person."""

    first: Picture
    second: Picture
    mated: bool


@dataclass(frozen=True)
class View2Result:
    """View 2 figures.

    Attributes:
        accuracy: mean over folds of the share of right decisions.
        std: standard error of that mean, from the spread of the folds.
        n_pairs: pairs that were compared.
        dropped_pairs: pairs of which a picture has no template (absent, or no face found). Folds
            are then no longer balanced; they weigh the same.
        eer, roc_auc: over all pairs at once.
        precision, recall, f1: over all pairs, each at its fold's threshold; precision and f1 are
            None where nothing was accepted.
        thresholds: one a fold.
    """

    accuracy: float
    std: float
    n_pairs: int
    dropped_pairs: int
    eer: float
    roc_auc: float
    precision: float | None
    recall: float
    f1: float | None
    thresholds: tuple[float, ...]


def picture_of(file: str) -> Picture | None:
    """The picture of a file named as LFW names them, such as ``Ann/Ann_0003.jpg``: its last number
    and what stands before it; None for other names."""
    name, _, number = Path(file).stem.rpartition("_")
    return (name, int(number)) if number.isdigit() else None


def read_pairs(path: Path) -> list[list[Pair]]:
    """The folds of a ``pairs.txt``: first line folds and pairs, then for each fold that many mated
    lines ``name i j`` and as many non-mated ``name i name j``, tab-separated.

    Raises:
        InputError: unreadable or malformed, with the line number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a readable pairs file: {error}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    n_folds, n_each = _read_header(path, lines)
    expected = 1 + n_folds * 2 * n_each
    if len(lines) != expected:
        raise InputError(
            f"{path}, line {min(len(lines), expected) + 1}: {n_folds} folds of 2 x {n_each} pairs "
            f"make {expected} lines, got {len(lines)}"
        )
    pairs = [_read_pair(path, number, line) for number, line in enumerate(lines[1:], start=2)]
    for row, pair in enumerate(pairs):
        if pair.mated != (row % (2 * n_each) < n_each):
            wanted = "non-mated" if pair.mated else "mated"
            raise InputError(f"{path}, line {row + 2}: expected a {wanted} pair")
    return [pairs[start : start + 2 * n_each] for start in range(0, len(pairs), 2 * n_each)]


def view2(
    folds: Sequence[Sequence[Pair]],
    templates: Mapping[Picture, NDArray[np.floating]],
    kind: Similarity,
) -> View2Result | NotMeasured:
    """Ten-fold verification with the templates [D] of pictures; pairs without them are dropped and
    counted. NotMeasured where that leaves a fold without mated or without non-mated pairs, or
    there are fewer than two folds."""
    kept = [(k, p) for k, fold in enumerate(folds) for p in fold if _present(p, templates)]
    n_given = sum(len(fold) for fold in folds)
    fold = np.array([k for k, _ in kept], dtype=np.intp)
    mated = np.array([pair.mated for _, pair in kept], dtype=bool)
    sizes = np.bincount(fold * 2 + mated, minlength=2 * len(folds))
    if len(folds) < 2 or not sizes.all():
        return NotMeasured(
            f"LFW View 2: {len(kept)} of {n_given} pairs have both templates; "
            "every fold needs mated and non-mated pairs"
        )
    first = np.stack([templates[pair.first] for _, pair in kept])
    second = np.stack([templates[pair.second] for _, pair in kept])
    scores = paired_similarity(first, second, kind)
    return _ten_fold(scores, mated, fold, n_given - len(kept))


def best_threshold(scores: NDArray[np.float32], mated: NDArray[np.bool_]) -> float:
    """The score at which accepting (score >= it) makes most decisions right; among equals the
    middle one."""
    cuts = np.unique(scores)
    rejected = np.searchsorted(np.sort(scores[~mated]), cuts, side="left")
    missed = np.searchsorted(np.sort(scores[mated]), cuts, side="left")
    right = rejected - missed  # plus the number of mated pairs, which is the same at every cut
    best = np.flatnonzero(right == right.max())
    return float(cuts[best[len(best) // 2]])


def _ten_fold(
    scores: NDArray[np.float32],
    mated: NDArray[np.bool_],
    fold: NDArray[np.intp],
    dropped: int,
) -> View2Result:
    n_folds = int(fold[-1]) + 1
    thresholds = tuple(best_threshold(scores[fold != k], mated[fold != k]) for k in range(n_folds))
    accepted = scores >= np.array(thresholds, dtype=np.float32)[fold]
    accuracy = np.bincount(fold, weights=accepted == mated) / np.bincount(fold)
    hits, n_accepted, n_mated = (int(x.sum()) for x in (accepted & mated, accepted, mated))
    genuine, impostor = WeightedScores(scores[mated]), WeightedScores(scores[~mated])
    return View2Result(
        accuracy=float(accuracy.mean()),
        std=float(accuracy.std(ddof=1) / np.sqrt(n_folds)),
        n_pairs=len(scores),
        dropped_pairs=dropped,
        eer=eer(genuine, impostor),
        roc_auc=roc_auc(genuine, impostor),
        precision=hits / n_accepted if n_accepted else None,
        recall=hits / n_mated,
        f1=2 * hits / (n_accepted + n_mated) if n_accepted else None,
        thresholds=thresholds,
    )


def _present(pair: Pair, templates: Mapping[Picture, NDArray[np.floating]]) -> bool:
    return pair.first in templates and pair.second in templates


def _read_header(path: Path, lines: Sequence[str]) -> tuple[int, int]:
    try:
        n_folds, n_each = (int(field) for field in lines[0].split())
        if n_folds < 1 or n_each < 1:
            raise ValueError
    except (IndexError, ValueError):
        raise InputError(
            f"{path}, line 1: expected the number of folds and of pairs, such as '10 300'"
        ) from None
    return n_folds, n_each


def _read_pair(path: Path, number: int, line: str) -> Pair:
    fields = line.split("\t")
    try:
        if len(fields) == 3:
            name, i, j = fields
            return Pair((name, int(i)), (name, int(j)), True)
        name, i, other, j = fields
        return Pair((name, int(i)), (other, int(j)), False)
    except ValueError:
        raise InputError(
            f"{path}, line {number}: expected 'name i j' or 'name i name j' "
            f"separated by tabs, got {line[:80]!r}"
        ) from None
