from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from attacks.perturbation.base import PERTURBATIONS, Pictures
from audit.config_values import Fmr
from audit.judging import Cut
from audit.stress import geometry
from audit.stress.recognition import Drawn, Recognised, recognised
from audit.stress.settings import GeometrySettings, StressSettings
from audit.stress.undo import undoing
from biometrics.template_map import TemplateMap
from reports.results import Measured, NotMeasured, Results
from tests.audit.stress.small import run_small

FACES = {"synth": {"subjects": 8, "pictures": 2, "attacker_subjects": 24, "threshold_subjects": 40}}
"""40 threshold people are 780 pairs: enough for FMR 5e-2."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The identity, whose templates are inverted, and a quarter turn, of which a strip is shown."""
    with pytest.MonkeyPatch.context() as patch:
        chosen = [PERTURBATIONS.get("scale")(1.0), PERTURBATIONS.get("rotation")(-90.0)]
        patch.setattr(geometry, "transforms", lambda sizes: chosen)
        folder = tmp_path_factory.mktemp("geometry") / "run"
        sizes = {"shown": 2, "geometry": {"pairs": 30, "threshold_people": 1000}}
        found = run_small(folder, ["geometry"], sizes, faces=FACES, fmr=["5e-2", "1e-3"])
    stages = json.loads((folder / "manifest.json").read_text())["stages"]
    assert sum(name.startswith("perturbed/") for name in stages) == 6  # three sets of people each
    return found


def row(results: Results, perturbation: str, attack: str = "", repaired: bool = False) -> Any:
    found = [
        r
        for r in results.stress
        if (r.perturbation, r.attack, r.repaired) == (perturbation, attack, repaired)
    ]
    assert len(found) == 1
    return found[0]


# --- a whole run ---------------------------------------------------------------------------------


def test_the_identity_gives_the_clean_numbers_exactly(results: Results) -> None:
    clean, same = row(results, "none"), row(results, "scale")
    assert isinstance(clean.tmr["5e-2"], Measured)
    assert same.tmr == clean.tmr
    assert clean.measures.items() <= same.measures.items()
    assert same.measures["shift"].value == pytest.approx(1)
    assert same.tmr_difference["5e-2"].value == 0
    before, after = row(results, "none", "linear"), row(results, "scale", "linear")
    for name in ("type1", "type2", "tmr", "detection_rate", "measures", "n_failed"):
        assert getattr(before, name) == getattr(after, name)
    assert after.difference["5e-2"].value == 0


def test_a_turned_face_is_not_known_and_its_map_is_told_apart(results: Results) -> None:
    clean, turned = row(results, "none"), row(results, "rotation")
    mended = row(results, "rotation", repaired=True)
    assert clean.tmr["5e-2"].value > 0.6
    assert turned.tmr["5e-2"].value < 0.3
    assert mended.measures["shift"].value > turned.measures["shift"].value + 0.2
    gain = mended.tmr["5e-2"].value - turned.tmr["5e-2"].value
    assert mended.tmr_difference["5e-2"].value == pytest.approx(gain)
    assert -1 < mended.measures["explained"].value < 1  # 30 pairs predict next to nothing
    assert "30 pictures of 24 of the attacker's people" in mended.note
    assert (turned.strength, turned.unit, turned.label) == (-90, "degrees", "turned by -90°")
    for found in (clean, turned, mended):
        assert isinstance(found.tmr["1e-3"], NotMeasured)
        assert "780 distinct subject pairs" in found.tmr["1e-3"].not_measured
        assert found.measures["realised_fmr_5e_2"].n == 28
        assert isinstance(found.measures["deployed_tmr_1e_3"], NotMeasured)
        assert 0 <= found.measures["deployed_fmr_5e_2"].value <= 1


def test_rows_of_inversion_and_strips(results: Results) -> None:
    mapped = row(results, "scale", "linear", repaired=True)
    assert mapped.tmr == {}
    assert "before the map" in mapped.note
    assert not [r for r in results.stress if r.attack and r.perturbation == "rotation"]
    strip = row(results, "rotation").samples
    assert len(strip) == 2
    for sample in strip:
        assert None not in (sample.original, sample.perturbed)
        assert None not in (sample.reconstruction, sample.repaired)
    assert len(row(results, "scale", "linear").samples) == 2
    assert all(s.repaired is None for s in row(results, "none", "linear").samples)


# --- one condition -------------------------------------------------------------------------------


CELLS, SIDE = 7, 32
PEOPLE, STRANGERS, LEARN = 40, 60, 120


