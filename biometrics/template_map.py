"""From the templates of one backbone to those of another, by an affine map fitted on pairs.

Two backbones that tell people apart agree so far on what a face is that a few hundred pictures,
embedded by both, give a map between their templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from biometrics.errors import InputError, OutputError, WeightsError
from biometrics.ridge import leave_one_out, solve_ridge
from biometrics.templates import check_finite

PAIRS = 500
"""Pictures that a map is fitted on unless more or fewer are asked for. An attacker without a data
set has a few hundred, and from there on the gain gets small (docs/results.md)."""

RIDGES = tuple(float(ridge) for ridge in np.logspace(-8, 2, 21))
"""Penalties to choose from: below the first, what is fitted is the rounding of float32; at the last
nothing is left but the mean."""

SMALLEST_LENGTH = 1e-12
"""A shorter template has no direction to speak of."""

ABOUT = "about"


@dataclass(frozen=True)
class TemplateMap:
    """``(x - mean) weights + offset``, of x brought to length 1 where ``unit`` says so.

    Attributes:
        mean: float32 [S], for templates of S values.
        weights: float32 [S, T], to templates of T values.
        offset: float32 [T].
        unit: whether lengths of the templates that go in say nothing (they compare by cosine).
        pairs: how many it was fitted on.
        ridge: the penalty that was chosen.
        explained: share of the targets' variance that is predicted for a pair left out; 0 is the
            mean for everybody.
        about: text that is kept in the file.
    """

    mean: NDArray[np.float32]
    weights: NDArray[np.float32]
    offset: NDArray[np.float32]
    unit: bool
    pairs: int
    ridge: float
    explained: float
    about: str = ""

    def apply(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Templates [N, T] of templates [N, S].

        Raises:
            InputError: another S than it was fitted on, or NaN or infinite values.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.mean):
            raise InputError(
                f"the map was fitted on templates of {len(self.mean)} values, "
                f"got {list(vectors.shape)}"
            )
        check_finite(vectors)
        rows = _unit(vectors) if self.unit else np.asarray(vectors, dtype=np.float64)
        return ((rows - self.mean) @ self.weights + self.offset).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but ``about``, for a file of safetensors."""
        return {
            "mean": self.mean,
            "weights": np.ascontiguousarray(self.weights),
            "offset": self.offset,
            "unit": np.array([self.unit]),
            "pairs": np.array([self.pairs]),
            "ridge": np.array([self.ridge]),
            "explained": np.array([self.explained]),
        }

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], path: Path, about: str = ""
    ) -> TemplateMap:
        """What :meth:`arrays` gave, from the file of that path.

        Raises:
            WeightsError: an array is absent, of another shape or type, or not finite.
        """
        missing = sorted(ARRAYS - set(arrays))
        if missing:
            raise WeightsError(f"{path} holds no map of templates: it lacks {', '.join(missing)}")
        mean, weights, offset = arrays["mean"], arrays["weights"], arrays["offset"]
        numbers = [arrays[name] for name in ("unit", "pairs", "ridge", "explained")]
        fits = mean.ndim == 1 == offset.ndim and weights.shape == (*mean.shape, *offset.shape)
        if not fits or any(number.shape != (1,) for number in numbers):
            got = ", ".join(f"{name} {list(arrays[name].shape)}" for name in sorted(ARRAYS))
            raise WeightsError(f"{path} holds no map of templates: {got}")
        parts = (mean, weights, offset)
        if any(part.dtype != np.float32 or not np.isfinite(part).all() for part in parts):
            raise WeightsError(f"{path}: expected finite float32 values")
        unit, pairs, ridge, explained = (number[0] for number in numbers)
        return cls(*parts, bool(unit), int(pairs), float(ridge), float(explained), about)

    def save(self, path: Path) -> None:
        """Write a safetensors file; equal maps give equal bytes.

        Raises:
            OutputError: where it cannot be written.
        """
        try:
            save_file(self.arrays(), path, metadata={ABOUT: self.about})
        except (SafetensorError, OSError) as error:
            raise OutputError(f"{path} cannot be written: {error}") from error

    @classmethod
    def load(cls, path: Path) -> TemplateMap:
        """Read what :meth:`save` wrote.

        Raises:
            WeightsError: one line with the path, where the file is not usable.
        """
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                about = (file.metadata() or {}).get(ABOUT, "")
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is no readable safetensors file: {error}") from error
        return cls.of_arrays(arrays, path, about)


ARRAYS = frozenset(("mean", "weights", "offset", "unit", "pairs", "ridge", "explained"))
"""What :meth:`TemplateMap.arrays` is made of."""


def fit_template_map(
    sources: NDArray[np.floating],
    targets: NDArray[np.floating],
    *,
    unit: bool = False,
    ridges: Sequence[float] = RIDGES,
    about: str = "",
) -> TemplateMap:
    """The ridge regression of ``targets`` [N, T] on standardised ``sources`` [N, S], row by row the
    same pictures.

    Its penalty is the one of ``ridges`` under which pairs left out are predicted best; no other
    picture is looked at.

    Args:
        unit: bring the sources to length 1 first.
        ridges: penalties to choose from, all positive.
        about: kept in the map.

    Raises:
        InputError: no pairs, fewer than two, or NaN or infinite values.
    """
    if sources.ndim != 2 or targets.ndim != 2 or len(sources) != len(targets) or len(sources) < 2:
        raise InputError(
            f"a map needs two or more pairs of templates, got {list(sources.shape)} and "
            f"{list(targets.shape)}"
        )
    check_finite(sources)
    check_finite(targets)
    x = _unit(sources) if unit else np.asarray(sources, dtype=np.float64)
    y = np.asarray(targets, dtype=np.float64)
    centre, spread, offset = x.mean(axis=0), x.std(axis=0), y.mean(axis=0)
    # What varies by rounding alone says nothing, and is not blown up.
    scale = np.where(spread > 1e-6 * np.abs(centre), spread, np.inf)
    standard = (x - centre) / scale
    errors = leave_one_out(standard, y, ridges)
    best = int(errors.argmin())
    _, weights = solve_ridge(standard, y - offset, ridges[best])
    variance = float(((y - offset) ** 2).sum(axis=1).mean())
    return TemplateMap(
        mean=centre.astype(np.float32),
        weights=(weights / scale[:, None]).astype(np.float32),
        offset=offset.astype(np.float32),
        unit=unit,
        pairs=len(x),
        ridge=ridges[best],
        explained=1.0 - float(errors[best]) / variance if variance > 0.0 else 0.0,
        about=about,
    )


def draw_pairs(subjects: NDArray[np.str_], wanted: int, seed: int) -> NDArray[np.intp]:
    """Rows of at most ``wanted`` pictures, in their order: of as many subjects as there are, then
    second pictures, and so on, all drawn by the seed.

    A second picture of a person says less than one of somebody else; and where each pair is of a
    person of its own, leaving out a pair leaves out the person.

    Args:
        subjects: whose the pictures are, text [N].
        wanted: how many.
        seed: the same gives the same rows.
    """
    shuffled = np.random.default_rng(seed).permutation(len(subjects))
    # Each picture's place among those of its subject, in the drawn order.
    order = np.argsort(subjects[shuffled], kind="stable")
    names = subjects[shuffled][order]
    first = np.r_[True, names[1:] != names[:-1]] if len(names) else np.zeros(0, dtype=bool)
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    place = np.empty(len(names), dtype=np.intp)
    place[order] = np.arange(len(names)) - start
    chosen = shuffled[np.argsort(place, kind="stable")[:wanted]]
    return np.sort(chosen).astype(np.intp)


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, SMALLEST_LENGTH))
