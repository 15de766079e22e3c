"""Which backbone leaks most: the common judge, ranks and ties, on runs made up for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.compared_run import ComparedRun
from audit.config import AuditConfig
from audit.outcomes import Column, Outcomes
from audit.ranking import (
    CommonJudge,
    Standing,
    common_judge,
    compare_rows,
    differences,
    is_clear,
    standing,
)
from reports.results import (
    AttackResult,
    BackboneResult,
    Headline,
    JudgeResult,
    Measured,
    NotMeasured,
    Provenance,
    Results,
    Seconds,
)

PEOPLE = 60
FEW = NotMeasured(not_measured="too few people")


def measured(values: np.ndarray) -> Measured:
    return Measured(value=float(values.mean()), low=0.0, high=1.0, n=len(values))


def outcome(share: float, seed: int = 0) -> np.ndarray:
    """Whether each person is accepted; larger shares accept the same people and more."""
    order = np.random.default_rng(seed).permutation(PEOPLE)
    return (order < round(share * PEOPLE)).astype(float)


class Told:
    """One attack's judge in a run: Type-I of every person, its standing and reference."""

    def __init__(
        self, values: np.ndarray | None, *, unseen: bool = True, reference: float = 0.9
    ) -> None:
        self.values, self.unseen, self.reference = values, unseen, reference

    def result(self) -> JudgeResult:
        sar = FEW if self.values is None else measured(self.values)
        known = Measured(value=self.reference, low=0.0, high=1.0, n=PEOPLE)
        return JudgeResult(
            unseen=self.unseen,
            type1={"1e-3": sar, "1e-2": sar},
            type2={"1e-3": sar, "1e-2": sar},
            type2_reference={"1e-3": known, "1e-2": known},
        )


def run(target: str, told: dict[str, dict[str, Told]], **more: object) -> ComparedRun:
    """A run of attacks ``{attack: {judge: Told}}``."""
    judges = tuple(dict.fromkeys(j for judges in told.values() for j in judges))
    columns: dict[Column, np.ndarray] = {}
    for attack, by_judge in told.items():
        columns[Column(attack, "", "psnr_crop", "")] = np.linspace(10, 20, PEOPLE)
        for judge, said in by_judge.items():
            for fmr in ("1e-3", "1e-2"):
                if said.values is not None:
                    columns[Column(attack, judge, "type1", fmr)] = said.values
    backbone = BackboneResult(
        dim=4,
        similarity="cosine",
        differentiable=True,
        licence="none",
        thresholds={},
        tmr={"1e-3": measured(outcome(0.5))},
        realised_fmr={},
    )
    results = Results(
        title=target,
        created="2026-01-31T12:00:00Z",
        target=target,
        provenance=Provenance(faceleak="0", python="3", device="CPU", seed=7),
        backbones=dict.fromkeys(judges, backbone),
        attacks=[
            AttackResult(
                attack=name,
                backbone=target,
                knowledge="pairs",
                control=name.startswith("control:"),
                n_attempts=PEOPLE,
                n_failed=0,
                detection_rate=measured(outcome(1.0)),
                judges={j: said.result() for j, said in by_judge.items()},
                image={"psnr_crop": Measured(value=15.0, low=14.0, high=16.0, n=PEOPLE)},
                seconds=Seconds(fit=0, invert=0),
            )
            for name, by_judge in told.items()
        ],
        **more,  # type: ignore[arg-type]
    )
    config = AuditConfig.model_validate(
        {
            "target": target,
            "judges": judges,
            "faces": {"path": "/none"},
            "fmr": ["1e-2", "1e-3"],
            "attacks": [n for n in told if not n.startswith("control:")],
        }
    )
    people = tuple(f"S-{i:03d}" for i in range(PEOPLE))
    return ComparedRun(target, Path(target), config, results, Outcomes(people, columns))


def ranked(runs: list[ComparedRun], common: CommonJudge | None) -> dict[str, int]:
    rows = compare_rows(runs, {r.name: standing(r, common) for r in runs})
    assert [row.name for row in rows] == [
        r.name for r in sorted(rows, key=lambda r: -getattr(r.headline, "value", -1.0))
    ]
    return {row.name: row.rank for row in rows}


def test_the_judge_is_one_that_no_attack_saw_and_that_knows_people() -> None:
    good = outcome(0.7)
    a = run("a", {"x": {"a": Told(good, unseen=False), "m": Told(good), "n": Told(good)}})
    b = run("b", {"x": {"a": Told(good), "m": Told(good, reference=0.8), "n": Told(good)}})
    assert common_judge([a, b]) == CommonJudge("n", "1e-3")  # better references throughout
    weak = run("c", {"x": {"m": Told(good, reference=0.4), "n": Told(good, unseen=False)}})
    assert common_judge([a, weak]) is None
    assert common_judge([a, run("d", {"x": {"m": Told(None), "n": Told(None)}})]) is None


