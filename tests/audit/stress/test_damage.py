"""A small run of damaged templates, against what can be said of it without the code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from attacks.perturbation.damage import half_precision, in_bits, noisy, some_dimensions
from audit.stress.damage import damages
from audit.stress.leaks import _repair, repairable
from audit.stress.settings import DamageSettings
from reports.results import Estimate, Measured, Results, StressResult
from tests.audit.stress.small import TARGET, rows_of, run_small

SIZES = {
    "shares": [1.0, 0.1],
    "unknown": [0.1],
    "decimals": 9,
    "bits": [],
    "noise": [100, 0],
    "templates": [4],
}
FMR = "1e-2"
PEOPLE = 8


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


def run(home: Path) -> Results:
    sizes = {"subjects": PEOPLE, "pictures": 2, "shown": 2, "damage": SIZES}
    return run_small(home, ["damage"], sizes, judges=["lbp", TARGET])


@pytest.fixture(scope="module")
def results(home: Path) -> Results:
    return run(home)


def one(results: Results, name: str, strength: float | None = None, **more: object) -> StressResult:
    fields = {"strength": strength, "judge": TARGET, **more}
    (row,) = rows_of(results, name, **fields)
    return row


def value(estimate: Estimate) -> float:
    assert isinstance(estimate, Measured), estimate
    return estimate.value


def rates(row: StressResult) -> list[object]:
    columns = (row.type1, row.type2, row.tmr)
    return [column[FMR] for column in columns] + [row.n_attempts, row.n_failed]


def test_the_rows_stand_in_their_order(results: Results) -> None:
    assert [
        (r.perturbation, r.strength, bool(r.attack), r.repaired)
        for r in results.stress
        if r.judge == TARGET
    ] == [
        ("none", None, True, False),
        ("dimensions", 1.0, True, False),
        ("dimensions", 0.1, False, False),
        ("dimensions", 0.1, True, True),
        ("dimensions-unknown", 0.1, False, False),
        ("dimensions-unknown", 0.1, True, True),
        ("rounded", 9.0, True, False),
        ("float16", None, True, False),
        ("shuffled", None, True, False),
        ("shuffled", None, True, True),
        ("noise", 100.0, True, False),
        ("noise", 100.0, True, True),
        ("noise", 0.0, True, False),
        ("noise", 0.0, True, True),
    ]
    for row in results.stress:
        assert (row.family, row.backbone) == ("damage", TARGET)
        assert row.n_attempts == (PEOPLE * 2 if row.attack else 0)


def test_all_dimensions_are_the_clean_row(results: Results) -> None:
    clean, whole = one(results, "none"), one(results, "dimensions", 1.0)
    assert rates(whole) == rates(clean)
    assert whole.measures == clean.measures
    assert value(whole.difference[FMR]) == value(whole.tmr_difference[FMR]) == 0.0


def test_what_is_almost_nothing_changes_no_outcome(results: Results) -> None:
    """Nine decimals are all that float32 has below 1, and 100 dB are a millionth of the spread."""
    clean = one(results, "none")
    for row in (
        one(results, "rounded", 9.0),
        one(results, "noise", 100.0, repaired=False),
        one(results, "noise", 100.0, repaired=True),
    ):
        assert rates(row) == rates(clean)
        assert value(row.measures["shift"]) == pytest.approx(1.0, abs=1e-4)


def test_an_order_that_nobody_knows_changes_no_recognition_but_ends_inversion(
    results: Results,
) -> None:
    clean, mixed = one(results, "none"), one(results, "shuffled", repaired=False)
    assert value(mixed.tmr[FMR]) == pytest.approx(value(clean.tmr[FMR]))
    assert value(mixed.tmr_difference[FMR]) == pytest.approx(0.0)
    assert value(mixed.type1[FMR]) < 0.5 * value(clean.type1[FMR])
    assert "dimensions_matched" not in mixed.measures


def test_matched_dimensions_are_counted(results: Results) -> None:
    dim = results.backbones[TARGET].dim
    for name, strength, n in (("shuffled", None, dim), ("dimensions-unknown", 0.1, dim * 0.1)):
        measures = one(results, name, strength, repaired=True).measures
        for key in ("dimensions_matched", "dimensions_matched_at_4"):
            found = measures[key]
            assert isinstance(found, Measured)
            assert 0.0 <= found.value <= 1.0
            assert found.n == round(n)
    mixed = one(results, "shuffled", repaired=True)
    matched, explained = (value(mixed.measures[k]) for k in ("dimensions_matched", "explained"))
    assert (matched == 1.0) == (explained == 1.0)


def test_more_damage_leaves_less(results: Results) -> None:
    clean, tenth = one(results, "none"), one(results, "dimensions", 0.1, repaired=True)
    assert value(tenth.type1[FMR]) <= value(clean.type1[FMR])
    assert value(tenth.difference[FMR]) == pytest.approx(
        value(tenth.type1[FMR]) - value(clean.type1[FMR])
    )
    assert value(tenth.tmr[FMR]) < value(clean.tmr[FMR])
    explained = [
        value(one(results, *key, repaired=True).measures["explained"])
        for key in (("noise", 100.0), ("noise", 0.0))
    ]
    assert explained[0] > 0.99 > explained[1] > 0.0


def test_templates_too_short_for_the_attack_tell_of_recognition_alone(results: Results) -> None:
    row = one(results, "dimensions", 0.1, repaired=False)
    assert (row.attack, row.type1, row.measures) == ("", {}, {})
    assert value(row.tmr[FMR]) < 1.0
    assert value(row.tmr_difference[FMR]) < 0.0


def test_a_rate_that_cannot_be_measured_says_why(results: Results) -> None:
    for row in results.stress:
        for column in (row.tmr, row.tmr_difference):
            found = column["1e-3"]
            assert not isinstance(found, Measured)
            assert row.judge != TARGET or "too few subjects" in found.not_measured


def test_pictures_of_every_inversion_lie_there(results: Results, home: Path) -> None:
    for row in results.stress:
        assert len(row.samples) == (2 if row.attack and row.judge == TARGET else 0)
        for sample in row.samples:
            made = sample.repaired if row.repaired else sample.reconstruction
            assert made is not None
            assert (home / made).is_file()


def test_a_second_run_uses_what_is_done(results: Results, home: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in home.rglob("stage.json")}
    again = run(home)
    assert {p: p.stat().st_mtime_ns for p in home.rglob("stage.json")} == before
    numbers = [row.model_copy(update={"samples": []}) for row in again.stress]
    assert numbers == [row.model_copy(update={"samples": []}) for row in results.stress]


def test_other_judges_do_not_speak_of_templates_that_are_not_theirs(results: Results) -> None:
    other = one(results, "noise", 0.0, repaired=True, judge="lbp")
    for column in (other.tmr, other.tmr_difference):
        assert not isinstance(column[FMR], Measured)
        assert "another model" in column[FMR].not_measured
    assert other.measures == {}
    assert isinstance(other.type1[FMR], Measured)
    assert isinstance(one(results, "none", judge="lbp").tmr[FMR], Measured)


def test_a_repair_learnt_from_few_people_does_not_lose_what_is_there() -> None:
    """With fewer pairs than values, a map to the whole template shrinks towards the mean."""
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((60, 100)).astype(np.float32)
    noise = rng.standard_normal((60, 100)).astype(np.float32)
    nearly = (whole + 0.01 * noise).astype(np.float32)
    found = _repair(nearly[:50], whole[:50])(nearly[50:])
    np.testing.assert_allclose(found, whole[50:], atol=0.06)
    lost = _repair(noise[:50], whole[:50])(noise[50:])
    assert float(((lost - whole[50:]) ** 2).mean()) < 1.3


def test_what_is_repaired() -> None:
    assert [repairable(d) for d in (some_dimensions(1.0, 1), half_precision(), in_bits(8))] == [
        False
    ] * 3
    assert all(repairable(d) for d in (some_dimensions(0.5, 1), in_bits(1), noisy(60.0)))


def test_known_and_unknown_positions_are_the_same_draw_and_seeds_change_it() -> None:
    found = damages(DamageSettings(), 7)
    known, unknown = found[0].form.positions(128), found[3].form.positions(128)
    assert np.array_equal(known, unknown)
    assert not np.array_equal(known, damages(DamageSettings(), 8)[0].form.positions(128))
    assert len({damage.slug for damage in found}) == len(found) == 15


@pytest.mark.parametrize(
    "wrong", [{"shares": [0]}, {"bits": 17}, {"noise": ["loud"]}, {"templates": 1}, {"other": 1}]
)
def test_sizes_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DamageSettings.model_validate(wrong)
