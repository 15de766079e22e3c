"""What a scheme leaves of an attribute, and of who somebody is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from biometrics.metrics.attributes import AttributeLeakage, attribute_leakage
from biometrics.metrics.intervals import NotMeasured
from biometrics.metrics.pairs import Pairs, group, mated_pairs
from biometrics.metrics.scores import pair_scores
from biometrics.protection.base import ProtectionScheme, Vectors


@dataclass(frozen=True)
class ScoreChange:
    """How scores of protected templates stand to those of the plain ones: all mated pairs, and as
    many pairs of different people where there are any.

    Attributes:
        correlation: of the two; NaN where one never varies.
        mean_difference: mean of the absolute differences; None where scores are of another kind.
        pairs: compared.
    """

    correlation: float
    mean_difference: float | None
    pairs: int


@dataclass(frozen=True)
class AttributeProbe:
    """An attribute before and after protection, told for people of whom nothing was learnt.

    Attributes:
        before: from plain templates.
        not_retrained: from protected templates, by what was learnt from plain ones; not measured
            where the two have not the same numbers.
        retrained: from protected templates, by what was learnt from protected ones. This is the
            figure that counts: an attacker who knows the scheme protects faces of his own.
        scores: what became of comparisons.
    """

    before: AttributeLeakage | NotMeasured
    not_retrained: AttributeLeakage | NotMeasured
    retrained: AttributeLeakage | NotMeasured
    scores: ScoreChange | NotMeasured


def attribute_probe(
    scheme: ProtectionScheme,
    vectors: Vectors,
    subjects: NDArray[np.str_],
    labels: NDArray[np.bool_],
    *,
    key: int = 0,
    seed: int = 0,
) -> AttributeProbe:
    """Measure a fitted scheme on templates of people that it was not fitted on.

    Args:
        scheme: fitted.
        vectors: templates [N, D].
        subjects: whose they are [N].
        labels: whether each has the attribute [N].
        key: under which all are protected.
        seed: of folds, draws and permutations.
    """
    words = ["yes" if there else "no" for there in labels]
    after = scheme.protect(vectors, key)
    kept: AttributeLeakage | NotMeasured
    if after.shape == vectors.shape:
        kept = attribute_leakage(vectors, subjects, words, tested=after, seed=seed)
    else:
        kept = NotMeasured(
            f"protected templates have {after.shape[1]} numbers, plain ones {vectors.shape[1]}"
        )
    return AttributeProbe(
        before=attribute_leakage(vectors, subjects, words, seed=seed),
        not_retrained=kept,
        retrained=attribute_leakage(after, subjects, words, seed=seed),
        scores=_scores(scheme, vectors, after, subjects, seed),
    )


def _scores(
    scheme: ProtectionScheme,
    vectors: Vectors,
    after: Vectors,
    subjects: NDArray[np.str_],
    seed: int,
) -> ScoreChange | NotMeasured:
    groups = group(subjects)
    pairs = mated_pairs(groups)
    if not len(pairs.first):
        return NotMeasured("nobody has two templates")
    drawn = np.random.default_rng(seed).integers(len(vectors), size=(2, len(pairs.first)))
    others = drawn[:, groups.index[drawn[0]] != groups.index[drawn[1]]]
    both = Pairs(*(np.concatenate(sides) for sides in zip(pairs, others, strict=True)))
    old = pair_scores(vectors, vectors, both, scheme.similarity).astype(np.float64)
    new = pair_scores(after, after, both, scheme.comparator).astype(np.float64)
    varies = min(np.ptp(old), np.ptp(new)) > 0.0
    alike = scheme.comparator == scheme.similarity
    return ScoreChange(
        correlation=float(np.corrcoef(old, new)[0, 1]) if varies else float("nan"),
        mean_difference=float(np.abs(new - old).mean()) if alike else None,
        pairs=len(old),
    )
