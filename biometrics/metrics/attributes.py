"""What templates alone tell of people besides who they are: an attribute such as sex, age group or
glasses, predicted by a logistic regression for people whom it was not fitted on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from biometrics.metrics.intervals import (
    MIN_DIFFERING,
    Interval,
    NotMeasured,
    clopper_pearson,
    draw_counts,
    mean_over_subjects,
)
from biometrics.metrics.pairs import group
from biometrics.templates import check_finite

FOLDS, INNER_FOLDS = 5, 3
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""The regression's C to choose from, on the training people of each fold."""

MOST_CLASSES = 8
"""Numbers with more values are cut into groups; words with more are no attribute."""

QUANTILES = 4
MIN_SUBJECTS = 20
"""Of a class; rarer ones are left out."""

MOST_TEMPLATES, MOST_ROWS = 10, 20_000
"""Templates of a subject, and of all, that are used; drawn by the seed where there are more."""

PERMUTATIONS = 5


@dataclass(frozen=True)
class AttributeLeakage:
    """How well an attribute is told from templates of people who were not learnt from.

    Attributes:
        classes: subjects of each value; one whose value varies counts in several.
        left_out: subjects of the values that too few have.
        templates: used.
        balanced_accuracy: mean over the values of the share that is told right, averaged within
            subjects first; 1 / values is a guess.
        guess: that.
        accuracy: share that is told right, whatever the value.
        majority: the same for always saying the commonest value.
        permuted: balanced accuracies where the values are dealt to other subjects; they lie around
            the guess, or the measurement itself is wrong. Empty where dealing leaves a value to too
            few.
        grouped: how numbers were cut into groups, in words; empty where they were not.
    """

    classes: Mapping[str, int]
    left_out: Mapping[str, int]
    templates: int
    balanced_accuracy: Interval
    guess: float
    accuracy: Interval
    majority: float
    permuted: tuple[float, ...]
    grouped: str = ""


