"""What is recommended, and that nothing is without a bound to show for it."""

from __future__ import annotations

from typing import Any

from audit.protect.findings import protection_findings
from audit.protect.settings import ProtectSettings
from reports.results import (
    Estimate,
    Finding,
    Linkage,
    Measured,
    NotMeasured,
    ProtectionFamily,
    ProtectionResult,
)

SIZES = ProtectSettings(gate=0.05, max_loss=0.05)
FMR, AT = "1e-3", "FMR 0.1\u00a0%"


def rate(value: float, low: float, high: float) -> Measured:
    return Measured(value=value, low=low, high=high, n=500)


def scheme(
    name: str, loss: float, *, bits: int = 128, keyed: bool = True, **facts: Any
) -> ProtectionResult:
    family: ProtectionFamily = "keyed" if keyed else "reduction"
    return ProtectionResult(
        scheme=name,
        label=name,
        key_known=False,
        attack="",
        backbone="dlib",
        judge="dlib",
        judged="protected",
        keyed=keyed,
        family=family,
        stored_bits=bits,
        tmr_difference={FMR: rate(-loss, -loss - 0.01, -loss + 0.01)},
        **facts,
    )


def attack(name: str, knowledge: str, sar: Estimate, **facts: Any) -> ProtectionResult:
    given = {"keyed": True, "family": "keyed", "leak": "template", "attack": "linear", **facts}
    return ProtectionResult(
        scheme=name,
        label=name,
        key_known=knowledge in ("one-key", "key", "all-keys"),
        backbone="dlib",
        judge="dlib",
        judged="protected",
        knowledge=knowledge,
        type1={FMR: sar},
        **given,
    )


NONE = [
    scheme("none", 0.0, keyed=False),
    attack("none", "scheme", rate(0.97, 0.95, 0.98), keyed=False, family="none"),
]
SAFE, LEAKY = rate(0.004, 0.001, 0.01), rate(0.9, 0.88, 0.92)


def found(rows: list[ProtectionResult]) -> dict[str, Finding]:
    return {f.id: f for f in protection_findings([*NONE, *rows], SIZES)}


def test_the_cheapest_of_those_that_hold_is_recommended() -> None:
    rows = [
        *(scheme("dear", 0.04), attack("dear", "key", SAFE), attack("dear", "scheme", SAFE)),
        *(scheme("cheap", 0.01), attack("cheap", "key", SAFE), attack("cheap", "scheme", SAFE)),
        *(scheme("costly", 0.2), attack("costly", "key", SAFE)),
    ]
    told = found(rows)["protection.recommendation"]
    assert told.severity == "info"
    assert "cheapest scheme that holds is cheap: 0.40\u00a0% accepted" in told.title
    assert "dear would hold too" in told.title
    assert "costly" not in told.title
    assert told.evidence[f"cheap, Type-I by dlib as protected at {AT}"] == SAFE


def test_of_equal_cost_the_smaller_template_is_cheaper() -> None:
    rows = [
        *(scheme("large", 0.01, bits=4096), attack("large", "key", SAFE)),
        *(scheme("small", 0.01, bits=64), attack("small", "key", SAFE)),
    ]
    assert "that holds is small" in found(rows)["protection.recommendation"].title


def test_none_holds_where_every_upper_bound_is_above_the_gate() -> None:
    near = rate(0.03, 0.01, 0.06)
    rows = [
        *(scheme("near", 0.01), attack("near", "key", near)),
        *(scheme("far", 0.01), attack("far", "key", LEAKY)),
    ]
    told = found(rows)["protection.recommendation"]
    assert told.severity == "high"
    assert "none of 2 schemes holds" in told.title
    assert "nearest is near: 3.0\u00a0% accepted" in told.title


def test_of_those_that_no_attack_opens_the_nearest_costs_least() -> None:
    rows = [
        *(scheme("dear", 0.3), attack("dear", "key", rate(0.0, 0.0, 0.005))),
        *(scheme("less", 0.1), attack("less", "key", SAFE)),
    ]
    assert "nearest is less" in found(rows)["protection.recommendation"].title


def test_the_strongest_attack_counts_and_any_judge_and_type() -> None:
    rows = [
        scheme("one", 0.0),
        attack("one", "key", SAFE),
        attack("one", "all-keys", LEAKY),
        *(scheme("two", 0.0), attack("two", "key", SAFE, type2={FMR: LEAKY})),
        *(scheme("three", 0.0), attack("three", "key", SAFE)),
        attack("three", "key", LEAKY).model_copy(update={"judged": "plain", "judge": "other"}),
    ]
    assert "none of 3" in found(rows)["protection.recommendation"].title


def test_controls_do_not_count() -> None:
    rows = [
        *(scheme("one", 0.0), attack("one", "key", SAFE)),
        attack("one", "key", LEAKY, attack="control:mean-template", control=True),
    ]
    assert "that holds is one" in found(rows)["protection.recommendation"].title


def test_secret_keys_are_a_finding_of_their_own() -> None:
    rows = [
        scheme("one", 0.0),
        attack("one", "key", LEAKY),
        attack("one", "scheme", SAFE),
        *(scheme("cut", 0.0, keyed=False), attack("cut", "scheme", SAFE, keyed=False)),
    ]
    told = found(rows)
    assert "that holds is cut" in told["protection.recommendation"].title
    assert "one would hold" not in told["protection.recommendation"].title
    assert "that holds is one" in told["protection.secret-keys"].title
    advice = told["protection.secret-keys"].recommendation
    assert "it holds as long as they do" in advice
    assert "This rests on linear without the keys, and on 0 keys for all people" in advice
    assert "What its scores give away was not tried." in advice


