"""The scores of single reconstructions: the rates of results.json come out of them again."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.config import load_as, load_config
from audit.judging import Cut
from audit.outcomes import Outcomes
from audit.pipeline import run_audit
from audit.pseudonyms import salt_file
from audit.scores import Scores
from audit.stress.config import StressConfig
from audit.watch import Watch
from biometrics.errors import ConfigError
from biometrics.metrics.success import Attempts
from reports.results import Measured, Results, load_results
from tests.audit import tiny
from tests.audit.conftest import Faceleak, Finished


def check_type1(results: Results, run: Path) -> pd.DataFrame:
    """Type-I of every attack and judge at every FMR: means of subjects' means of the table."""
    table = pd.read_parquet(run / "scores.parquet")
    checked = 0
    for attack in results.attacks:
        for judge, said in attack.judges.items():
            mine = table[(table["attack"] == attack.attack) & (table["judge"] == judge)]
            assert len(mine) == attack.n_attempts
            assert int((~mine["face_found"]).sum()) == attack.n_failed
            for fmr, rate in said.type1.items():
                accepted = mine[f"accepted_{fmr}"]
                if not isinstance(rate, Measured):
                    assert accepted.isna().all()
                    continue
                by_subject = accepted.astype(float).groupby(mine["subject"]).mean()
                assert (by_subject.mean(), len(by_subject)) == pytest.approx((rate.value, rate.n))
                checked += 1
    assert checked, "else this compares nothing"
    return table


def test_the_rates_of_the_report_come_out_of_the_table(finished: Finished) -> None:
    results = load_results(finished.path)
    table = check_type1(results, finished.path)
    pictures = tiny.SUBJECTS * tiny.PICTURES
    assert len(table) == pictures * sum(len(a.judges) for a in results.attacks)
    assert set(table["attack"][table["control"]]) == {
        a.attack for a in results.attacks if a.control
    }
    assert table["template"].nunique() == pictures
    assert not table.duplicated(["template", "attack", "judge"]).any()


def test_it_holds_pseudonyms_and_no_order_of_names(finished: Finished) -> None:
    table = pd.read_parquet(finished.path / "scores.parquet")
    assert table["template"].str.fullmatch("T-[0-9a-f]{24}").all()
    assert table["subject"].is_monotonic_increasing
    assert set(table["subject"]) == set(Outcomes.load(finished.path).people)
    assert stat.S_IMODE((finished.path / "scores.parquet").stat().st_mode) == 0o600


def test_who_is_accepted_lies_above_all_who_are_not(finished: Finished) -> None:
    table = pd.read_parquet(finished.path / "scores.parquet")
    found = table[table["face_found"] & table["similarity"].notna()]
    taken = found["accepted_1e-2"].astype(bool)
    assert taken.any()
    assert (~taken).any()
    assert found["similarity"][taken].min() > found["similarity"][~taken].max()
    assert not table["accepted_1e-2"][~table["face_found"]].any()
    samples = load_results(finished.path).samples
    shown = {round(s.similarity["dlib"], 5) for s in samples}
    assert shown <= set(np.round(found["similarity"].astype(float), 5).tolist())


def test_scores_go_when_they_are_not_asked_for_and_come_when_they_are(
    finished: Finished, tmp_path: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    first = (run / "scores.parquet").read_bytes()

    def again(formats: str) -> None:
        overrides = [f"output.formats=[{formats}]"]
        with salt_file(finished.home / ".config" / "faceleak" / "salt"):
            run_audit(load_config(finished.config, overrides=overrides), run, Watch.quiet())

    before = (run / "results.json").read_bytes()
    again("json")
    assert not (run / "scores.parquet").exists()
    assert (run / "results.json").read_bytes() == before
    again("json, scores-csv")
    assert (run / "scores.parquet").read_bytes() == first
    assert (run / "scores.csv").is_file()


def test_report_writes_them_from_the_run_or_says_why_not(
    faceleak: Faceleak, finished: Finished, tmp_path: Path
) -> None:
    run = tiny.copy_run(finished.path, tmp_path / "run")
    ended = faceleak("report", run, "--format", "scores-csv", "--format", "parquet")
    assert (ended.code, ended.out.split()) == (
        0,
        [str(run / "scores.csv"), str(run / "scores.parquet")],
    )
    table = pd.read_csv(run / "scores.csv", dtype=str)
    assert len(table) == len(pd.read_parquet(run / "scores.parquet"))
    (run / "scores.parquet").unlink()
    ended = faceleak("report", run, "--format", "parquet")
    assert ended.code == 2
    assert "audit again with parquet among output.formats" in ended.error


def test_a_stress_run_refuses_them_before_it_starts() -> None:
    with pytest.raises(ConfigError, match="parquet and scores-csv are for audits alone"):
        load_as(StressConfig, "stress-demo", overrides=["output.formats=[html, parquet]"])


def test_a_template_that_the_judge_cannot_make_has_no_score_and_is_refused(tmp_path: Path) -> None:
    attempts = Attempts(
        reconstructed=np.array([[1.0, 0.0], [np.nan, np.nan], [1.0, 0.0]]),
        leaked=np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]),
        subjects=np.array(["a", "a", "b"]),
        detected=np.array([True, True, False]),
        kind="cosine",
    )
    scores = Scores(["T-3", "T-2", "T-1"], ["S-2", "S-2", "S-1"])
    cuts = [Cut("1e-2", 0.9), Cut("1e-3", None, "too few people")]
    scores.add("linear", "dlib", attempts, cuts, control=False)
    scores.save(tmp_path / "s.parquet")
    table = pd.read_parquet(tmp_path / "s.parquet").set_index("template")
    assert table.index.tolist() == ["T-1", "T-2", "T-3"]
    assert table["similarity"].isna().tolist() == [False, True, False]
    assert table["accepted_1e-2"].tolist() == [False, False, True]
    assert table["accepted_1e-3"].isna().all()


def test_without_a_judge_the_table_is_empty_and_whole(tmp_path: Path) -> None:
    Scores([], []).save(tmp_path / "s.parquet")
    table = pd.read_parquet(tmp_path / "s.parquet")
    assert len(table) == 0
    assert table.columns[-1] == "similarity"
