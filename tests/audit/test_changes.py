"""``faceleak compare`` on two runs of one target: what a change did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from audit.changes import MEANS, change_notes
from audit.compare import compare
from audit.watch import Watch
from biometrics.errors import ConfigError
from reports.compare_changes import verdict
from reports.results import CompareChange, CompareResult, CompareSetting, Measured, load_results
from tests.audit import tiny

CONFIG = """\
title: One model
target: lbp
judges: [faceleak-mini]
faces: {synth: {subjects: 12, pictures: 2, attacker_subjects: 50, threshold_subjects: 90}}
attacks: [linear, linear-pixels]
fmr: [1e-2, 1e-3]
output: {samples: 1}
"""
FMR = "1e-2"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same people before and after their pictures were taken coarser."""
    place = tmp_path_factory.mktemp("changes")
    (place / "before.yaml").write_text(CONFIG)
    (place / "after.yaml").write_text(CONFIG + "leak: {resolution: 12}\n")
    printed = tiny.faceleak(place, "compare", "before.yaml", "after.yaml", "--out", "both")
    assert printed.returncode == 0, printed.stderr
    (place / "printed.txt").write_text(printed.stdout)
    return place


@pytest.fixture(scope="module")
def result(home: Path) -> CompareResult:
    found = load_results(home / "both").compare
    assert found is not None
    return found


def outcomes(run: Path) -> dict[tuple[str, ...], pd.Series[float]]:
    table = pd.read_parquet(run / "outcomes.parquet").set_index("subject").sort_index()
    return {tuple(json.loads(name)): table[name].astype(float) for name in table.columns}


def of(result: CompareResult, which: str, judge: str, measure: str, attack: str) -> CompareChange:
    (found,) = [
        c
        for c in result.changes
        if (c.which, c.judge, c.measure) == (which, judge, measure)
        and (which or c.attack_after == attack)
    ]
    return found


@pytest.mark.parametrize("attack", ["linear", "linear-pixels"])
@pytest.mark.parametrize("measure", ["type1", "type2"])
@pytest.mark.parametrize("judge", ["faceleak-mini", "lbp"])
def test_a_difference_is_that_of_every_person_after_less_before(
    result: CompareResult, home: Path, attack: str, measure: str, judge: str
) -> None:
    change = of(result, "", judge, measure, attack)
    key = (attack, judge, measure, FMR)
    apart = outcomes(home / "both" / "lbp-2")[key] - outcomes(home / "both" / "lbp")[key]
    difference, was, now = change.difference[FMR], change.was[FMR], change.now[FMR]
    assert isinstance(difference, Measured)
    assert isinstance(was, Measured)
    assert isinstance(now, Measured)
    assert difference.value == pytest.approx(apart.dropna().mean(), abs=1e-6)
    assert difference.value == pytest.approx(now.value - was.value, abs=1e-6)
    assert difference.n == apart.notna().sum() == 12
    assert change.unseen is (judge == "faceleak-mini")


def test_each_side_has_its_own_strongest_attack(result: CompareResult, home: Path) -> None:
    change = of(result, "strongest", "faceleak-mini", "type1", "")
    for side, run in ((change.attack_before, "lbp"), (change.attack_after, "lbp-2")):
        found = outcomes(home / "both" / run)
        key = ("faceleak-mini", "type1", FMR)
        rates = {a: found[(a, *key)].mean() for a in ("linear", "linear-pixels")}
        assert rates[side] == max(rates.values())


def test_the_setting_that_differs_is_named_and_nothing_else(result: CompareResult) -> None:
    (setting,) = result.settings
    assert (setting.key, setting.before, setting.after) == ("leak.resolution", "null", "12")


def test_a_missing_threshold_says_why(result: CompareResult) -> None:
    found = of(result, "", "lbp", "type1", "linear").difference["1e-3"]
    assert not isinstance(found, Measured)
    assert found.not_measured.startswith("too few subjects: FMR 0.001")


def test_the_other_order_mirrors_every_difference(
    result: CompareResult, home: Path, tmp_path: Path
) -> None:
    both = home / "both"
    path = compare([str(both / "lbp-2"), str(both / "lbp")], tmp_path / "out", Watch.quiet())
    found = load_results(path).compare
    assert found is not None
    assert len(found.changes) == len(result.changes)
    for change in found.changes:
        other = of(result, change.which, change.judge, change.measure, change.attack_after)
        one, two = change.difference[FMR], other.difference[FMR]
        assert isinstance(one, Measured)
        assert isinstance(two, Measured)
        assert one.value == pytest.approx(-two.value)
        assert one.low == pytest.approx(-(two.high or 0.0))


def test_page_and_terminal_say_what_changed(result: CompareResult, home: Path) -> None:
    page = (home / "both" / "report.html").read_text()
    assert "What changed" in page
    assert "leak.resolution" in page
    printed = (home / "printed.txt").read_text()
    assert "Before and after" in printed
    assert " ".join(verdict(result).split()) in " ".join(printed.split())
    assert "changes,lbp" in (csv_of(home / "both").replace('"', ""))


def csv_of(run: Path) -> str:
    assert tiny.faceleak(run.parent, "report", str(run), "--format", "csv").returncode == 0
    return (run / "results.csv").read_text()


def test_runs_at_other_fmrs_are_refused(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("results.json", "outcomes.parquet", "manifest.json"):
        shutil.copy(home / "both" / "lbp-2" / name, other)
    text = (home / "both" / "lbp-2" / "audit.yaml").read_text()
    assert "- 1e-2\n" in text
    (other / "audit.yaml").write_text(text.replace("- 1e-2\n", ""))
    with pytest.raises(ConfigError, match="they differ in 'fmr'"):
        compare([str(home / "both" / "lbp"), str(other)], tmp_path / "out", Watch.quiet())


def test_what_else_differs_is_said() -> None:
    def setting(key: str) -> CompareSetting:
        return CompareSetting(run="b", key=key, before="1", after="2")

    assert change_notes([setting("leak.occlude")]) == []
    (note,) = change_notes([])
    assert "No setting differs" in note
    for means in MEANS:
        (note,) = change_notes([setting("leak.occlude"), setting(f"{means}.x")])
        assert f"({means})" in note
