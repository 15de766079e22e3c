"""What an attacker reaches with all faces made of one person's templates, on a bench by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.judging import Cut, Judge
from audit.stress.bench import Made, Workbench
from audit.stress.enrolled import Person, divided
from audit.stress.matched import Told, Trial
from audit.stress.rows import Condition
from reports.results import Estimate, Measured

NAMES = np.array(["ann", "ann", "ann", "bea", "bea", "bea"])
HELD = [0, 1, 3, 4]  # pictures in the matcher; 2 and 5 are the probes
TEMPLATES = np.eye(6, dtype=np.float32)


def trial() -> Trial:
    """Two people with two templates each, every picture unlike all others, one judge."""
    spec = SimpleNamespace(similarity="cosine")
    backbone = SimpleNamespace(spec=spec)
    judge = Judge(
        "j", cast(Any, backbone), TEMPLATES, TEMPLATES, TEMPLATES, (Cut("1e-1", 0.9),), None
    )
    bench = SimpleNamespace(
        names=NAMES,
        judges=[judge],
        target="j",
        seed=0,
        clean=lambda _name, rows: TEMPLATES[rows],
        unseen=lambda _attack, _judge: False,
        models=SimpleNamespace(ready={"j": backbone}),
        people=SimpleNamespace(split=SimpleNamespace(threshold=np.arange(6))),
        config=SimpleNamespace(fmr=()),
    )
    people = [Person(np.array([0, 1]), np.array([2])), Person(np.array([3, 4]), np.array([5]))]
    held = divided(people, [np.array([0, 1]), np.array([0, 1])])
    said = Condition("aggregation", "centroids-any", 2)
    return Trial(cast(Workbench, bench), said, held, np.array([2, 5]))


def rates(vectors: NDArray[np.float32], found: NDArray[np.bool_]) -> tuple[float, float]:
    """Type-I and Type-II where these faces are made of the four templates held."""
    marks = np.where(found[:, None, None], 1.0, np.nan).astype(np.float32) * np.ones((1, 68, 2))
    made = Made(marks, {"j": vectors}, {}, np.empty(0, dtype=np.uint8))
    one = trial()
    told = one.any_inverted("linear", made, told_of_clean(one))
    (row,) = told.rows
    return value(row.type1["1e-1"]), value(row.type2["1e-1"])


def told_of_clean(one: Trial) -> Told:
    """What to compare with: the same templates themselves."""
    seen = np.ones((4, 68, 2), dtype=np.float32)
    made = Made(seen, {"j": TEMPLATES[HELD]}, {}, np.empty(0, dtype=np.uint8))
    base = one.recognised()
    inverted = one.inverted("linear", made)
    return Told(inverted.rows, {**base.rates, **inverted.rates})


def value(found: Estimate) -> float:
    assert isinstance(found, Measured)
    return found.value


ALL = np.ones(4, dtype=bool)


def test_a_face_that_opens_somebody_elses_template_is_no_success() -> None:
    """Every face is exactly the other person's template: of its own person nothing was gained."""
    assert rates(TEMPLATES[[3, 4, 0, 1]], ALL) == (0.0, 0.0)


@pytest.mark.parametrize(("which", "expected"), [([0, 1, 3, 4], 1.0), ([1, 0, 4, 3], 1.0)])
def test_any_template_of_the_person_counts(which: list[int], expected: float) -> None:
    assert rates(TEMPLATES[which], ALL) == (expected, 0.0)


def test_one_success_is_enough_and_a_picture_without_a_face_is_none() -> None:
    made = TEMPLATES[[2, 0, 5, 3]]  # a probe's template, and one held, of each
    assert rates(made, ALL) == (1.0, 1.0)
    found = np.array([False, True, True, False])
    assert rates(made, found) == (0.5, 0.5)
