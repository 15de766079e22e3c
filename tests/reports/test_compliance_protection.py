"""What rows about protection say to the tables of laws and standards."""

from __future__ import annotations

from typing import Any

import pytest

from reports.compliance import compliance_context
from reports.compliance.evaluate import Decision, judge_row
from reports.compliance.found import targets
from reports.compliance.select import QUICK, Selector, evidence_for
from reports.compliance.tables import shipped_sources
from reports.results import Estimate, Linkage, Measured, NotMeasured, ProtectionResult, Results
from tests.reports import factory
from tests.reports import protection_factory as made
from tests.reports.factory import rate

LINKED = "iso24745.unlinkability-protected"
RENEWED = "iso24745.renewability"
HELD = "iso24745.irreversibility-protected"
CHANCE = 0.08  # upper end of what chance gives
INSIDE = Measured(value=0.05, low=0.03, high=0.07, n=99)


def decided(row_id: str, rows: list[ProtectionResult], **changes: Any) -> Decision:
    row = next(r for r in shipped_sources()[row_id.partition(".")[0]].rows if r.id == row_id)
    return judge_row(row, made.document(rows, **changes))


def link(knowledge: Any, d_sys: Estimate, **changes: Any) -> Linkage:
    null = Measured(value=0.05, low=0.03, high=CHANCE, n=99)
    changed = {"d_sys": d_sys, "null": null, "linker": f"linker of {knowledge}"} | changes
    return made.linkage(knowledge, 0.05).model_copy(update=changed)


def attack(knowledge: Any = "key", **rates: Any) -> ProtectionResult:
    return made.row(attack="linear", knowledge=knowledge, judged="protected", **rates)


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (CHANCE + 0.001, 0.2, "contradicted by measurement"),
        (CHANCE - 0.001, 0.2, "not measured"),
        (0.0, CHANCE + 0.001, "not measured"),
        (0.0, CHANCE - 0.001, "supported by measurement"),
    ],
)
def test_linkage_is_decided_by_the_ends_of_both_intervals(
    low: float, high: float, status: str
) -> None:
    stolen = Measured(value=(low + high) / 2, low=low, high=high, n=99)
    row = made.row(linkage=[link("scheme", INSIDE), link("key", stolen)])
    found = decided(LINKED, [row])
    assert found.status == status
    assert found.deciding is not None
    if status != "supported by measurement":
        assert found.deciding.attack.startswith("linker of key on BioHashing")
    assert decided("iso30136.diversity", [row]).status == status


def test_without_a_linker_that_has_the_keys_nothing_is_supported() -> None:
    secret = made.row(linkage=[link("scheme", INSIDE)])
    found = decided(LINKED, [secret])
    assert found.status == "not measured"
    assert "no linker that knows the keys was tried on BioHashing, 64 bits" in found.reason
    lacking = link("key", NotMeasured(not_measured="one key"))
    assert decided(LINKED, [made.row(linkage=[link("scheme", INSIDE), lacking])]).status == (
        "not measured"
    )
    both = made.row(scheme="other", linkage=[link("scheme", INSIDE), link("key", INSIDE)])
    assert decided(LINKED, [both]).status == "supported by measurement"
    assert decided(LINKED, [both, secret]).status == "not measured"
    keyless = made.row(keyed=False, linkage=[link("scheme", INSIDE)])
    assert decided(LINKED, [keyless]).status == "supported by measurement"


def test_what_is_linked_contradicts_even_where_others_are_not_measured() -> None:
    above = Measured(value=0.5, low=0.4, high=0.6, n=99)
    row = made.row(linkage=[link("scheme", above)])
    assert decided(LINKED, [row]).status == "contradicted by measurement"
    no_chance = link("scheme", above, null=NotMeasured(not_measured="one score"))
    found = decided(LINKED, [made.row(linkage=[no_chance])])
    assert found.status == "not measured"
    assert "what chance gives: one score" in found.reason


@pytest.mark.parametrize(
    ("row_id", "name"),
    [
        (RENEWED, "revoked_type1"),
        (RENEWED, "revoked_type2"),
        (HELD, "type2"),
        ("gdpr.testing", "type2"),
    ],
)
def test_rates_are_decided_by_their_bounds_and_a_quick_run_supports_nothing(
    row_id: str, name: str
) -> None:
    held = [attack(**{name: {"1e-3": rate(0.01, 99, 0.02)}})]
    open_one = [attack(**{name: {"1e-3": rate(0.04, 99, 0.02)}})]
    broken = [attack(**{name: {"1e-3": rate(0.4, 99, 0.02)}})]
    assert decided(row_id, held).status == "supported by measurement"
    assert decided(row_id, open_one).status == "not measured"
    found = decided(row_id, broken)
    assert found.status == "contradicted by measurement"
    assert found.deciding is not None
    assert found.deciding.attack == "linear on BioHashing, 64 bits, key known"
    assert decided(row_id, broken, quick=True).status == "contradicted by measurement"
    quick = decided(row_id, held, quick=True)
    assert quick.status == "not measured"
    assert QUICK in quick.reason
    linked = [made.row(linkage=[link("scheme", INSIDE), link("key", INSIDE)])]
    assert decided(LINKED, linked, quick=True).status == "not measured"