def attribute_leakage(
    vectors: NDArray[np.floating],
    subjects: ArrayLike,
    labels: Sequence[str | None],
    *,
    tested: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> AttributeLeakage | NotMeasured:
    """Cross-validate the prediction of a label, with folds by subject.

    Vectors are standardised on the training people, and the penalty is chosen on them. Every value
    has the same weight in training, and within it every subject.

    Args:
        vectors: templates [N, D], finite.
        subjects: whose they are, text [N].
        labels: the attribute of each [N]; None or empty where it is not known. Numbers of more than
            ``MOST_CLASSES`` values are cut into groups of about equally many subjects.
        tested: other templates of the same pictures [N, D], such as protected ones, on which what
            was learnt from ``vectors`` is tried instead: an attacker who does not learn anew.
        seed: of folds, draws, permutations and the bootstrap.

    Returns:
        The figures, or why there are none.

    Raises:
        InputError: templates that are not finite.
        ValueError: other lengths.
    """
    check_finite(vectors)
    tried = vectors if tested is None else tested
    check_finite(tried)
    if tried.shape != vectors.shape:
        raise ValueError(f"learnt from {vectors.shape} and tried on {tried.shape}")
    names = np.asarray(subjects, dtype=str)
    if not len(vectors) == len(names) == len(labels):
        raise ValueError(f"{len(vectors)} templates, {len(names)} subjects, {len(labels)} labels")
    words = np.array(["" if label is None else label.strip() for label in labels], dtype=str)
    known = np.flatnonzero(words != "")
    if not len(known):
        return NotMeasured("no template has a value of this attribute")
    values = grouped_values(names[known], words[known])
    if isinstance(values, NotMeasured):
        return values
    rows = known[_drawn(names[known], seed)]
    kept = np.isin(known, rows)
    task = _task(vectors[rows], tried[rows], names[rows], values.labels[kept])
    if isinstance(task, NotMeasured):
        return task
    hits = task.cross_validated(seed)
    counted = {name: int(n) for name, n in zip(task.names, task.people, strict=True)}
    person = np.bincount(task.subject, hits) / np.bincount(task.subject)
    share = task.by_class(np.ones(len(hits)))
    weight = share / share.sum(axis=1, keepdims=True)
    return AttributeLeakage(
        classes=counted,
        left_out=task.left_out,
        templates=len(hits),
        balanced_accuracy=_balanced(task, hits, seed),
        guess=1 / len(task.names),
        accuracy=mean_over_subjects(person, rates=True, seed=seed),
        majority=float(weight.mean(axis=0).max()),
        permuted=tuple(_permuted(task, seed)),
        grouped=values.grouped,
    )


class Values(NamedTuple):
    """The value of each template, text [N], and how numbers were cut into groups."""

    labels: NDArray[np.str_]
    grouped: str


def grouped_values(names: NDArray[np.str_], words: NDArray[np.str_]) -> Values | NotMeasured:
    """Numbers of many values become groups of about equally many subjects; words stay."""
    distinct = np.unique(words)
    if len(distinct) <= MOST_CLASSES:
        return Values(words, "")
    try:
        numbers = words.astype(np.float64)
    except ValueError:
        return NotMeasured(
            f"{len(distinct):,} different words: at most {MOST_CLASSES} make an attribute"
        )
    if not np.isfinite(numbers).all():
        return NotMeasured("some of its numbers are not finite")
    groups = group(names)
    means = np.bincount(groups.index, numbers) / groups.counts
    cuts = np.unique(np.quantile(means, np.arange(1, QUANTILES) / QUANTILES))
    bounds = [f"{cut:.6g}" for cut in cuts]
    ends = [
        f"below {bounds[0]}",
        *(f"{a} to {b}" for a, b in pairwise(bounds)),
    ]
    titles = np.array([*ends, f"{bounds[-1]} and above"])
    found = titles[np.searchsorted(cuts, numbers, side="right")]
    return Values(found, f"numbers, cut at {', '.join(bounds)} (quantiles of the subjects' means)")


@dataclass(frozen=True)
class _Task:
    """Templates with numbered subjects and classes: those to learn from, and those to try it on."""

    vectors: NDArray[np.float64]
    tried: NDArray[np.float64]
    subject: NDArray[np.intp]
    label: NDArray[np.intp]
    names: list[str]
    left_out: Mapping[str, int]

    @property
    def people(self) -> NDArray[np.intp]:
        """Subjects of each class."""
        return np.asarray((self.by_class(np.ones(len(self.label))) > 0).sum(axis=0), dtype=np.intp)

    def by_class(self, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sums by subject and class, [S, C]."""
        size = int(self.subject.max()) + 1, len(self.names)
        flat = np.bincount(self.subject * size[1] + self.label, weights, size[0] * size[1])
        sums: NDArray[np.float64] = flat.astype(np.float64).reshape(size)
        return sums

    def weights(self) -> NDArray[np.float64]:
        """Of the templates in training, 1 in the mean: classes alike, subjects of a class alike."""
        cell = self.by_class(np.ones(len(self.label)))[self.subject, self.label]
        share: NDArray[np.float64] = 1 / (cell * self.people[self.label])
        share /= share.mean()
        return share

    def cross_validated(self, seed: int, penalty: float | None = None) -> NDArray[np.float64]:
        """Whether the class of each template is told right by a regression that saw nobody of its
        fold, [N]; the penalty is chosen in each fold where none is given."""
        hits = np.zeros(len(self.label))
        for learnt, tested in _folds(self, FOLDS, seed):
            part = self.take(learnt)
            fitted = _fit(part, _best_penalty(part, seed) if penalty is None else penalty)
            hits[tested] = fitted.predict(self.tried[tested]) == self.label[tested]
        return hits

    def take(self, rows: NDArray[np.intp]) -> _Task:
        """Some of the templates."""
        return replace(
            self,
            vectors=self.vectors[rows],
            tried=self.tried[rows],
            subject=self.subject[rows],
            label=self.label[rows],
        )


def _task(
    vectors: NDArray[np.floating],
    tried: NDArray[np.floating],
    names: NDArray[np.str_],
    labels: NDArray[np.str_],
) -> _Task | NotMeasured:
    """Leave out what too few subjects have."""
    people = {str(value): len(np.unique(names[labels == value])) for value in np.unique(labels)}
    kept = [value for value, n in people.items() if n >= MIN_SUBJECTS]
    if len(kept) < 2:
        # A value that few have may say who they are: counted, not named.
        told = " and ".join(str(n) for n in sorted(people.values(), reverse=True)[:2])
        return NotMeasured(
            f"too few subjects: two values need {MIN_SUBJECTS} each, the commonest have {told}"
        )
    rows = np.isin(labels, kept)
    subject = group(names[rows]).index
    label = np.searchsorted(kept, labels[rows])
    left_out = {value: n for value, n in people.items() if value not in kept}
    learnt, met = (np.asarray(some[rows], dtype=np.float64) for some in (vectors, tried))
    return _Task(learnt, met, subject, label, kept, left_out)


def _drawn(names: NDArray[np.str_], seed: int) -> NDArray[np.intp]:
    """Rows of at most so many templates of each subject, and of whole subjects up to all."""
    groups = group(names[(order := np.random.default_rng(seed).permutation(len(names)))])
    place = np.arange(len(names)) - np.repeat(groups.starts, groups.counts)
    rows = groups.order[place < MOST_TEMPLATES]
    rank = np.random.default_rng(seed + 1).permutation(groups.n_subjects)
    by_draw = rows[np.argsort(rank[groups.index[rows]], kind="stable")][:MOST_ROWS]
    return np.sort(order[by_draw])


def _folds(
    task: _Task, folds: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    yield from cut.split(np.zeros(len(task.label)), task.label, task.subject)


def _fit(task: _Task, penalty: float) -> Any:
    model = Pipeline(
        [("scale", StandardScaler()), ("tell", LogisticRegression(C=penalty, max_iter=2000))]
    )
    return model.fit(task.vectors, task.label, tell__sample_weight=task.weights())


def _best_penalty(task: _Task, seed: int) -> float:
    """The one under which people left out of the training people are told best, by likelihood."""
    loss = np.zeros(len(PENALTIES))
    weights = task.weights()
    for learnt, tested in _folds(task, INNER_FOLDS, seed):
        for place, penalty in enumerate(PENALTIES):
            fitted = _fit(task.take(learnt), penalty)
            found = fitted.predict_log_proba(task.vectors[tested])
            columns = np.searchsorted(fitted.classes_, task.label[tested])
            columns = np.minimum(columns, found.shape[1] - 1)
            loss[place] -= weights[tested] @ found[np.arange(len(tested)), columns]
    return PENALTIES[int(loss.argmin())]


def _balanced(task: _Task, hits: NDArray[np.float64], seed: int) -> Interval:
    """Its interval is a bootstrap over subjects; see :func:`mean_over_subjects` for when few
    differ."""
    there = task.by_class(np.ones(len(hits)))
    right = np.divide(task.by_class(hits), there, out=np.zeros_like(there), where=there > 0)
    counted = (there > 0).astype(np.float64)
    value = float((right.sum(axis=0) / counted.sum(axis=0)).mean())
    n = len(there)
    person = right.sum(axis=1) / counted.sum(axis=1)
    _, often = np.unique(np.round(person, 12), return_counts=True)
    if n - often.max() < MIN_DIFFERING:
        return Interval(value, *clopper_pearson(value * n, n), n)
    draws = draw_counts(n, seed).astype(np.float64)
    recalls = (draws @ right) / np.maximum(draws @ counted, 1.0)
    low, high = np.percentile(recalls.mean(axis=1), [2.5, 97.5])
    return Interval(value, float(low), float(high), n)


def _permuted(task: _Task, seed: int) -> Iterator[float]:
    """Deal the classes of each subject's templates to another subject's, in any order, and measure
    again."""
    groups = group(task.subject)
    penalty = _best_penalty(task, seed)
    place = np.empty(len(task.label), dtype=np.intp)
    place[groups.order] = np.arange(len(place)) - np.repeat(groups.starts, groups.counts)
    for draw in range(PERMUTATIONS):
        random = np.random.default_rng(seed + draw)
        other = random.permutation(groups.n_subjects)[task.subject]
        dealt_out = np.lexsort((random.random(len(place)), task.subject))
        label = task.label[dealt_out[groups.starts[other] + place % groups.counts[other]]]
        dealt = replace(task, label=label)
        if (dealt.people < FOLDS).any():  # dealt to people with too few templates for it
            continue
        yield _balanced(dealt, dealt.cross_validated(seed, penalty=penalty), seed).value
