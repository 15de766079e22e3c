"""Several leaked templates of one subject made into one.

Two pictures of a person have the person in common and the pose, light and expression not: their
mean keeps the first and averages out the second. It is therefore less like each of its pictures and
more like all others of the person.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from biometrics.backbones.base import Similarity
from biometrics.errors import InputError


def fuse(
    vectors: NDArray[np.floating], subjects: NDArray[np.generic], similarity: Similarity
) -> NDArray[np.float32]:
    """One template for each subject.

    Minus the L2 distance: the mean. Cosine: the mean direction at the mean length, so that a
    picture with a long template counts no more than another and an attack still gets templates of
    the length that it knows. A single template comes back as it is.

    Args:
        vectors: templates [N, D], finite.
        subjects: whose they are [N], names or numbers.
        similarity: how they are compared.

    Returns:
        Templates float32 [S, D], in the sorted order of the subjects.

    Raises:
        InputError: no templates, another number of subjects than of templates, or numbers that are
            not finite.
    """
    if vectors.ndim != 2 or subjects.shape != (len(vectors),) or not len(vectors):
        raise InputError(
            f"fusing needs templates [N, D] and N subjects, got {list(vectors.shape)} and "
            f"{list(subjects.shape)}"
        )
    rows = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(rows).all():
        raise InputError(f"templates to fuse: {(~np.isfinite(rows)).sum()} numbers are not finite")
    _, index, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    if similarity == "l2":
        return _means(rows, index, counts).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directions = _means(rows / np.where(lengths > 0.0, lengths, 1.0), index, counts)
    left = np.linalg.norm(directions, axis=1, keepdims=True)
    means = _means(lengths, index, counts) / np.where(left > 0.0, left, 1.0)
    return (directions * means).astype(np.float32)


def _means(
    rows: NDArray[np.float64], index: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    order = np.argsort(index, kind="stable")
    sums: NDArray[np.float64] = np.add.reduceat(rows[order], np.cumsum(counts) - counts, axis=0)
    return sums / counts[:, None]