def test_both_kinds_of_acceptance_after_renewal_count() -> None:
    row = attack(revoked_type1={"1e-3": rate(0.01)}, revoked_type2={"1e-3": rate(0.5)})
    assert decided(RENEWED, [row]).status == "contradicted by measurement"


def test_controls_and_templates_as_they_are_do_not_speak() -> None:
    bad = {"type2": {"1e-3": rate(0.9)}, "revoked_type1": {"1e-3": rate(0.9)}}
    rows = [
        attack(scheme="none", parameters={}, **bad),
        attack(control=True, **bad),
        made.row(attack="control:mean", knowledge="key", **bad),
        made.row(control=True, linkage=[link("scheme", rate(0.9))]),
        made.row(scheme="none", linkage=[link("scheme", rate(0.9))]),
    ]
    for row_id in (HELD, RENEWED, LINKED):
        found = decided(row_id, rows)
        assert (found.status, found.reason) == ("not measured", "no protection was measured")


def test_faces_that_pass_for_everybody_contradict_nothing() -> None:
    row = attack(type2={"1e-3": rate(0.9)}, reconstruction_fmr={"1e-3": rate(0.5)})
    assert decided(HELD, [row]).status == "not measured"


def test_what_is_missing_is_said() -> None:
    plain = made.row(tmr=made.by_fmr(0.9))
    assert decided(HELD, [plain]).reason == "no such attack on protected templates was tried"
    assert decided(LINKED, [plain]).reason == "protected templates under two keys were not compared"
    tried = attack(type2={"1e-3": rate(0.01)})
    assert decided(RENEWED, [tried]).reason == "no template was renewed in this run"


def test_recognition_is_told_by_rows_of_schemes_alone() -> None:
    rows = [row for row in made.rows() if row.backbone == "dlib"]
    found = evidence_for(Selector(measure="protected_tmr"), made.document(rows))
    schemes = [r for r in rows if not r.attack and r.tmr and not r.control and r.scheme != "none"]
    assert [one.value for one in found] == [row.tmr["1e-3"] for row in schemes]


def test_reductions_speak_of_reduced_templates() -> None:
    found = evidence_for(Selector(measure="reduced", judge="own"), made.document())
    assert {one.attack for one in found} == {"linear on 1 bit a value"}
    assert len(found) == 2


def test_templates_as_they_are_speak_as_in_an_audit_and_once() -> None:
    document = made.document()
    assert targets(document) == list(made.BACKBONES)
    found = evidence_for(Selector(measure="type1", judge="own"), document)
    assert [one.value for one in found] == [
        row.type1["1e-3"]
        for row in document.protections
        if row.scheme == "none" and row.attack and row.judge == row.backbone
    ]
    audit = factory.results(protections=made.rows())
    without = factory.results()
    selector = Selector(measure="type1", judge="own")
    assert evidence_for(selector, audit) == evidence_for(selector, without)


def test_the_limit_of_a_plain_number_is_printed_as_one() -> None:
    results: Results = made.document()
    tables = [view.table for view in compliance_context(results)["compliance"]]
    limits = {row[-1].text for table in tables for row in table.rows if "chance" in row[-1].detail}
    assert limits == {"at most 0"}


def test_scores_of_templates_as_they_are_speak_of_scores_alone() -> None:
    plain: dict[str, Any] = {
        "scheme": "none",
        "family": "none",
        "keyed": False,
        "attack": "linear",
        "knowledge": "scheme",
        "judged": "plain",
    }
    rows = [
        made.row(**plain, leak="template", type1={}, type2={"1e-3": rate(0.9, 99, 0.02)}),
        made.row(**plain, leak="score", queries=500, type2={"1e-3": rate(0.6, 99, 0.02)}),
        attack(leak="score", type2={"1e-3": rate(0.99, 99, 0.005)}),
    ]
    document = made.document(rows)
    (told,) = evidence_for(Selector(measure="search", judge="own"), document)
    assert (told.attack, told.value) == ("linear from 500 scores", rate(0.6, 99, 0.02))
    (told,) = evidence_for(Selector(measure="type2", judge="own"), document)
    assert (told.attack, told.value) == ("linear", rate(0.9, 99, 0.02))


def test_attributes_that_a_scheme_was_to_hide_count_as_looked_for() -> None:
    told = Measured(value=0.75, low=0.7, high=0.8, n=99)
    row = made.row(
        scheme="disentangle",
        family="disentangling",
        keyed=False,
        parameters={"name": "smile"},
        measures={"attribute_before": told, "attribute_retrained": told},
    )
    (found,) = evidence_for(Selector(measure="attribute_gain"), made.document([row]))
    assert found.attack == "attribute 'smile'"
    assert isinstance(found.value, Measured)
    assert (found.value.value, found.value.n) == (pytest.approx(0.5), 99)
    assert (found.value.low, found.value.high) == (pytest.approx(0.4), pytest.approx(0.6))
