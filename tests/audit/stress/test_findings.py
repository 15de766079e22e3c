from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.stress.findings import stress_findings
from audit.stress.rules import Outcome, Rule, Rules, load_rules
from biometrics.errors import ConfigError
from reports.results import (
    STRESS_FAMILIES,
    Estimate,
    Finding,
    Measured,
    NotMeasured,
    StressFamily,
    StressResult,
)
from reports.stress_select import CHANGES, MEASURES
from reports.stress_words import told_of
from tests.reports import stress_factory as made

RULES = load_rules()
ALL = [(family, rule) for family in STRESS_FAMILIES for rule in RULES[family]]
OUTCOMES = [(family, rule, i) for family, rule in ALL for i in range(len(rule.outcomes))]


def measured(value: float, width: float) -> Measured:
    return Measured(value=value, low=value - width, high=value + width, n=37)


def chosen(rule: Rule, outcome: Outcome) -> Measured:
    """A number for which an outcome holds: its interval just within the limits."""
    when = outcome.when
    limits = [o.when for o in rule.outcomes if o.when is not None]
    if when is None:  # whatever is left: an interval over all limits
        ends = [end for w in limits for end in (w.above, w.below) if end is not None] or [0.0]
        low, high = min(ends) - 0.001, max(ends) + 0.001
        return Measured(value=(low + high) / 2, low=low, high=high, n=37)
    value = (when.above + 0.002) if when.above is not None else (when.below or 0.0) - 0.002
    return measured(value, 0.001)


def rows_for(family: StressFamily, rule: Rule, value: Estimate, backbone: str = "dlib") -> Any:
    """A clean row and one that the rule picks, with that number; a judge that speaks for it."""
    select = rule.select
    judge = backbone if select.judge == "own" else "other"
    base: dict[str, Any] = {
        "family": family,
        "backbone": backbone,
        "judge": judge,
        "unseen": select.judge == "unseen",
        "attack": "" if select.attack == "recognition" else select.by or "linear",
    }
    name = select.perturbation[0].replace("*", "any")
    told: dict[str, Any] = {
        "perturbation": name,
        "label": f"{name} done",
        "strength": 3.0 if select.strength is None else select.strength,
        "repaired": select.repaired,
    }
    clean: dict[str, Any] = {"perturbation": "none", "label": "clean"}
    if rule.measure.startswith(MEASURES):
        measure = rule.measure.removeprefix(MEASURES).replace("{fmr}", "1e-3")
        told["measures"] = {measure: value}
        clean["measures"] = {measure: measured(0.777, 0.01)}
    else:
        told[rule.measure] = {"1e-2": value, "1e-3": value}
    for rate, change in CHANGES.items():
        if change == rule.measure:
            told[rate] = {"1e-3": measured(0.123, 0.01)}
    if not rule.measure.startswith(MEASURES):
        rate = next((r for r, c in CHANGES.items() if c == rule.measure), rule.measure)
        clean[rate] = {"1e-3": measured(0.777, 0.01)}
    first = [] if name == "none" else [StressResult(**base, **clean)]
    told_row = StressResult(**base, **told)
    plain = [told_row.model_copy(update={"repaired": False})] if select.repaired else []
    return [*first, *plain, told_row]


def only(rule: Rule, family: StressFamily) -> Rules:
    return {**RULES, family: [rule]}


def found(family: StressFamily, rule: Rule, rows: list[StressResult]) -> Finding:
    (finding,) = stress_findings(rows, only(rule, family))
    return finding


@pytest.mark.parametrize(
    ("family", "rule", "i"), OUTCOMES, ids=[f"{f}.{r.name}.{i}" for f, r, i in OUTCOMES]
)
def test_every_outcome_of_every_rule_is_reached(family: StressFamily, rule: Rule, i: int) -> None:
    outcome = rule.outcomes[i]
    finding = found(family, rule, rows_for(family, rule, chosen(rule, outcome)))
    assert finding.id == f"stress.{family}.{rule.name}"
    assert finding.severity == outcome.severity
    assert finding.title.startswith(outcome.says.split("{")[0])
    assert finding.recommendation == outcome.recommendation
    assert finding.clauses == list(outcome.clauses)
    assert "dlib" in finding.title
    assert "n = 37" in finding.title
    assert "{" not in finding.title
    assert "not measured" not in finding.title
    assert chosen(rule, outcome) in finding.evidence.values()