def toy() -> tuple[NDArray[np.uint8], NDArray[np.str_], Drawn]:
    """Pictures of 7 x 7 squares, two of each person; of strangers and of the attacker's one."""
    rng = np.random.default_rng(0)
    counts = np.r_[np.full(PEOPLE, 2), np.ones(STRANGERS + LEARN, dtype=int)]
    owner = np.repeat(np.arange(len(counts)), counts)
    cells = 128 + 30 * rng.normal(size=(len(counts), CELLS, CELLS))[owner]
    cells += 15 * rng.normal(size=cells.shape)
    grey = np.clip(np.rint(cells), 0, 255).astype(np.uint8)
    crops = np.repeat(np.repeat(grey, SIDE, axis=1), SIDE, axis=2)
    rows = np.split(np.arange(len(owner)), [2 * PEOPLE, 2 * PEOPLE + STRANGERS])
    drawn = Drawn(rows[2], rows[1], rows[0], np.empty((0, 0), dtype=np.float32))
    return np.repeat(crops[..., None], 3, axis=3), owner.astype(str), drawn


def embedded(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A backbone that is exactly equivariant under quarter turns: linear, and as rich as what it
    sees."""
    seen = crops[:, SIDE // 2 :: SIDE, SIDE // 2 :: SIDE, 0].reshape(len(crops), -1)
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(CELLS**2, CELLS**2)))[0]
    return (seen @ basis / 100).astype(np.float32)


def test_a_map_of_an_equivariant_backbone_restores_the_rate() -> None:
    crops, names, drawn = toy()
    landmarks = np.zeros((len(crops), 68, 2), dtype=np.float32)
    seeds = np.zeros(len(crops), dtype=np.uint64)
    clean = embedded(crops)
    turned = embedded(
        PERTURBATIONS.get("rotation")(90.0).apply(Pictures(crops, landmarks, seeds)).crops
    )
    drawn = Drawn(drawn.learn, drawn.threshold, drawn.leaked, clean[drawn.leaked])
    bench = cast(
        "Any",
        SimpleNamespace(
            clean=lambda judge, rows: clean[rows],
            names=names,
            config=SimpleNamespace(fmr=(Fmr("2e-2", 0.02),)),
            seed=0,
        ),
    )
    judge = cast("Any", SimpleNamespace(name="toy", kind="l2", cuts=(Cut("2e-2", -2.5),)))
    undo = undoing(turned[drawn.learn], clean[drawn.learn], "l2", seed=0)

    def rates(version: NDArray[np.float32]) -> Recognised:
        return recognised(bench, judge, drawn, version[drawn.threshold], version[drawn.leaked])

    plain, lost, mended = rates(clean), rates(turned), rates(undo.apply(turned))
    assert plain.by_subject["2e-2"].mean() > 0.9
    assert lost.by_subject["2e-2"].mean() < 0.2
    assert mended.by_subject["2e-2"].mean() == pytest.approx(
        plain.by_subject["2e-2"].mean(), abs=0.02
    )
    gain = mended.less(lost, 0)["2e-2"]
    assert isinstance(gain, Measured)
    assert gain.low is not None
    assert gain.low > 0.5
    for word in ("realised_fmr_2e_2", "deployed_tmr_2e_2", "deployed_fmr_2e_2"):
        rate = cast("Any", plain.measures[word]).value
        assert cast("Any", mended.measures[word]).value == pytest.approx(rate, abs=0.02)
    # A constant added to all mapped templates moves every score: its own threshold follows.
    moved = rates(undo.apply(turned) + 0.4)
    assert cast("Any", moved.measures["deployed_tmr_2e_2"]).value == 0
    assert moved.by_subject["2e-2"].mean() > 0.3
    whole = geometry.explained(bench, drawn, undo.apply(turned)[drawn.leaked], undo)
    assert cast("Any", whole).value == pytest.approx(1, abs=0.01)


def test_explained_is_nothing_for_the_mean() -> None:
    _, names, drawn = toy()
    rng = np.random.default_rng(2)
    clean = rng.normal(size=(len(drawn.leaked), 5)).astype(np.float32)
    mean = clean.mean(axis=0)
    drawn = Drawn(drawn.learn, drawn.threshold, drawn.leaked, clean)
    nothing = TemplateMap(mean, np.zeros((5, 5), np.float32), mean, False, 2, 1.0, 0.0)
    bench = cast("Any", SimpleNamespace(names=names, seed=0))
    found = geometry.explained(bench, drawn, nothing.apply(clean), nothing)
    assert isinstance(found, Measured)
    assert found.value == pytest.approx(0, abs=1e-6)
    assert found.n == PEOPLE


def test_all_transforms_and_the_quick_sizes() -> None:
    labels = [t.label for t in geometry.transforms(GeometrySettings())]
    assert len(labels) == len(set(labels)) == 11 + 4 + 2
    assert {"turned by 180°", "shifted up by 20 %", "0.5 times the size"} < set(labels)
    quick = StressSettings().quick().geometry
    people = quick.threshold_people
    assert people is not None
    assert people * (people - 1) / 2 * 1e-3 >= 30
