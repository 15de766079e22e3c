from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.search_settings import SearchSettings
from audit.search_trials import Known, Trial, make_trials
from biometrics.metrics.scores import Similarity, paired_similarity

DIM = 12
KINDS: tuple[Similarity, ...] = ("cosine", "l2")


def people(seed: int, counts: list[int], kind: Similarity = "l2") -> Known:
    """Leaked subjects with so many templates each, and 40 attackers' with two."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat([f"s{i:02d}" for i in range(len(counts))], counts)
    order = rng.permutation(len(subjects))
    centres = rng.normal(size=(len(counts), DIM))[np.repeat(np.arange(len(counts)), counts)]
    leaked = centres + 0.3 * rng.normal(size=centres.shape)
    return Known(
        leaked=leaked[order].astype(np.float32),
        subjects=subjects[order],
        attacker=rng.normal(size=(80, DIM)).astype(np.float32),
        attacker_subjects=np.repeat([f"a{i}" for i in range(40)], 2),
        similarity=kind,
    )


SETTINGS = SearchSettings(scores=(4, DIM + 1, 90), decimals=(None, 2), subjects=15)
COUNTS = [1, 1, 2, 3, 4, 5] + [6] * 11 + [8] * 6


def by_way(trials: list[Trial]) -> dict[tuple[Any, ...], Trial]:
    return {tuple(trial.way): trial for trial in trials}


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_is_tried_in_order(kind: Similarity) -> None:
    trials = make_trials(SETTINGS, people(0, COUNTS, kind), 5)
    assert [tuple(trial.way) for trial in trials] == [
        ("scores", None, None, 1),
        *(("scores", n, d, 1) for d in (None, 2) for n in (4, DIM + 1, 90)),
        *(("fusion", None, None, k) for k in (1, 3, 5)),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_scores_lead_to_the_templates_of_one_picture_of_each_drawn_subject(
    kind: Similarity,
) -> None:
    known = people(0, COUNTS, kind)
    trials = by_way(make_trials(SETTINGS, known, 5))
    itself = trials["scores", None, None, 1]
    assert len(itself.vectors) == 15
    np.testing.assert_array_equal(itself.vectors, known.leaked[itself.own.second])
    np.testing.assert_array_equal(itself.own.first, np.arange(15))
    assert len(set(known.subjects[itself.own.second])) == 15
    likeness = {
        way[1:3]: paired_similarity(trial.vectors, itself.vectors, kind).mean()
        for way, trial in trials.items()
        if way[0] == "scores" and not trial.why_not
    }
    best = 1.0 if kind == "cosine" else 0.0
    assert likeness[DIM + 1, None] == pytest.approx(best, abs=1e-3)
    for decimals in (None, 2):
        assert likeness[4, decimals] < likeness[DIM + 1, decimals] < best + 1e-6
    assert likeness[DIM + 1, 2] < likeness[DIM + 1, None] - 1e-4


def test_more_scores_than_faces_are_not_measured_and_say_why() -> None:
    trials = by_way(make_trials(SETTINGS, people(0, COUNTS), 5))
    for decimals in (None, 2):
        trial = trials["scores", 90, decimals, 1]
        assert trial.why_not == "the attacker has 80 faces to compare with"
        assert len(trial.vectors) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_fusions_differ_in_the_number_of_templates_alone(kind: Similarity) -> None:
    known = people(1, COUNTS, kind)
    trials = by_way(make_trials(SETTINGS, known, 5))
    fused = {k: trials["fusion", None, None, k] for k in (1, 3, 5)}
    subjects = {}
    for k, trial in fused.items():
        first, second = trial.own
        assert np.bincount(first).tolist() == [k] * 15
        rows = second.reshape(15, k)
        names = known.subjects[rows]
        assert (names == names[:, :1]).all()
        subjects[k] = names[:, 0].tolist()
        assert len(set(second.tolist())) == 15 * k
        if kind == "l2":
            np.testing.assert_allclose(trial.vectors, known.leaked[rows].mean(axis=1), rtol=1e-5)
        others = trial.others
        assert not set(others.second) & set(fused[5].own.second)
        np.testing.assert_array_equal(known.subjects[others.second], names[others.first, 0])
        left = [(known.subjects == name).sum() - 5 for name in names[:, 0]]
        assert np.bincount(others.first).tolist() == left
    assert subjects[1] == subjects[3] == subjects[5]
    assert set(fused[1].own.second) < set(fused[3].own.second) < set(fused[5].own.second)


def test_fusions_that_too_few_subjects_allow_are_not_measured() -> None:
    trials = by_way(make_trials(SETTINGS, people(1, [4] * 12), 5))
    assert trials["fusion", None, None, 5].why_not == (
        "fewer than 10 leaked subjects have more than 5 pictures"
    )
    three = trials["fusion", None, None, 3]
    assert not three.why_not
    assert np.bincount(three.others.first).tolist() == [1] * 12
    alone = by_way(make_trials(SETTINGS, people(1, [1] * 12), 5))
    assert all(alone["fusion", None, None, k].why_not for k in (1, 3, 5))
    assert len(alone["scores", None, None, 1].others.first) == 0


@settings(deadline=None, max_examples=30, derandomize=True)
@given(counts=st.lists(st.integers(1, 7), min_size=2, max_size=30), seed=st.integers(0, 2**16))
def test_others_are_all_pictures_of_the_subject_that_no_template_came_from(
    counts: list[int], seed: int
) -> None:
    known = people(seed, counts)
    for trial in make_trials(with_scores((3,)), known, seed):
        names = {int(i): known.subjects[row] for i, row in zip(*trial.own, strict=True)}
        pairs = {(int(i), int(row)) for i, row in zip(*trial.others, strict=True)}
        assert all(known.subjects[row] == names[i] for i, row in pairs)
        assert not {row for _, row in pairs} & {int(row) for row in trial.own.second}
        if trial.way.part == "scores":
            expected = {
                (i, row)
                for i, name in names.items()
                for row in np.flatnonzero(known.subjects == name).tolist()
                if row not in trial.own.second
            }
            assert pairs == expected


def with_scores(scores: tuple[int, ...]) -> SearchSettings:
    return SearchSettings(scores=scores, decimals=(None,), subjects=200)


def test_the_seed_draws_and_nothing_else() -> None:
    known = people(2, COUNTS)
    first, again, other = (make_trials(SETTINGS, known, seed) for seed in (5, 5, 6))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.vectors, b.vectors)
        np.testing.assert_array_equal(a.others.second, b.others.second)
    assert first[0].own.second.tolist() != other[0].own.second.tolist()
    same = make_trials(SETTINGS.model_copy(update={"scores": (DIM + 1, 4)}), known, 5)
    np.testing.assert_array_equal(first[1].vectors, same[2].vectors)
