"""Judges that know the leaked people too well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audit.judging import Bench


def bench(*, generated: bool, learnt_from: frozenset[str]) -> Any:
    made: Any = object.__new__(Bench)
    made.people = SimpleNamespace(generated=generated)
    made.subjects = np.array(["Ann", "Bob", "Ann", "Zoe"])
    made.judges = [
        SimpleNamespace(name="m", backbone=SimpleNamespace(learnt_from=learnt_from, note="small")),
        SimpleNamespace(name="n", backbone=SimpleNamespace(learnt_from=frozenset(), note="")),
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