@pytest.mark.parametrize(("family", "rule"), ALL, ids=[f"{f}.{r.name}" for f, r in ALL])
def test_what_was_not_measured_says_why(family: StressFamily, rule: Rule) -> None:
    why = NotMeasured(not_measured="nobody has a second picture")
    finding = found(family, rule, rows_for(family, rule, why))
    assert finding.severity == "info"
    assert finding.title.startswith(rule.missing)
    assert "(dlib: nobody has a second picture)." in finding.title
    assert finding.recommendation == ""


def rule_of(**changes: Any) -> Rule:
    fields: dict[str, Any] = {
        "name": "some",
        "select": {"perturbation": "blur", "attack": "inversion"},
        "measure": "difference",
        "each": "{backbone} {clean_value} {now_value} {value} {low} {high} {n} {judge} {label}",
        "missing": "Nothing",
        "outcomes": [
            {"when": {"below": 0}, "severity": "high", "says": "Less: {each}"},
            {"when": {"above": 0}, "severity": "low", "says": "More: {each}"},
            {"severity": "info", "says": "No clear change: {each}, {fmr}, {label}"},
        ],
    }
    return Rule.model_validate(fields | changes)


def blurred(change: Estimate, backbone: str = "dlib", **fields: Any) -> list[StressResult]:
    base: dict[str, Any] = {"family": "quality", "backbone": backbone, "judge": backbone}
    base |= {"attack": "linear"} | fields
    return [
        StressResult(perturbation="none", type1={"1e-3": measured(0.8, 0.1)}, **base),
        StressResult(
            perturbation="blur",
            label="a blur",
            type1={"1e-3": measured(0.5, 0.1)},
            difference={"1e-3": change},
            **base,
        ),
    ]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.2, -0.001, "Less"),
        (-0.2, 0.0, "No clear change"),
        (-0.2, 0.1, "No clear change"),
        (0.0, 0.1, "No clear change"),
        (0.001, 0.1, "More"),
    ],
)
def test_intervals_decide_and_not_values(low: float, high: float, said: str) -> None:
    value = Measured(value=(low + high) / 2, low=low, high=high, n=9)
    assert found("quality", rule_of(), blurred(value)).title.startswith(said)


def test_without_an_interval_nothing_is_clear() -> None:
    finding = found("quality", rule_of(), blurred(Measured(value=-0.5, n=9)))
    assert finding.title.startswith("No clear change")
    assert "no interval" in finding.title


def test_numbers_stand_in_the_sentence_and_in_the_evidence() -> None:
    finding = found("quality", rule_of(), blurred(measured(-0.3, 0.1)))
    said = finding.title.replace("\u00a0", " ")
    assert (
        said == "Less: dlib 80.0 % 50.0 % \u221230.0 pp \u221240.0 pp \u221220.0 pp 37 dlib a blur."
    )
    assert list(finding.evidence.values()) == [
        measured(-0.3, 0.1),
        measured(0.8, 0.1),
        measured(0.5, 0.1),
    ]


def test_backbones_of_one_outcome_share_a_clause_and_the_worst_severity_counts() -> None:
    rows = [
        *blurred(measured(0.01, 0.1), "dlib"),
        *blurred(measured(-0.3, 0.1), "lbp"),
        *blurred(measured(0.0, 0.1), "arcface"),
        *blurred(NotMeasured(not_measured="no face"), "eigenfaces"),
    ]
    finding = found("quality", rule_of(each="{backbone}"), rows)
    assert finding.severity == "high"
    said = (
        "Less: lbp; no clear change: dlib and arcface, 0.1 %, a blur; "
        "nothing (eigenfaces: no face)."
    )
    assert finding.title.replace("\u00a0", " ") == said


def test_rows_of_others_are_left_alone() -> None:
    """Another judge, a repaired row, another family, a later attack and another perturbation."""
    true, false = measured(-0.3, 0.1), measured(0.3, 0.1)
    others: list[dict[str, Any]] = [
        {"judge": "lbp", "unseen": True},
        {"repaired": True},
        {"family": "occlusion"},
        {"attack": ""},
    ]
    rows = [row for fields in others for row in blurred(false, **fields)]
    rows += [*blurred(true), *blurred(false, attack="later")]
    findings = stress_findings(rows, {**RULES, "quality": [rule_of()]})
    (told,) = [f for f in findings if f.id == "stress.quality.some"]
    assert told.title.startswith("Less")
    unseen = rule_of(select={"perturbation": "blur", "judge": "unseen"})
    (told,) = [f for f in stress_findings(rows, {**RULES, "quality": [unseen]}) if "some" in f.id]
    assert told.title.startswith("More")


