from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from audit.stress.adversarial_decoded import DRAWN
from reports.results import Measured, NotMeasured, Results, StressResult
from tests.audit.stress.small import TARGET, rows_of, run_small
from tests.one_thread import one_thread  # noqa: F401

SIZES = {
    "subjects": 5,
    "budgets": [4],
    "steps": 2,
    "pairs": 2,
    "searches": 1,
    "search_steps": 2,
    "queries": 6,
    "square_budgets": [8],
}
CUT = "1e-2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("noise")


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return run_small(folder / "run", ["adversarial"], {"shown": 1, "adversarial": SIZES})


def value(row: StressResult, name: str) -> float:
    found = row.measures[name]
    assert isinstance(found, Measured), name
    return found.value


def clean(results: Results, attack: str = "") -> StressResult:
    (row,) = rows_of(results, "none", attack=attack)
    return row


def noises(results: Results) -> set[str]:
    return {r.perturbation for r in results.stress if r.unit == "/255"}


def test_every_method_goal_and_budget_has_its_row(results: Results) -> None:
    assert noises(results) == {
        "fgsm-softmax-impersonation",
        "fgsm-similarity-impersonation",
        "iterative-fgsm-softmax-impersonation",
        "iterative-fgsm-similarity-impersonation",
        "pgd-similarity-impersonation",
        "fgsm-softmax-evasion",
        "pgd-similarity-evasion",
        "square-similarity-impersonation",
    }
    for name in noises(results):
        expected = [0.0, 8.0] if name.startswith("square") else [0.0, 4.0]
        assert [r.strength for r in rows_of(results, name, attack="")] == expected
    for objective in ("softmax", "similarity"):
        (row,) = rows_of(results, f"carlini-wagner-{objective}-impersonation", attack="")
        assert row.strength is None


def test_without_noise_the_numbers_are_the_clean_ones(results: Results) -> None:
    base, decoded = clean(results), clean(results, "linear")
    of_some = {n for n in noises(results) if n.startswith(("square", "iterative"))}
    for name in of_some:  # fewer people: their own clean pictures are what they are paired with
        (row,) = rows_of(results, name, attack="", strength=0.0)
        change = row.tmr_difference[CUT]
        assert isinstance(change, Measured)
        assert change.value == 0.0
    for name in noises(results) - of_some:
        (row,) = rows_of(results, name, attack="", strength=0.0)
        assert row.tmr == base.tmr
        shared = set(row.measures) & set(base.measures)
        assert len(shared) >= 8
        for measure in shared:
            assert row.measures[measure] == base.measures[measure]
        assert isinstance(row.measures["l2"], NotMeasured)
    for name in ("fgsm-softmax-impersonation", DRAWN):
        (row,) = rows_of(results, name, attack="linear", strength=0.0)
        assert (row.type1, row.type2, row.tmr) == (decoded.type1, decoded.type2, decoded.tmr)
        assert row.measures == decoded.measures
        change = row.difference[CUT]
        assert isinstance(change, Measured)
        assert change.value == 0.0


def test_success_does_not_fall_with_the_budget(results: Results) -> None:
    for name in noises(results):
        rows = rows_of(results, name, attack="")
        goal = "impersonation" if name.endswith("impersonation") else "evasion"
        found = [r.measures[f"{goal}_of_template_at_{CUT}"] for r in rows]
        for weak, strong in pairwise(found):
            assert isinstance(weak, Measured)
            assert isinstance(strong, Measured)
            assert strong.high is not None
            assert strong.high >= weak.value


def test_noise_moves_the_softmax_towards_its_goal(results: Results) -> None:
    before, after = (
        value(
            rows_of(results, "iterative-fgsm-softmax-impersonation", attack="", strength=s)[0],
            "probability_goal_after",
        )
        for s in (0.0, 4.0)
    )
    assert after > before
    own = [value(r, "probability_own_after") for r in rows_of(results, DRAWN, attack="")]
    assert own[-1] < own[0]


def test_rates_are_complements_and_sizes_keep_to_the_budget(results: Results) -> None:
    for row in results.stress:
        if row.perturbation.endswith("-evasion") and row.unit == "/255" and not row.attack:
            tmr = row.tmr[CUT]
            assert isinstance(tmr, Measured)
            assert value(row, f"evasion_at_{CUT}") == pytest.approx(1.0 - tmr.value)
        if row.strength and row.unit == "/255" and not row.attack:
            assert value(row, "linf") <= row.strength
    base = clean(results)
    assert isinstance(base.measures["scale"], Measured)


def test_four_curves_stand_on_one_row(results: Results) -> None:
    (row,) = [r for r in results.stress if r.roc]
    assert (row.perturbation, row.strength, row.attack, row.judge) == (
        DRAWN,
        4.0,
        "linear",
        TARGET,
    )
    assert [c.name for c in row.roc] == [
        "clean",
        "clean, decoded",
        "attacked",
        "attacked, decoded",
    ]
    for curve in row.roc:
        assert len(curve.fmr) == len(curve.tmr) > 1
        assert curve.fmr == sorted(curve.fmr)
        assert curve.tmr == sorted(curve.tmr)


def test_what_decoding_gives_back_is_a_difference_of_the_rates_beside_it(results: Results) -> None:
    (row,) = [r for r in results.stress if r.roc]
    rates = [row.type2[CUT], row.tmr[CUT], row.type2_difference[CUT], row.tmr_difference[CUT]]
    decoded, direct, fall_decoded, fall = (r.value for r in rates if isinstance(r, Measured))
    assert value(row, f"recovered_at_{CUT}") == pytest.approx(decoded - direct)
    assert value(row, f"fall_difference_at_{CUT}") == pytest.approx(fall_decoded - fall)


def test_templates_are_flipped_at_every_measured_threshold(results: Results) -> None:
    for goal in ("impersonation", "evasion"):
        rows = rows_of(results, f"template-flip-{goal}")
        assert [(r.attack, r.strength) for r in rows] == [("", 0.01), ("linear", 0.01)]
        bare, decoded = rows
        assert value(bare, "change") > 0
        assert np.isclose(
            value(bare, "change"), 2 * np.sin(np.radians(value(bare, "angle")) / 2), rtol=0.05
        )
        assert f"decoded_impersonation_at_{CUT}" in decoded.measures
        assert decoded.tmr == {}


def test_shown_pictures_lie_in_the_run(results: Results, folder: Path) -> None:
    samples = [s for r in results.stress for s in r.samples]
    assert samples
    for sample in samples:
        for path in (sample.original, sample.perturbed, sample.reconstruction):
            assert path is None or (folder / "run" / path).is_file()
    assert any(s.perturbed for s in samples)


def test_names_are_in_the_style_of_the_results(results: Results) -> None:
    for row in results.stress:
        assert row.family == "adversarial"
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.perturbation)
        for name in row.measures:
            assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*(_at_[1-9]e-[1-9])?", name)


def test_a_second_run_uses_what_is_done(results: Results, folder: Path) -> None:
    again = run_small(folder / "run", ["adversarial"], {"shown": 1, "adversarial": SIZES})
    assert again.stress == results.stress


def test_a_target_without_gradients_says_so(folder: Path) -> None:
    sizes = {"shown": 1, "adversarial": SIZES}
    found = run_small(folder / "lbp", ["adversarial"], sizes, targets=["lbp"], judges=["lbp"])
    (row,) = rows_of(found, "none")
    assert "gradients do not pass through lbp" in row.note
    assert noises(found) == set()
    assert rows_of(found, "template-flip-evasion")
