"""Headline, grade and sentence, from made-up rows."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from audit.verdict import GRADES, Store, Verdict, decide, judge_of
from biometrics.backbones import dlib_resnet, eigenfaces, mobilefacenet
from reports.results import AttackResult, Estimate, Grade, JudgeResult, Measured, NotMeasured

NONE = NotMeasured(not_measured="too few subjects")
STORE = Store("dlib", 258)


def rate(value: float, low: float | None = None) -> Measured:
    low = value if low is None else low
    return Measured(value=value, low=low, high=max(value, low), n=258)


def judge(
    *, unseen: bool, reference: float | dict[str, float] = 0.9, **sar: Estimate
) -> JudgeResult:
    """``e3=...`` is the SAR at 1e-3."""
    type1 = {f"1e-{key[1:]}": value for key, value in sar.items()}
    known = reference if isinstance(reference, dict) else dict.fromkeys(type1, reference)
    references = {fmr: rate(value) for fmr, value in known.items()}
    return JudgeResult(unseen=unseen, type1=type1, type2_reference=references)


def row(name: str = "linear", **judges: JudgeResult) -> AttackResult:
    return AttackResult(
        attack=name,
        backbone="dlib",
        knowledge="pairs",
        control=name.startswith("control:"),
        n_attempts=258,
        n_failed=0,
        detection_rate=rate(1.0),
        judges=judges,
    )


def chosen(verdict: Verdict) -> tuple[str, str, str] | None:
    head = verdict.headline
    return None if head is None else (head.attack, head.judge, head.fmr)


OWN = judge(unseen=False, e2=rate(0.99), e3=rate(0.97))
UNSEEN = judge(unseen=True, e2=rate(0.6), e3=rate(0.4))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(dlib=OWN, mobilefacenet=UNSEEN)], ("linear", "mobilefacenet", "1e-3")),
        ([row(dlib=OWN)], None),
        ([row(dlib=OWN, eigenfaces=judge(unseen=False, e3=rate(1.0)))], None),
        # A control is no attack, however well it does.
        (
            [row("control:nearest", m=judge(unseen=True, e3=rate(0.9))), row(m=UNSEEN)],
            ("linear", "m", "1e-3"),
        ),
        # The strongest of several attacks and judges.
        (
            [row(m=UNSEEN), row("other", m=judge(unseen=True, e3=rate(0.5)), n=UNSEEN)],
            ("other", "m", "1e-3"),
        ),
        # A judge that knows fewer than half of the genuine pairs is no judge.
        ([row(dlib=OWN, m=judge(unseen=True, reference=0.499, e3=rate(0.4)))], None),
        (
            [row(dlib=OWN, m=judge(unseen=True, reference=0.5, e3=rate(0.4)))],
            ("linear", "m", "1e-3"),
        ),
        # ... at that FMR: at a milder one it may be.
        (
            [
                row(
                    m=judge(
                        unseen=True,
                        reference={"1e-2": 0.6, "1e-3": 0.3},
                        e2=rate(0.5),
                        e3=rate(0.4),
                    )
                )
            ],
            ("linear", "m", "1e-2"),
        ),
        # 1e-3 where it was measured, else the strictest above it; never one below.
        ([row(m=judge(unseen=True, e2=rate(0.9), e3=NONE))], ("linear", "m", "1e-2")),
        (
            [row(m=judge(unseen=True, e2=rate(0.9), e3=rate(0.5), e4=rate(0.3)))],
            ("linear", "m", "1e-3"),
        ),
        ([row(m=judge(unseen=True, e4=rate(0.3)))], None),
        # Without a reference nobody knows whether the judge is weak.
        ([row(m=JudgeResult(unseen=True, type1={"1e-3": rate(0.9)}))], None),
    ],
)
def test_the_headline(rows: list[AttackResult], expected: tuple[str, str, str] | None) -> None:
    assert chosen(decide(rows, STORE)) == expected


@pytest.mark.parametrize(
    ("low", "grade"),
    [
        (0.0, "A"),
        (0.01, "A"),
        (0.0101, "B"),
        (0.05, "B"),
        (0.2, "C"),
        (0.5, "D"),
        (0.8, "E"),
        (0.81, "F"),
        (1.0, "F"),
    ],
)
def test_the_grade_is_that_of_the_lower_limit(low: float, grade: str) -> None:
    unseen = judge(unseen=True, e3=rate(1.0, low))
    assert decide([row(dlib=OWN, m=unseen)], STORE).grade == grade


@pytest.mark.parametrize(("low", "grade"), [(0.0, "C"), (0.2, "C"), (0.3, "D"), (0.9, "F")])
def test_the_attacked_model_alone_certifies_nothing(low: float, grade: str) -> None:
    found = decide([row(dlib=judge(unseen=False, e3=rate(1.0, low)))], STORE)
    assert (found.grade, found.headline) == (grade, None)
    assert "own model only" in found.sentence
    assert "without an unseen judge C is the best grade" in found.grade_reason


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([row()], "no judge was ready"),
        ([row(dlib=judge(unseen=False, e2=NONE, e3=NONE))], "too few people to set a threshold"),
        ([row(eigenfaces=judge(unseen=False, e3=rate(1.0)))], "neither dlib itself nor an unseen"),
        ([row(dlib=judge(unseen=False, e4=rate(0.5)))], "a verdict needs FMR 1e-3 or a higher one"),
        (
            [row(m=judge(unseen=True, reference=0.2, e3=rate(0.5)))],
            "no judge that counts was measured at FMR 1e-3",
        ),
    ],
)
def test_what_cannot_be_graded_says_why(rows: list[AttackResult], why: str) -> None:
    found = decide(rows, STORE)
    assert (found.grade, found.headline) == ("not graded", None)
    assert why in found.grade_reason
    assert why in found.sentence


def test_the_sentence_says_what_the_number_means() -> None:
    said = decide([row(dlib=OWN, mobilefacenet=UNSEEN)], STORE).sentence
    assert said == (
        "About 40 % of the 258 people in this store would be accepted by mobilefacenet, which the "
        "attack never saw, from a face rebuilt out of their dlib template and injected without a "
        "liveness check, at a false match rate of 1 in 1,000."
    )


def test_the_sentence_knows_generated_people_and_quick_runs() -> None:
    said = decide([row(dlib=OWN)], replace(STORE, generated=True, quick=True)).sentence
    assert "of the 258 generated people (who are nobody)" in said
    assert said.endswith(
        "This was a quick run, on a part of the data: a full one may well find more."
    )


def test_the_sentence_knows_draws_and_templates_of_nobody_knows_whom() -> None:
    drawn = decide([row(dlib=OWN)], Store("dlib", 9, drawn=True)).sentence
    assert "9 people drawn from this store" in drawn
    alone = decide([row(dlib=OWN)], Store("dlib", 9, unnamed=9)).sentence
    assert "9 templates (whose, nobody says) in this store" in alone
    some = decide([row(dlib=OWN)], Store("dlib", 9, unnamed=8)).sentence
    assert "of the 1 person and 8 templates of nobody named in this store" in some


def test_who_may_speak_for_others() -> None:
    specs = (dlib_resnet.SPEC, mobilefacenet.SPEC, eigenfaces.SPEC)
    assert [judge_of(spec, "dlib").unseen for spec in specs] == [False, True, False]
    assert [judge_of(spec, "mobilefacenet").unseen for spec in specs] == [True, False, False]
    consulted = judge_of(dlib_resnet.SPEC, "mobilefacenet", ["dlib"])
    assert not consulted.unseen
    assert "choosing" in consulted.why_not
    assert judge_of(dlib_resnet.SPEC, "dlib").why_not == "it is the attacked model"
    assert judge_of(eigenfaces.SPEC, "dlib").why_not == "it is a control"


def test_grades_are_those_of_the_schema() -> None:
    assert {*GRADES, "not graded"} == set(get_args(Grade))


def test_everybodys_face_is_flagged_above_three_times_the_fmr() -> None:
    def flagged(value: float) -> bool:
        found = JudgeResult(unseen=True, reconstruction_fmr={"1e-3": rate(value)})
        return found.everybody("1e-3")

    assert (flagged(0.003), flagged(0.0031)) == (False, True)


@pytest.mark.parametrize(("value", "part"), [(0.0, "None"), (0.996, "About 99.6 %"), (1.0, "All")])
def test_the_sentence_keeps_all_and_none_for_when_they_are_true(value: float, part: str) -> None:
    rows = [row(dlib=judge(unseen=False, e3=rate(value)))]
    assert decide(rows, STORE).sentence.startswith(f"{part} of the 258 people in this store")


@pytest.mark.parametrize(
    ("judge", "target", "unseen"),
    [
        ("facenet-vggface2-pooled", "facenet-vggface2", False),
        ("facenet-vggface2", "facenet-vggface2-pooled", False),
        ("vggface-pooled", "vggface", False),
        ("facenet-casia", "facenet-vggface2", True),
        ("facenet-casia-pooled", "facenet-vggface2-pooled", True),
        ("resnet50-vggface2-arcface", "resnet50-vggface2", True),
    ],
)
def test_variants_of_one_network_judge_each_other_as_themselves(
    judge: str, target: str, unseen: bool
) -> None:
    spec = replace(dlib_resnet.SPEC, name=judge)
    assert judge_of(spec, target).unseen is unseen
    assert judge_of(spec, "dlib", [target]).unseen is unseen