def test_a_judge_too_weak_at_the_first_fmr_speaks_at_a_higher_one() -> None:
    def told(reference: float) -> ComparedRun:
        made = run("a", {"x": {"m": Told(outcome(0.7))}})
        judge = made.results.attacks[0].judges["m"]
        judge.type2_reference["1e-3"] = Measured(value=reference, low=0, high=1, n=PEOPLE)
        return made

    assert common_judge([told(0.6)]) == CommonJudge("m", "1e-3")
    assert common_judge([told(0.45)]) == CommonJudge("m", "1e-2")


def test_a_run_is_ranked_by_its_strongest_attack_and_controls_do_not_count() -> None:
    told = {
        "weak": {"m": Told(outcome(0.2))},
        "strong": {"m": Told(outcome(0.6))},
        "seen": {"m": Told(outcome(0.9), unseen=False)},
        "control:random": {"m": Told(outcome(1.0))},
    }
    assert standing(run("a", told), CommonJudge("m", "1e-3")) == Standing("m", "strong", "1e-3")


def test_without_a_common_judge_a_row_has_its_own() -> None:
    own = {"x": {"a": Told(outcome(0.4), unseen=False), "m": Told(outcome(0.3), unseen=False)}}
    assert standing(run("a", own), None) == Standing("a", "x", "1e-3")
    headline = Headline(attack="x", judge="m", fmr="1e-2", sar=measured(outcome(0.3)))
    assert standing(run("a", own, headline=headline), None) == Standing("m", "x", "1e-2")
    assert standing(run("a", {"x": {"m": Told(None)}}), None) is None


def test_ranks_and_ties() -> None:
    """Equal shares of other people are told apart by nothing, a clear lead by the paired interval:
    the same people and a sixth more leaves 0 out, though both intervals overlap."""
    common = CommonJudge("m", "1e-3")
    shares = {"a": (0.50, 0), "b": (0.33, 0), "c": (0.48, 5), "d": (0.05, 0)}
    runs = [run(n, {"x": {"m": Told(outcome(*s))}}) for n, s in shares.items()]
    assert ranked(runs, common) == {"a": 1, "c": 1, "b": 3, "d": 4}
    assert ranked(runs[:2], common) == {"a": 1, "b": 2}


def test_a_run_without_figures_is_not_ranked() -> None:
    runs = [run("a", {"x": {"m": Told(outcome(0.5))}}), run("b", {"x": {"m": Told(None)}})]
    assert ranked(runs, CommonJudge("m", "1e-3")) == {"a": 1, "b": 0}


def test_differences_are_paired_and_mirror() -> None:
    common = CommonJudge("m", "1e-3")
    a = run("a", {"x": {"m": Told(outcome(0.5))}})
    b = run("b", {"x": {"m": Told(outcome(0.33))}})
    rows = compare_rows([a, b], {r.name: standing(r, common) for r in (a, b)})
    by_name = {"a": a, "b": b}
    places = {name: standing(r, common) for name, r in by_name.items()}
    (found,) = differences(rows, by_name, places)
    assert (found.left, found.right) == ("a", "b")
    sar = found.sar["1e-3"]
    assert isinstance(sar, Measured)
    assert sar.value == pytest.approx(10 / 60)
    assert is_clear(sar)
    assert found.image["psnr_crop"].value == 0.0  # type: ignore[union-attr]
    (turned,) = differences(rows[::-1], by_name, places)
    assert turned.sar["1e-3"].value == pytest.approx(-10 / 60)  # type: ignore[union-attr]


def test_rows_of_different_judges_have_no_difference() -> None:
    a = run("a", {"x": {"a": Told(outcome(0.5), unseen=False)}})
    b = run("b", {"x": {"b": Told(outcome(0.1), unseen=False)}})
    places = {"a": standing(a, None), "b": standing(b, None)}
    rows = compare_rows([a, b], places)
    (found,) = differences(rows, {"a": a, "b": b}, places)
    assert found.sar["1e-3"] == NotMeasured(not_measured="judged by a and by b")
    assert [row.rank for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("low", "high", "clear"), [(0.01, 0.2, True), (-0.2, -0.01, True), (-0.1, 0.1, False)]
)
def test_a_difference_is_clear_where_its_interval_leaves_0_out(
    low: float, high: float, clear: bool
) -> None:
    assert is_clear(Measured(value=(low + high) / 2, low=low, high=high, n=5)) is clear
    assert not is_clear(Measured(value=0.0, n=1))
