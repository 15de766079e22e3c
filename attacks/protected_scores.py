"""Templates from what a matcher of protected templates says: scores, or yes and no.

The matcher keeps protected templates and keys to itself. The attacker hands in faces of his own,
which the system protects under the victim's key, and sees the scores. He knows how the scheme works
but no key that is in use. On his own templates, under keys of his own, he learns what similarity of
unprotected templates a protected score stands for and how far it is off; then the scores are
equations about the template as ever (:mod:`attacks.score_search`), each trusted as far as it was
off, and answers are too (:mod:`attacks.decision_search`).

Some schemes look at templates less the mean of the operator's people. The attacker takes off the
mean of his own, compares what is left by the cosine, and adds the mean again in the end. Which of
both views explains the protected scores better he finds by trying. Scores that rise with the size
of a similarity whatever its sign, as codes of products of values do, tell him nothing this way:
that he fails then is no proof that they are safe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from attacks.decision_search import recover_from_decisions
from attacks.score_search import Matrix, fit_prior, recover
from biometrics.errors import InputError
from biometrics.metrics.scores import Similarity, similarity_matrix
from biometrics.protection.base import ProtectionScheme, Vectors
from biometrics.templates import check_finite

STRAIGHT, ROUNDED = 1.01, 1e-10
"""A straight line is taken where its squared residual is no larger than a curve's by this factor,
and by this share of the variance: it does not end where the attacker's own scores do."""

LEAST_EXPLAINED = 1e-6
"""Share of the variance below which a protected score says nothing."""


@dataclass(frozen=True)
class Calibration:
    """What protected scores stand for.

    Attributes:
        at: protected scores, rising [K].
        level: the similarity of unprotected templates that each stands for, rising [K].
        straight: whether a line through the first and the last holds everywhere; else what lies
            outside stands for what the nearest one does.
        error: standard deviation of the similarity about its level.
        explained: share of the variance of similarities that protected scores explain.
    """

    at: Matrix
    level: Matrix
    straight: bool
    error: float
    explained: float

    def undo(self, scores: NDArray[np.floating]) -> Matrix:
        """The similarities that protected scores stand for, in the shape of these."""
        x = np.asarray(scores, dtype=np.float64)
        if not self.straight:
            return np.interp(x, self.at, self.level)
        slope = (self.level[-1] - self.level[0]) / (self.at[-1] - self.at[0])
        found: Matrix = self.level[0] + slope * (x - self.at[0])
        return found


def calibrate(protected: NDArray[np.floating], plain: NDArray[np.floating]) -> Calibration:
    """What protected scores stand for, from pairs of scores of any one shape.

    Isotonic regression says what similarity to expect given a protected score. That is drawn to the
    mean the more the weaker both are tied: a similarity above the mean stands out by only the share
    of the variance that is explained. As an equation about the template it is stretched by that
    again, ``mean + (expected - mean) / explained``, and its error with it: then it is the
    similarity plus noise.

    Raises:
        InputError: shapes that disagree, numbers that are not finite, or scores that are all alike.
    """
    x, y = np.ravel(protected).astype(np.float64), np.ravel(plain).astype(np.float64)
    if x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(f"cannot calibrate {len(x)} protected scores on {len(y)} plain ones")
    at, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    centre = y.mean()
    if len(at) < 2 or not y.var() > 0.0:
        raise InputError("protected and plain scores must differ to be calibrated")
    means = np.bincount(place, weights=y) / counts
    slope = max(0.0, np.mean((x - x.mean()) * (y - centre)) / x.var())
    line = centre + slope * (at - x.mean())
    curve = isotonic_regression(means, sample_weight=counts)
    left = [float(np.mean((y - fit[place]) ** 2)) for fit in (line, curve)]
    straight = left[0] <= STRAIGHT * left[1] + ROUNDED * y.var()
    fit, residual = (line, left[0]) if straight else (curve, left[1])
    explained = max(1.0 - residual / y.var(), LEAST_EXPLAINED)
    error = float(np.sqrt(residual / explained))
    return Calibration(at, centre + (fit - centre) / explained, straight, error, float(explained))


