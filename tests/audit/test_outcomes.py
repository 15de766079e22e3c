"""Outcomes of every person: what the rates are averages of, under pseudonyms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.outcomes import OUTCOMES, OutcomeLog, Outcomes
from audit.pseudonyms import pseudonym
from biometrics.errors import InputError
from biometrics.metrics.success import BySubject
from tests.audit import tiny
from tests.audit.conftest import Finished

SALT = b"0123456789abcdef"
SUBJECTS = np.array(["Zoe", "Ann", "Bob", "Ann", "Zoe"])


def log() -> OutcomeLog:
    kept = OutcomeLog(SUBJECTS, SALT)
    rates = BySubject(np.array([0.5, 0.0, 1.0]), np.array([0.25, 0.75]), np.array([1.0, 1.0]))
    kept.add_rates("linear", "dlib", "1e-2", rates)
    kept.add_likeness("linear", {"psnr_crop": np.array([10.0, 20.0, 30.0, 40.0, 12.0])})
    return kept


def code(name: str) -> str:
    return pseudonym(name, SALT, "S", size=12)


def test_every_person_keeps_its_own_rates(tmp_path: Path) -> None:
    log().save(tmp_path / OUTCOMES)
    found = Outcomes.load(tmp_path)
    type1 = found.values("linear", "dlib", "type1", "1e-2")
    assert type1 is not None
    assert dict(zip(found.people, type1, strict=True)) == {
        code("Ann"): 0.5,
        code("Bob"): 0.0,
        code("Zoe"): 1.0,
    }
    order = [p for p in found.people if p != code("Bob")]
    type2 = found.values("linear", "dlib", "type2", "1e-2")
    assert type2 is not None
    assert dict(zip(order, type2, strict=True)) == {code("Ann"): 0.25, code("Zoe"): 0.75}
    psnr = found.values("linear", "", "psnr_crop")
    assert psnr is not None
    assert dict(zip(found.people, psnr, strict=True)) == {
        code("Ann"): 30.0,
        code("Bob"): 30.0,
        code("Zoe"): 11.0,
    }
    assert found.values("linear", "dlib", "type1", "1e-3") is None


def test_people_are_in_the_order_of_their_pseudonyms_whatever_their_names(tmp_path: Path) -> None:
    """Twenty people of whom every third has a second picture: each keeps what is its own."""
    names = [f"P{i:02d}" for i in range(20)]
    subjects = np.array(names + names[::3])
    kept = OutcomeLog(subjects, SALT)
    type1, type2 = np.linspace(0, 1, 20), np.linspace(0, 1, 20)[::3]
    kept.add_rates("x", "dlib", "1e-2", BySubject(type1, type2, type2))
    kept.save(tmp_path / OUTCOMES)
    found = Outcomes.load(tmp_path)
    assert list(found.people) == sorted(found.people) != [code(n) for n in names]
    own = {code(n): v for n, v in zip(names, type1, strict=True)}
    for measure, people in (("type1", names), ("type2", names[::3])):
        values = found.values("x", "dlib", measure, "1e-2")
        assert values is not None
        wanted = {code(n) for n in people}
        order = [p for p in found.people if p in wanted]
        assert values == pytest.approx([own[p] for p in order], abs=1e-6)


def test_likeness_that_was_measured_on_some_pictures_only_is_left_out(tmp_path: Path) -> None:
    kept = log()
    kept.add_likeness("linear", {"lpips_vgg": np.array([0.1, np.nan, 0.2, 0.3, 0.4])})
    kept.save(tmp_path / OUTCOMES)
    assert Outcomes.load(tmp_path).values("linear", "", "lpips_vgg") is None


def test_no_name_is_written(tmp_path: Path) -> None:
    log().save(tmp_path / OUTCOMES)
    data = (tmp_path / OUTCOMES).read_bytes()
    assert b"S-" in data
    assert not any(name.encode() in data for name in ("Zoe", "Ann", "Bob"))


def test_a_folder_without_outcomes_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"holds no {OUTCOMES}.*run its audit again"):
        Outcomes.load(tmp_path)
    (tmp_path / OUTCOMES).write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="is damaged"):
        Outcomes.load(tmp_path)
    pd.DataFrame({"subject": ["S-1"], "not json": [1.0]}).to_parquet(tmp_path / OUTCOMES)
    with pytest.raises(InputError, match="is damaged"):
        Outcomes.load(tmp_path)


def test_the_rates_of_results_are_their_means(finished: Finished) -> None:
    """Every rate and likeness of a whole run, from the file alone."""
    found, results = Outcomes.load(finished.path), tiny.read(finished.path)
    assert len(found.people) == tiny.SUBJECTS
    compared = 0
    for attack in results["attacks"]:
        for judge, verdict in attack["judges"].items():
            for measure in ("type1", "type2"):
                values = found.values(attack["attack"], judge, measure, "1e-2")
                assert values is not None
                assert values.mean() == pytest.approx(verdict[measure]["1e-2"]["value"], abs=1e-6)
                assert found.values(attack["attack"], judge, measure, "1e-3") is None
                compared += 1
        for measure in ("psnr_crop", "ssim_face"):
            values = found.values(attack["attack"], "", measure)
            assert values is not None
            assert values.mean() == pytest.approx(attack["image"][measure]["value"], rel=1e-5)
    assert compared == 2 * len(results["attacks"])
    assert (finished.path / OUTCOMES).stat().st_mode & 0o777 == 0o600
    columns = [c for c in pd.read_parquet(finished.path / OUTCOMES).columns if c != "subject"]
    assert all(len(json.loads(column)) == 4 for column in columns)
