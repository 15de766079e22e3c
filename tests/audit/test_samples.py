"""The pictures that the report shows, and what it calls the people on them."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from audit.estimates import estimate, mean_estimate, rate_estimate
from audit.samples import choose_rows
from biometrics.metrics.intervals import Interval
from biometrics.metrics.intervals import NotMeasured as NoFact
from reports.pictures import is_marked
from reports.results import Measured, NotMeasured, load_results
from tests.audit.conftest import Finished

SALT = bytes(range(32))


def test_no_name_leaves_the_run_folder(finished: Finished) -> None:
    split = (finished.path / "split.csv").read_text()
    names = set(re.findall(r"person-\d{5}", split))
    assert len(names) == 142
    for document in ("results.json", "results.csv", "report.html", "manifest.json"):
        text = (finished.path / document).read_text(encoding="utf-8")
        assert "person-" not in text, document
    assert "person-" not in finished.stdout + finished.stderr


def test_one_subject_has_one_pseudonym_in_all_rows(finished: Finished) -> None:
    samples = load_results(finished.path).samples
    subjects = {sample.subject for sample in samples}
    assert len(subjects) == 3
    assert all(re.fullmatch(r"S-[0-9a-f]{8}", name) for name in subjects)
    assert all(re.fullmatch(r"T-[0-9a-f]{8}", sample.template) for sample in samples)
    attacks = [sample.attack for sample in samples if sample.subject == samples[0].subject]
    assert attacks == ["linear", "landmark-texture"]


def test_a_sample_says_whether_it_was_accepted(finished: Finished) -> None:
    results = load_results(finished.path)
    threshold = results.backbones["dlib"].thresholds["1e-2"]
    assert isinstance(threshold, float)
    for sample in results.samples:
        assert sample.fmr == "1e-2", "1e-3 could not be measured"
        expected = sample.detected and sample.similarity["dlib"] >= threshold
        assert sample.accepted_by == {"dlib": expected}


def test_reconstructions_are_marked_and_originals_are_not(finished: Finished) -> None:
    for sample in load_results(finished.path).samples:
        assert sample.original is not None
        assert sample.reconstruction is not None
        with Image.open(finished.path / sample.reconstruction) as picture:
            assert is_marked(picture)
        with Image.open(finished.path / sample.original) as picture:
            assert not is_marked(picture)


def test_rows_are_drawn_from_names_and_seed_alone() -> None:
    """No argument carries a result, so that nobody can show the best ones."""
    subjects = np.array([f"s{i // 3:02d}" for i in range(60)])
    rows = choose_rows(subjects, 8, seed=1)
    assert len(rows) == len(set(subjects[rows])) == 8
    assert rows.tolist() == choose_rows(subjects, 8, seed=1).tolist()
    assert rows.tolist() != choose_rows(subjects, 8, seed=2).tolist()
    assert len(choose_rows(subjects, 200, seed=1)) == 20
    assert len(choose_rows(subjects, 0, seed=1)) == 0


def test_facts_become_estimates() -> None:
    assert estimate(Interval(0.5, 0.4, 0.6, 9)) == Measured(value=0.5, low=0.4, high=0.6, n=9)
    assert estimate(NoFact("too few")) == NotMeasured(not_measured="too few")


def test_averages_are_within_subjects_first() -> None:
    index = np.array([0, 0, 0, 1])
    found = mean_estimate(np.array([1.0, 1.0, 1.0, 0.0]), index, 0)
    share = rate_estimate(np.array([True, True, True, False]), index, 0)
    assert isinstance(found, Measured)
    assert isinstance(share, Measured)
    assert (found.value, found.n) == (share.value, share.n) == (0.5, 2)
    assert share.low is not None


def test_rounding_at_the_ends_of_an_interval_goes() -> None:
    found = estimate(Interval(0.5, 2e-17, 0.9999999999999, 7))
    assert found == Measured(value=0.5, low=0.0, high=1.0, n=7)
    kept = estimate(Interval(0.5, 1e-9, 0.7, 7))
    assert kept == Measured(value=0.5, low=1e-9, high=0.7, n=7)