@pytest.mark.parametrize(
    ("pick", "label"), [("largest", "8"), ("smallest", "1"), ("highest", "2"), ("lowest", "4")]
)
def test_one_of_several_strengths_is_picked(pick: str, label: str) -> None:
    values = {1.0: -0.2, 2.0: -0.1, 4.0: -0.4, 8.0: -0.3}
    rows = [
        row.model_copy(update={"strength": s, "label": f"{s:g}"})
        for s, value in values.items()
        for row in blurred(measured(value, 0.05))[1:]
    ]
    unknown = blurred(NotMeasured(not_measured="none"))[1].model_copy(update={"strength": 9.0})
    select = {"perturbation": "bl*", "pick": pick}
    finding = found("quality", rule_of(select=select, each="{label}"), [unknown, *rows])
    assert finding.title == f"Less: {label}."


def test_the_headline_fmr_is_told_else_the_strictest_that_was_measured() -> None:
    few = NotMeasured(not_measured="too few pairs")
    rows = blurred(measured(0.0, 0.1))
    told = {"1e-1": measured(0.0, 0.1), "1e-2": measured(0.0, 0.2), "1e-3": few}
    other = [rows[0], rows[1].model_copy(update={"difference": told})]
    assert "0.1 %, a blur" in found("quality", rule_of(), rows).title.replace("\u00a0", " ")
    assert ", 1 %, a blur" in found("quality", rule_of(), other).title.replace("\u00a0", " ")


def test_a_section_tells_the_first_three_that_were_measured() -> None:
    findings = stress_findings(made.rows(), RULES)
    document = made.document(findings=findings)
    for family in STRESS_FAMILIES:
        told = told_of(document, family)
        assert len(told) == 3
        own = [f for f in findings if f.id.startswith(f"stress.{family}.")]
        assert [f for f in own if f in told] == told
        silent = [f for f in own if not any(isinstance(v, Measured) for v in f.evidence.values())]
        assert len(own) - len(silent) < 3 or not any(f in told for f in silent)


def test_families_without_rows_have_no_findings() -> None:
    assert stress_findings([], RULES) == []
    findings = stress_findings(made.geometry(), RULES)
    assert {f.id.split(".")[1] for f in findings} == {"geometry"}


BAD = {
    "extra: 1": "extra",
    "families.geometry.0.colour: red": "families.geometry.0.colour",
    "families.geometry.0.select.angle: 3": "families.geometry.0.select.angle",
    "families.geometry.0.measure: type3": "no measure 'type3'",
    "families.geometry.0.each: '{name}'": "unknown placeholder '{name}'",
    "families.geometry.0.each: '{value'": "expected '}'",
    "families.geometry.0.outcomes.0.says: '{value}'": "unknown placeholder '{value}'",
    "families.geometry.0.outcomes.0.when: {}": "expected above, below or both",
    "families.geometry.0.outcomes.0.when: null": "no other, has no 'when'",
    "families.geometry.0.outcomes.0.severity: bad": "severity",
    "families.geometry.1.name: map": "two rules of one name",
    "families.geometry: []": "families.geometry",
    "families.colour: []": "families.colour",
}


@pytest.mark.parametrize(("change", "said"), BAD.items(), ids=list(BAD))
def test_rules_that_do_not_fit_are_refused_in_one_line(
    tmp_path: Path, change: str, said: str
) -> None:
    policy = Path(__file__).parents[3] / "configs" / "policy" / "stress.yaml"
    document = yaml.safe_load(policy.read_text())
    key, _, value = change.partition(": ")
    *parts, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    inner = document
    for part in parts:
        inner = inner[part]
    inner[last] = yaml.safe_load(value)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith("mine.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_family_without_rules_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("date: 1\nfamilies: {}\n")
    with pytest.raises(ConfigError, match="no rules for 'occlusion'"):
        load_rules(path)
    path.write_text("a: [\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: not YAML") as caught:
        load_rules(path)
    assert "\n" not in str(caught.value)


def test_a_row_that_holds_only_why_gives_the_reason() -> None:
    silent = StressResult(
        family="adversarial",
        perturbation="none",
        attack="",
        backbone="lbp",
        judge="lbp",
        note="gradients do not pass through lbp",
    )
    for finding in stress_findings([silent], RULES):
        assert finding.severity == "info"
    titles = [f.title for f in stress_findings([silent], RULES)]
    assert any("(lbp: gradients do not pass through lbp)" in title for title in titles)
