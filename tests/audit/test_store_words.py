"""What an audit of a store says beyond its rates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from audit.store_audit import _is_open, _strangers_here
from biometrics.backbones import dlib_resnet
from reports.results import Measured, NotMeasured


@pytest.mark.parametrize(
    ("low", "said"),
    [(0.0101, "accepts 1 stranger in 75."), (0.001, ""), (0.0005, "")],
)
def test_a_threshold_that_is_laxer_on_the_store_is_said_so(low: float, said: str) -> None:
    rate = Measured(value=0.0133, low=low, high=0.02, n=100)
    told = _strangers_here(rate, "1e-3")
    assert told.endswith(said)
    assert bool(told) is bool(said)


def test_what_was_not_measured_is_not_said() -> None:
    assert _strangers_here(NotMeasured(not_measured="nobody is named"), "1e-3") == ""
    assert _strangers_here(None, "1e-3") == ""


def test_a_published_file_is_open_and_ones_own_or_a_fitted_model_is_not() -> None:
    published = dlib_resnet.SPEC
    assert _is_open(published)
    assert not _is_open(published.of_user_file(Path("mine.pt"), "ab" * 32))
    assert not _is_open(replace(published, sha256=None))
    assert not _is_open(replace(published, name="onnx:mine.onnx"))
