"""One template from several pictures of a person, as systems make it when somebody is enrolled."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from biometrics.metrics.scores import Similarity


def averages(
    templates: NDArray[np.floating], parts: ArrayLike, kind: Similarity
) -> NDArray[np.float32]:
    """The average of the templates of each part.

    Templates that are compared by their distance are averaged as they are. For the cosine, where
    the length of a template says nothing, all are brought to length 1, and their mean to the mean
    length that they had: an average is as long as the templates of single pictures are, which is
    what an attack has learnt from. A part of one template is this template to the last bit.

    Args:
        templates: [N, D], finite.
        parts: the part of each template, whole numbers from 0 without a gap, [N].
        kind: how templates are compared.

    Returns:
        float32 [P, D]; the zero vector where directions cancel out.

    Raises:
        ValueError: lengths that disagree, or a part without a template.
    """
    part = np.asarray(parts, dtype=np.intp)
    if part.shape != (len(templates),) or len(part) == 0:
        raise ValueError(f"{len(templates)} templates in {part.shape} parts")
    counts = np.bincount(part)
    if (counts == 0).any():
        raise ValueError(f"part {int(np.argmin(counts))} holds no template")
    order = np.argsort(part, kind="stable")
    starts = np.cumsum(counts) - counts
    rows = templates[order].astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if kind == "cosine":
        rows = _divided(rows, lengths)
    found = np.add.reduceat(rows, starts, axis=0) / counts[:, None]
    if kind == "cosine":
        long = np.add.reduceat(lengths, starts, axis=0) / counts[:, None]
        found = _divided(found, np.linalg.norm(found, axis=1, keepdims=True)) * long
    # Float64 in between: a single float32 template comes back as it was.
    return found.astype(np.float32)


def clusters(templates: NDArray[np.floating], number: int, kind: Similarity) -> NDArray[np.intp]:
    """Which of ``number`` clusters each template of one person belongs to, intp [N]; the largest is
    0, of equal ones the one with the earlier template.

    Agglomerative, by Ward's rule: it joins those whose templates then stay nearest to their mean,
    which is what will be held of them. Templates that are compared by the cosine are brought to
    length 1 first.

    Raises:
        ValueError: more clusters than templates, or none.
    """
    # Here, not above: scikit-learn takes its time, and most runs average only.
    from sklearn.cluster import AgglomerativeClustering

    if not 1 <= number <= len(templates):
        raise ValueError(f"cannot divide {len(templates)} templates into {number} clusters")
    if number == 1:
        return np.zeros(len(templates), dtype=np.intp)
    rows = templates.astype(np.float64)
    if kind == "cosine":
        rows = _divided(rows, np.linalg.norm(rows, axis=1, keepdims=True))
    labels = AgglomerativeClustering(n_clusters=number, linkage="ward").fit_predict(rows)
    _, first, counts = np.unique(labels, return_index=True, return_counts=True)
    place = np.empty(number, dtype=np.intp)
    place[np.lexsort((first, -counts))] = np.arange(number)
    return np.asarray(place[labels])


def _divided(rows: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows divided by their lengths [N, 1]; rows of length zero stay zero."""
    return rows / np.where(by > 0.0, by, 1.0)