def test_what_scores_give_away_stands_beside_a_scheme_that_holds() -> None:
    rows = [scheme("one", 0.0), attack("one", "key", SAFE), attack("one", "scheme", SAFE)]
    leaky = found([*rows, attack("one", "scheme", LEAKY, leak="score")])
    for name in ("protection.recommendation", "protection.secret-keys"):
        assert "that holds is one" in leaky[name].title
        assert "Give out no scores" in leaky[name].recommendation
        assert "90.0\u00a0% of rebuilt faces" in leaky[name].recommendation
    quiet = found([*rows, attack("one", "scheme", SAFE, leak="score")])
    assert "at most 1.0\u00a0%" in quiet["protection.recommendation"].recommendation


def test_encryption_is_no_candidate_for_secret_keys_but_is_named() -> None:
    facts: Any = {"keyed": False, "family": "encryption"}
    hidden = scheme("ckks", 0.0, keyed=False).model_copy(update={"family": "encryption"})
    rows = [
        *(scheme("one", 0.2), attack("one", "key", LEAKY), attack("one", "scheme", SAFE)),
        *(hidden, attack("ckks", "key", LEAKY, **facts)),
    ]
    told = found(rows)
    assert "none of 1 schemes" in told["protection.secret-keys"].title
    assert "Encryption (ckks) is not ranked" in told["protection.secret-keys"].recommendation
    assert "Encryption" not in told["protection.recommendation"].recommendation
    assert "none of 2 schemes holds" in told["protection.recommendation"].title


def test_limits_that_are_met_exactly_are_kept() -> None:
    at = rate(0.04, 0.03, SIZES.gate)
    rows = [scheme("one", SIZES.max_loss), attack("one", "key", at)]
    assert "that holds is one" in found(rows)["protection.recommendation"].title
    beyond = rate(0.04, 0.03, SIZES.gate + 1e-6)
    rows = [scheme("one", SIZES.max_loss), attack("one", "key", beyond)]
    assert "none of 1" in found(rows)["protection.recommendation"].title


def test_a_scheme_without_a_measured_attack_is_never_recommended() -> None:
    silent = NotMeasured(not_measured="no attack of this tool applies")
    assert "protection.recommendation" not in found([scheme("x", 0.0), attack("x", "key", silent)])


def test_scores_that_give_templates_away_are_told_with_the_schemes() -> None:
    rows = [scheme("one", 0.0), attack("one", "scheme", LEAKY, leak="score")]
    told = found(rows)["protection.scores"]
    assert told.severity == "high"
    assert told.evidence == {f"one, from scores, at {AT}": LEAKY}
    assert "What a yes or no gives away was not tried in this run." in told.recommendation
    asked = [*rows, attack("one", "scheme", SAFE, leak="decision")]
    assert "A yes or no gave away up to 0.40" in found(asked)["protection.scores"].recommendation
    weak = [scheme("one", 0.0), attack("one", "scheme", SAFE, leak="score")]
    assert "protection.scores" not in found(weak)


def linkage(d_sys: Measured, knowledge: Any) -> Linkage:
    return Linkage(
        linker="the scheme's own comparison",
        knowledge=knowledge,
        d_sys=d_sys,
        null=rate(0.1, 0.05, 0.15),
        maximal=rate(0.2, 0.1, 0.3),
        bins=10,
        mated=100,
        non_mated=1000,
    )


def test_linkable_templates_are_told_apart_by_what_the_linker_knows() -> None:
    far = rate(0.6, 0.5, 0.7)
    blind = found([scheme("one", 0.0, linkage=[linkage(far, "scheme")])])["protection.linkable"]
    assert blind.severity == "medium"
    assert "without any key" in blind.title
    keys = found([scheme("one", 0.0, linkage=[linkage(far, "all-keys")])])["protection.linkable"]
    assert keys.severity == "low"
    chance = linkage(rate(0.1, 0.08, 0.12), "scheme")
    assert "protection.linkable" not in found([scheme("one", 0.0, linkage=[chance])])


def test_the_classic_error_is_told() -> None:
    """A reduction that looks safe to a decoder that was not trained on it."""
    rows = [
        scheme("cut", 0.0, keyed=False),
        attack("cut", "nothing", SAFE, keyed=False),
        attack("cut", "scheme", LEAKY, keyed=False),
    ]
    told = found(rows)["protection.untrained"]
    assert list(told.evidence.values()) == [SAFE, LEAKY]


def test_a_new_key_that_does_not_help_is_told() -> None:
    rows = [scheme("one", 0.0), attack("one", "key", LEAKY, revoked_type1={FMR: LEAKY})]
    assert found(rows)["protection.revoked"].severity == "high"
    rows = [scheme("one", 0.0), attack("one", "key", LEAKY, revoked_type1={FMR: SAFE})]
    assert "protection.revoked" not in found(rows)
    # It speaks of keys that leaked with the templates.
    rows = [scheme("one", 0.0), attack("one", "scheme", SAFE, revoked_type1={FMR: LEAKY})]
    assert "protection.revoked" not in found(rows)
