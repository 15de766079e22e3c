"""What a stress run can be told, and what becomes of it in a quick one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from audit.config import effective_yaml, load_as, load_config
from audit.config_sources import bundled
from audit.sizes import Sizes
from audit.stress.config import StressConfig
from audit.stress.settings import StressSettings
from biometrics.errors import ConfigError

PHOTOS = "faces.path=photos"


def load(*overrides: str) -> StressConfig:
    return load_as(StressConfig, overrides=[PHOTOS, *overrides])


class Inner(Sizes):
    """A group with a full and a quick size."""

    steps: int = 40
    people: int = 300
    QUICK: ClassVar[dict[str, Any]] = {"steps": 4, "people": 30}


class Outer(Sizes):
    """A group in which another lies."""

    inner: Inner = Inner()
    many: int = 9


def test_quick_sizes_reach_groups_within_groups() -> None:
    assert Outer().quick() == Outer(inner=Inner(steps=4, people=30))


def test_what_somebody_set_by_hand_counts_in_a_quick_run_too() -> None:
    assert Outer(inner=Inner(steps=40)).quick().inner == Inner(steps=40, people=30)


def test_a_quick_run_takes_500_people_and_a_full_one_all() -> None:
    assert load("quick=true").stress.subjects == 500
    assert load().stress.subjects is None
    assert load("quick=true", "stress.subjects=20").stress.subjects == 20


@pytest.mark.parametrize("subjects", ["null", "20"])
@pytest.mark.parametrize("quick", ["true", "false"])
def test_the_settings_of_a_run_load_again_as_they_were(
    subjects: str, quick: str, tmp_path: Path
) -> None:
    config = load(f"quick={quick}", f"stress.subjects={subjects}")
    path = tmp_path / "stress.yaml"
    path.write_text(effective_yaml(config, nulls=True))
    assert load_as(StressConfig, path) == config
    assert config.stress.subjects == (None if subjects == "null" else 20)


def test_every_target_judges_and_the_split_stays_whole() -> None:
    config = load("targets=[dlib, eigenfaces]", "judges=[lbp]", "quick=true", "attacks=[gan]")
    audits = config.audits()
    assert list(audits) == ["dlib", "eigenfaces"]
    for target, audit in audits.items():
        assert audit.target == target
        assert audit.judges == ("dlib", "eigenfaces", "lbp")
        assert not audit.quick  # a quarter of the people would measure no FMR of 1e-3
    full = load("attacks=[gan]").audits()["dlib"].attacks[0]
    short = audits["dlib"].attacks[0]
    assert full.settings == {}
    assert short.settings["epochs"] >= 1


def test_without_targets_the_target_is_put_under_stress() -> None:
    assert list(load("target=lbp").audits()) == ["lbp"]


def test_people_with_most_pictures_leak_where_templates_are_averaged() -> None:
    def most(*overrides: str) -> int:
        return load(*overrides).audits()["dlib"].faces.leak_most_pictured

    assert most() == 50
    assert most("stress.aggregation.subjects=7") == 7
    assert most("stress.families=[occlusion]") == 0
    generated = load_as(StressConfig, overrides=["faces={synth: {}}"]).audits()["dlib"]
    assert generated.faces.leak_most_pictured == 0


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["leak.occlude=eyes"], "leak: a stress run takes clean pictures"),
        (["search={}"], "search is for audits"),
        (["stress.families=[occlusion, occlusion]"], "occlusion"),
        (["stress.families=[clouds]"], "stress.families"),
        (["stress.occulsion={}"], "did you mean 'stress.occlusion'"),
        (["targets=[dlib, dlib]"], "dlib"),
    ],
)
def test_nonsense_is_refused_in_one_line(overrides: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(*overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["stress-demo", "stress-lfw"])
def test_what_ships_loads(name: str) -> None:
    config = load_as(StressConfig, bundled(name), overrides=[PHOTOS, "faces.synth=null"])
    assert len(config.targets) == 2
    assert config.stress.families == StressSettings().families


def test_an_audit_says_which_command_a_stress_configuration_is_for(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("faces: {path: photos}\nstress: {subjects: 5}\n")
    with pytest.raises(ConfigError, match=r"'stress': it is for faceleak stress"):
        load_config(path)
