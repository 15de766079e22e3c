from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biometrics.backbones.base import load_backbone
from biometrics.errors import OutputError, WeightsError
from biometrics.stores.fingerprint import learn, match
from biometrics.stores.known_backbones import (
    FILE,
    Calibration,
    KnownBackbones,
    shipped_calibration,
    shipped_fingerprints,
)
from biometrics.weights import known

ASSETS = Path(__file__).parents[3] / "biometrics" / "stores" / "assets"


def some() -> KnownBackbones:
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 20)) @ random.normal(size=(20, 20)) + 1
    mark = learn(rows, "one", "drawn").joined(learn(-rows, "one", "turned"))
    calibration = Calibration("one", None, "l2", {1e-2: -0.5, 1e-3: -0.25}, 12, 34, 1.5, 0.25)
    return KnownBackbones((mark,), (calibration,))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    before, path = some(), tmp_path / "marks"
    before.save(path)
    after = KnownBackbones.load(path)
    assert after.calibrations == before.calibrations
    (old,), (new,) = before.fingerprints, after.fingerprints
    assert (new.name, new.dim, new.norm_mean) == (old.name, old.dim, old.norm_mean)
    for a, b in zip(old.learnt, new.learnt, strict=True):
        assert (a.of, a.rows) == (b.of, b.rows)
        np.testing.assert_array_equal(a.mean, b.mean)
        largest = np.abs(a.covariance).max()
        np.testing.assert_allclose(a.covariance, b.covariance, atol=1e-3 * largest)
        np.testing.assert_array_equal(b.covariance, b.covariance.T)
    rows = np.random.default_rng(1).normal(size=(50, 20))
    assert match(rows, [old])[0].score == pytest.approx(match(rows, [new])[0].score, abs=1e-2)


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        some().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.floats(0, 0.999), byte=st.integers(0, 255))
def test_a_damaged_file_is_an_error_in_one_line(tmp_path: Path, cut: float, byte: int) -> None:
    path = tmp_path / "marks"
    some().save(path)
    whole = path.read_bytes()
    for damaged in (
        whole[: int(cut * len(whole))],
        whole[: (at := int(cut * 600))] + bytes([byte]) + whole[at + 1 :],  # in the header
    ):
        path.write_bytes(damaged)
        said = ""
        try:
            KnownBackbones.load(path)
        except WeightsError as error:
            said = str(error)
        assert not said or (str(path) in said and "\n" not in said)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        some().save(tmp_path / "no" / "marks")
    with pytest.raises(WeightsError, match="no readable safetensors"):
        KnownBackbones.load(tmp_path / "no")


def test_what_ships_is_small_and_belongs_to_the_weights_of_today() -> None:
    assert sum(path.stat().st_size for path in ASSETS.iterdir()) <= 1_000_000
    names = [mark.name for mark in shipped_fingerprints()]
    assert names == ["dlib", "faceleak-mini", "mobilefacenet"]
    for name in names:
        calibration = shipped_calibration(name)
        assert calibration is not None
        if name == "mobilefacenet":
            assert calibration.sha256 == known(name).sha256
        else:
            spec = load_backbone(name).spec
            assert calibration.sha256 == spec.sha256
            assert calibration.similarity == spec.similarity
        cuts = [calibration.thresholds[fmr] for fmr in (1e-2, 1e-3, 1e-4)]
        assert cuts == sorted(cuts)
        assert len(set(cuts)) == 3
        assert all(cut == np.float32(cut) for cut in cuts)
        mark = next(mark for mark in shipped_fingerprints() if mark.name == name)
        assert [part.of for part in mark.learnt] == ["photographs", "generated people"]
        assert calibration.norm_mean == pytest.approx(mark.norm_mean, rel=0.05)
        assert calibration.pictures > calibration.subjects > 3000
    assert shipped_calibration("lbp") is None


def test_the_card_says_what_the_file_holds() -> None:
    card = (ASSETS / "fingerprints.md").read_text(encoding="utf-8")
    assert FILE in card
    assert f"{(ASSETS / FILE).stat().st_size:,} bytes" in card
    for mark in shipped_fingerprints():
        calibration = shipped_calibration(mark.name)
        assert calibration is not None
        assert f"| {mark.name} |" in card
        assert f"{calibration.thresholds[1e-3]:.4f}" in card
