from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from biometrics.faces import face_filter
from biometrics.faces.face_filter import broken_rules, filter_faces
from biometrics.faces.faceset import FaceSet
from biometrics.faces.filter_settings import RULES, FilterSettings
from biometrics.faces.head_pose import HeadPose
from biometrics.faces.quality import Quality

FINE = {
    "colour": 20.0,
    "sharpness": 50.0,
    "mouth_opening": 0.05,
    "mouth_width": 0.9,
    "mouth_lift": -0.1,
    "eye_opening": 0.3,
    "bridge_edge": 0.2,
    "forehead": 30.0,
    "yaw": 0.0,
    "pitch": 0.0,
    "roll": 0.0,
}
BAD = [
    ("colour", 1.0, "monochrome"),
    ("sharpness", 5.0, "blurred"),
    ("mouth_opening", 0.4, "expression"),
    ("mouth_width", 1.2, "expression"),
    ("mouth_lift", 0.1, "expression"),
    ("eye_opening", 0.1, "expression"),
    ("eye_opening", 0.5, "expression"),
    ("bridge_edge", 0.8, "eyeglasses"),
    ("forehead", 150.0, "headwear"),
    ("yaw", 5.1, "yaw"),
    ("yaw", -5.1, "yaw"),
    ("pitch", -6.0, "pitch"),
    ("roll", 7.0, "roll"),
]


def measures(*changes: dict[str, float]) -> tuple[Quality, HeadPose]:
    """Five faces without fault, then one for each of ``changes``."""
    rows = [FINE] * 5 + [FINE | change for change in changes]
    columns = {name: np.array([row[name] for row in rows]) for name in FINE}
    pose = {name: columns.pop(name) for name in ("yaw", "pitch", "roll")}
    return Quality(**columns), HeadPose(**pose)


@pytest.mark.parametrize(("measure", "value", "rule"), BAD)
def test_each_rule_drops_what_it_names(measure: str, value: float, rule: str) -> None:
    broken = broken_rules(*measures({measure: value}), FilterSettings())
    assert tuple(broken) == RULES
    for name, mask in broken.items():
        assert mask.tolist() == [False] * 5 + [name == rule]


def report_of(
    monkeypatch: pytest.MonkeyPatch, faces: FaceSet, settings: FilterSettings
) -> face_filter.FilterReport:
    changes = [{"yaw": 9.0, "pitch": 9.0}, {"yaw": 9.0}, {"colour": 0.0}]
    quality, pose = measures(*changes)
    monkeypatch.setattr(face_filter, "measure_quality", lambda *_, **__: quality)
    monkeypatch.setattr(face_filter, "head_pose", lambda *_: pose)
    return filter_faces(faces.take(np.arange(8)), settings)


def test_the_counts_say_what_each_rule_drops_alone(
    monkeypatch: pytest.MonkeyPatch, synthetic: FaceSet
) -> None:
    report = report_of(monkeypatch, synthetic, FilterSettings())
    counts = {rule.name: (rule.dropped, rule.alone) for rule in report.rules}
    assert counts["yaw"] == (2, 1)
    assert counts["pitch"] == (1, 0)
    assert counts["monochrome"] == (1, 1)
    assert counts["headwear"] == (0, 0)
    assert report.rows.tolist() == [0, 1, 2, 3, 4]


def test_a_rule_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, synthetic: FaceSet) -> None:
    report = report_of(monkeypatch, synthetic, FilterSettings(yaw=False))
    counts = {rule.name: (rule.dropped, rule.alone) for rule in report.rules}
    assert counts["yaw"] == (None, None)
    assert counts["pitch"] == (1, 1)
    assert report.rows.tolist() == [0, 1, 2, 3, 4, 6]
    assert "yaw" not in report.broken
    everything = report_of(
        monkeypatch,
        synthetic,
        FilterSettings(**dict.fromkeys(RULES, False)),  # type: ignore[arg-type]
    )
    assert everything.kept.all()


def test_approximations_say_so() -> None:
    stand_ins = {name for name, (how, says) in face_filter.HOW.items() if says}
    assert stand_ins == {"expression", "eyeglasses", "headwear"}
    assert all("approximated" in face_filter.HOW[name][0] for name in stand_ins)
    assert set(face_filter.HOW) == set(RULES)


def test_faces_go_through_all_measures(synthetic: FaceSet) -> None:
    seen: list[int] = []
    report = filter_faces(synthetic, advance=seen.append)
    assert sum(seen) == len(synthetic) == len(report.kept)
    dropped = np.any(list(report.broken.values()), axis=0)
    np.testing.assert_array_equal(report.kept, ~dropped)


def test_no_faces_are_no_error(synthetic: FaceSet) -> None:
    report = filter_faces(synthetic.take([]))
    assert report.kept.shape == (0,)
    assert {rule.dropped for rule in report.rules} == {0}


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="max_anlge"):
        FilterSettings.model_validate({"max_anlge": 3})
    with pytest.raises(ValidationError, match="greater than 0"):
        FilterSettings(max_angle=0)