class ScoreSearch:
    """An attacker who sees what a matcher says of faces that he hands in.

    Until :meth:`calibrate` was called, scores are taken for similarities as they are.

    Args:
        own: plain templates of the attacker's own people [N, D].
        similarity: how plain templates are compared in his view.
        centred: whether his mean is taken off first.

    Raises:
        InputError: fewer than two templates, or numbers that are not finite.
    """

    def __init__(
        self, own: NDArray[np.floating], similarity: Similarity, *, centred: bool = False
    ) -> None:
        check_finite(own)
        self.similarity, self.centred = similarity, centred
        rows = own.astype(np.float64)
        self.mean = rows.mean(axis=0) if centred else np.zeros(rows.shape[1])
        self.prior = fit_prior(rows - self.mean, similarity)
        self.calibration: Calibration | None = None

    def plain(self, a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float32]:
        """Similarities [N, M] of plain templates in the attacker's view."""
        return similarity_matrix(a - self.mean, b - self.mean, self.similarity)

    def calibrate(self, protected: NDArray[np.floating], plain: NDArray[np.floating]) -> Self:
        """Learn what protected scores stand for; see :func:`calibrate`.

        Args:
            protected: scores of the attacker's own templates under keys of his own, any shape.
            plain: what :meth:`plain` says of the same pairs.

        Raises:
            InputError: as there.
        """
        self.calibration = calibrate(protected, plain)
        return self

    def recover(self, scores: NDArray[np.floating], known: NDArray[np.floating]) -> Vectors:
        """Templates float32 [N, D] from protected scores.

        Args:
            scores: [N, M], of each victim's stored template against each face handed in.
            known: plain templates of these faces [M, D].

        Returns:
            Templates. Where the view is by the cosine they have the attacker's mean length, less
            his mean where that is taken off.

        Raises:
            InputError: shapes that disagree, or numbers that are not finite.
        """
        check_finite(known)
        said, error = scores, None
        if self.calibration is not None:
            said, error = self.calibration.undo(scores), self.calibration.error
        faces = self._seen(known)
        found = recover(said, faces, self.similarity, error=error, prior=self.prior)
        return (found + self.mean).astype(np.float32)

    def recover_from_decisions(
        self, accepted: NDArray[np.bool_], known: NDArray[np.floating], *, threshold: float
    ) -> Vectors:
        """Templates float32 [N, D] from yes and no [N, M] at a threshold of protected scores; see
        :func:`attacks.decision_search.recover_from_decisions`.

        Raises:
            InputError: as there.
        """
        check_finite(known)
        level, error = threshold, 0.0
        if self.calibration is not None:
            level = float(self.calibration.undo(np.array(threshold)))
            error = self.calibration.error
        found = recover_from_decisions(
            accepted, self._seen(known), self.prior, threshold=level, error=error
        )
        return (found + self.mean).astype(np.float32)

    def _seen(self, known: NDArray[np.floating]) -> NDArray[np.floating]:
        """Known faces less the mean, in the number type that they came in: it tells how precise
        their templates are."""
        return (known - self.mean).astype(known.dtype) if self.centred else known


class _Trial(NamedTuple):
    """Protected scores of pairs of own templates, and these templates."""

    scores: NDArray[np.float32]
    rows: NDArray[np.floating]
    columns: NDArray[np.floating]


def search_scores(
    scheme: ProtectionScheme,
    own: Vectors,
    keys: Iterable[int],
    *,
    sample: int = 100,
    seed: int = 0,
) -> ScoreSearch:
    """An attacker who knows the scheme, calibrated on his own templates under keys of his own.

    Args:
        scheme: as the operator fitted it.
        own: plain templates of the attacker's people [N, D].
        keys: his own; none that is in use.
        sample: templates on each side of what he compares under each key.
        seed: of their choice.

    Returns:
        Of both views (templates as they are, and less the mean by the cosine) the one that
        protected scores tell more of.

    Raises:
        InputError: fewer than four templates, no key, or scores that are all alike.
    """
    if len(own) < 4:
        raise InputError(f"a calibration needs four templates or more, got {len(own)}")
    rng, trials = np.random.default_rng(seed), []
    for key in keys:
        drawn = own[rng.permutation(len(own))[: 2 * sample]]
        rows, columns = np.array_split(drawn, 2)
        scores = similarity_matrix(
            scheme.protect(rows, key), scheme.protect(columns, key), scheme.comparator
        )
        trials.append(_Trial(scores, rows, columns))
    if not trials:
        raise InputError("a calibration needs a key")
    protected = np.concatenate([trial.scores.ravel() for trial in trials])
    views = ScoreSearch(own, scheme.similarity), ScoreSearch(own, "cosine", centred=True)
    for view in views:
        plain = [view.plain(trial.rows, trial.columns).ravel() for trial in trials]
        view.calibrate(protected, np.concatenate(plain))
    return max(views, key=lambda view: view.calibration.explained if view.calibration else 0.0)
