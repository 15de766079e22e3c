"""The smallest change of a template that turns a decision, in closed form.

A matcher accepts when the similarity of a template to a reference reaches a threshold. Towards the
reference (``accept``) or away from it, the nearest template on the other side lies

* for minus the distance: on the line through both, where the distance is the threshold's;
* for the cosine: in the plane of both, turned until the angle is the threshold's. Templates are
  directions there, so the length stays what it was; among those the chord of the smallest turn is
  the shortest.

A template that is already on the wanted side stays as it is, to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.scores import Similarity, paired_similarity

NUDGE = 1e-6
"""Share of the way by which a template goes beyond the boundary: 32 bits round it."""

TRIES = 12
"""Doublings of the nudge, until the rounded template is on the other side."""


class Flipped(NamedTuple):
    """Templates on the other side of a decision.

    Attributes:
        vectors: float32 [N, D].
        change: length of the change over the length of the template, float64 [N].
        angle: between the template and the changed one, in degrees, float64 [N].
    """

    vectors: NDArray[np.float32]
    change: NDArray[np.float64]
    angle: NDArray[np.float64]


def flip(
    vectors: NDArray[np.floating],
    references: NDArray[np.floating],
    kind: Similarity,
    threshold: float,
    *,
    accept: bool,
) -> Flipped:
    """The nearest templates that are accepted against their references, or refused.

    Args:
        vectors: templates [N, D], finite and not zero.
        references: row by row what they are compared with [N, D].
        kind, threshold: accepted when the score >= threshold.
        accept: whether they are to be accepted, and not refused.

    Raises:
        ValueError: no template can be on that side: a threshold that nothing reaches, or that all
            reach.
    """
    low, high = (-1.0, 1.0) if kind == "cosine" else (-np.inf, 0.0)
    if not low < threshold < high:
        raise ValueError(f"no template can be turned at a threshold of {threshold:g} ({kind})")
    before = np.asarray(vectors, dtype=np.float32)
    start, goal = before.astype(np.float64), np.asarray(references, dtype=np.float64)
    made, nudge = before.copy(), NUDGE
    for _ in range(TRIES):
        scores = paired_similarity(made, goal, kind)
        wrong = np.flatnonzero((scores >= threshold) != accept)
        if not len(wrong):
            break
        beyond = nudge if accept else -nudge
        move = _turned if kind == "cosine" else _moved
        made[wrong] = move(start[wrong], goal[wrong], threshold, beyond)
        nudge *= 2.0
    after = made.astype(np.float64)
    change = np.linalg.norm(after - start, axis=1) / np.linalg.norm(start, axis=1)
    return Flipped(made, change, _angles(start, after))


def _moved(
    start: NDArray[np.float64], goal: NDArray[np.float64], threshold: float, beyond: float
) -> NDArray[np.float32]:
    """On the line from the reference through the template, at the distance of the threshold."""
    direction = _unit(start - goal, _across(goal))
    distance = -threshold * (1.0 - beyond)
    return np.asarray(goal + distance * direction, dtype=np.float32)


def _turned(
    start: NDArray[np.float64], goal: NDArray[np.float64], threshold: float, beyond: float
) -> NDArray[np.float32]:
    """In the plane of template and reference, at the angle of the threshold."""
    length = np.linalg.norm(start, axis=1, keepdims=True)
    middle = _unit(goal, goal)
    across = start - (start * middle).sum(axis=1, keepdims=True) * middle
    # A template along its reference spans no plane with it: any direction is as near.
    flat = np.linalg.norm(across, axis=1, keepdims=True) <= 1e-9 * length
    across = _unit(np.where(flat, _across(middle), across), middle)
    angle = np.arccos(threshold) * (1.0 - beyond)
    return np.asarray(length * (np.cos(angle) * middle + np.sin(angle) * across), np.float32)


def _across(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """A direction at a right angle to each vector [N, D]: the axis that it lies along least."""
    unit = _unit(vectors, vectors)
    axes = np.eye(vectors.shape[1])[np.abs(unit).argmin(axis=1)]
    return _unit(axes - (axes * unit).sum(axis=1, keepdims=True) * unit, axes)


def _unit(vectors: NDArray[np.float64], instead: NDArray[np.float64]) -> NDArray[np.float64]:
    """At length 1; ``instead`` for zero vectors."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.where(
        length > 0.0, vectors / np.where(length > 0.0, length, 1.0), instead
    )
    return unit


def _angles(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees between rows; 0 to the last bit for equal ones (an arc cosine would not be)."""
    x, y = _unit(a, a), _unit(b, b)
    half = np.arctan2(np.linalg.norm(x - y, axis=1), np.linalg.norm(x + y, axis=1))
    return np.asarray(np.degrees(2.0 * half), dtype=np.float64)
