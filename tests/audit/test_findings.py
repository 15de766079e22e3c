from __future__ import annotations

import pytest

from audit.findings import StoreEvidence, store_findings
from reports.results import (
    SEVERITY_ORDER,
    AttributeLeak,
    Finding,
    JudgeResult,
    Measured,
    NotMeasured,
    StoreCollection,
    StoreSummary,
)
from tests.reports import factory

CLEAN = StoreSummary(
    name="a.parquet",
    kind="file",
    form="Parquet",
    n_templates=100,
    n_subjects=50,
    dim=128,
    encrypted=None,
    collections=[StoreCollection(name="a", rows=100, dim=128)],
)


def found(store: StoreSummary, **changes: object) -> dict[str, Finding]:
    known = StoreEvidence(
        **{"store": store, "attacks": [], "fmr": "1e-3", "open_model": False, **changes}  # type: ignore[arg-type]
    )
    return {finding.id: finding for finding in store_findings(known)}


def value(finding: Finding, name: str) -> float:
    evidence = finding.evidence[name]
    assert isinstance(evidence, Measured)
    return evidence.value


def test_a_store_with_nothing_wrong_gives_no_finding() -> None:
    assert found(CLEAN) == {}


@pytest.mark.parametrize(
    ("changes", "name", "severity", "evidence"),
    [
        ({"pictures": {"img": 7, "b": 2}}, "store.pictures", "critical", ("pictures", 9)),
        (
            {"pictures": {"clips": 7}, "kind": "pictures-only", "n_templates": 0},
            "store.pictures-only",
            "critical",
            ("pictures", 7),
        ),
        ({"n_named": 40}, "store.names", "high", ("people with a name", 40)),
        ({"stock_password": True}, "store.stock-password", "critical", None),
        ({"executable": True}, "store.executable", "high", None),
        ({"encrypted": False}, "store.plain", "medium", ("templates", 100)),
        (
            {"encrypted": False, "form": "PostgreSQL dump, gzip"},
            "store.plain-dump",
            "high",
            ("templates", 100),
        ),
        ({"backbone": "dlib"}, "store.shared-backbone", "medium", None),
        (
            {"collections": [StoreCollection(name="a", rows=100, dim=8, nan_rows=2, zero_rows=1)]},
            "store.damaged-rows",
            "low",
            ("NaN, zero or constant", 3),
        ),
        (
            {"unreadable": {"cut": 4}},
            "store.damaged-rows",
            "low",
            ("unreadable", 4),
        ),
        (
            {"collections": [StoreCollection(name="a", rows=100, dim=8, duplicate_rows=5)]},
            "store.duplicates",
            "low",
            ("equal to an earlier row", 5),
        ),
    ],
)
def test_each_fact_gives_its_finding_and_no_other(
    changes: dict[str, object], name: str, severity: str, evidence: tuple[str, float] | None
) -> None:
    findings = found(CLEAN.model_copy(update=changes))
    assert list(findings) == [name]
    assert findings[name].severity == severity
    assert findings[name].recommendation
    if evidence is not None:
        assert value(findings[name], evidence[0]) == evidence[1]


@pytest.mark.parametrize(
    ("open_model", "normalised", "there"),
    [(True, False, True), (True, True, False), (False, False, False), (True, None, False)],
)
def test_raw_templates_of_an_open_model(
    open_model: bool, normalised: bool | None, there: bool
) -> None:
    store = CLEAN.model_copy(update={"backbone": "mine", "normalised": normalised})
    assert ("store.raw-open-model" in found(store, open_model=open_model)) is there


def judged(low: float, gained: float = 0.1, *, measured: bool = True) -> JudgeResult:
    rate = Measured(value=low + 0.05, low=low, high=low + 0.1, n=50)
    margin = Measured(value=gained + 0.05, low=gained, high=gained + 0.1, n=50)
    why = NotMeasured(not_measured="too few")
    return JudgeResult(
        unseen=False,
        type1={"1e-3": rate if measured else why},
        margin_over_nearest={"1e-3": margin if measured else why},
    )


@pytest.mark.parametrize(
    ("low", "gained", "severity"),
    [
        (0.6, 0.3, "critical"),
        (0.3, 0.01, "high"),
        (0.06, 0.02, "medium"),
        (0.01, 0.002, "low"),
        (0.99, 0.0, "medium"),
        (0.99, -0.01, "medium"),
        (0.01, -0.01, "low"),
    ],
)
def test_an_inversion_is_as_bad_as_what_is_accepted_unless_any_face_is(
    low: float, gained: float, severity: str
) -> None:
    row = factory.attack("a", 0.9, judges={"dlib": judged(low, gained)})
    mean = factory.attack("control:mean", 0.9, control=True, judges={"dlib": judged(0.9)})
    finding = found(CLEAN, attacks=[row, mean])["inversion.own-model"]
    assert finding.severity == severity
    assert ("no more often" in finding.title) is (gained <= 0)


def test_what_was_not_measured_is_no_finding() -> None:
    row = factory.attack("a", 0.9, judges={"dlib": judged(0.9, measured=False)})
    assert found(CLEAN, attacks=[row]) == {}


@pytest.mark.parametrize(("low", "severity"), [(0.55, "low"), (0.7, "medium"), (0.49, None)])
def test_attributes_count_when_they_beat_guessing(low: float, severity: str | None) -> None:
    leak = AttributeLeak(
        attribute="glasses",
        classes={"no": 30, "yes": 20},
        balanced_accuracy=Measured(value=low + 0.05, low=low, high=low + 0.1, n=50),
    )
    findings = found(CLEAN.model_copy(update={"attributes": [leak]}))
    assert [f.severity for f in findings.values()] == ([severity] if severity else [])


def test_the_worst_stands_first() -> None:
    store = CLEAN.model_copy(
        update={"pictures": {"img": 1}, "n_named": 3, "unreadable": {"cut": 1}, "encrypted": False}
    )
    severities = [finding.severity for finding in found(store).values()]
    assert severities == sorted(severities, key=SEVERITY_ORDER.index)
    assert len(severities) == 4
