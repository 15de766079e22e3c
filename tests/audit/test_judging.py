"""Judges that know the leaked people too well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audit.judging import Bench
from audit.verdict import JudgeStanding


def bench(*, generated: bool, learnt_from: frozenset[str]) -> Any:
    made: Any = object.__new__(Bench)
    made.people = SimpleNamespace(generated=generated)
    made.models = SimpleNamespace(target="t")
    made.subjects = np.array(["Ann", "Bob", "Ann", "Zoe"])
    made.judges = [
        SimpleNamespace(
            name=name,
            backbone=SimpleNamespace(
                learnt_from=known,
                note=note,
                spec=SimpleNamespace(name=name, may_be_unseen_judge=True),
            ),
        )
        for name, known, note in (("m", learnt_from, "small"), ("n", frozenset(), ""))
    ]
    made.familiar = dict(made._familiar())
    return made


@pytest.mark.parametrize(
    ("generated", "learnt_from", "familiar"),
    [
        (False, {"Ann", "Zoe", "Eve"}, {"m": 2}),
        (False, {"Eve"}, {}),
        (True, {"Ann"}, {}),  # generated people have names that nobody learnt
    ],
)
def test_a_judge_that_was_trained_on_leaked_people_is_found(
    generated: bool, learnt_from: set[str], familiar: dict[str, int]
) -> None:
    made = bench(generated=generated, learnt_from=frozenset(learnt_from))
    assert made.familiar == familiar


def test_the_report_says_so() -> None:
    made = bench(generated=False, learnt_from=frozenset({"Ann", "Zoe"}))
    note = made._note(made.judges[0], None)
    assert note.startswith("small; it was trained on 2 of the leaked subjects")
    assert "no unseen judge" in note


def test_a_judge_that_was_trained_on_leaked_people_is_not_unseen() -> None:
    made = bench(generated=False, learnt_from=frozenset({"Ann"}))
    learnt, other = made.judges
    assert not made.standing(learnt, []).unseen
    assert made.standing(other, []) == JudgeStanding(True)
    assert not made.standing(other, ["n"]).unseen
    elsewhere = bench(generated=False, learnt_from=frozenset({"Eve"}))
    assert elsewhere.standing(elsewhere.judges[0], []) == JudgeStanding(True)
