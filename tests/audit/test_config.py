"""Where settings come from, which one wins, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from audit.compare_config import CompareConfig
from audit.config import AuditConfig, effective_yaml, load_as, load_config
from audit.config_sources import bundled, bundled_names
from audit.config_values import AttackChoice, Fmr, parse_fmr
from audit.protect.config import ProtectConfig
from audit.stress.config import StressConfig
from biometrics.errors import ConfigError

PHOTOS = "faces.path=photos"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def message(*args: object, **kwargs: object) -> str:
    """The one line of the ConfigError that loading raises."""
    with pytest.raises(ConfigError) as caught:
        load_config(*args, **kwargs)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- precedence


def test_set_wins_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "title: file\nseed: 1\nquick: false\nfaces: {path: photos}\n")
    environ = {"FACELEAK_CFG__TITLE": "environment", "FACELEAK_CFG__SEED": "2"}
    config = load_config(path, overrides=["title=set"], environ=environ)
    assert (config.title, config.seed, config.quick) == ("set", 2, False)


def test_the_last_set_wins() -> None:
    assert load_config(overrides=[PHOTOS, "seed=1", "seed=2"]).seed == 2


def test_groups_are_merged_and_lists_are_replaced(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "faces: {synth: {subjects: 30, pictures: 2}}\njudges: [dlib, mobilefacenet]\n",
    )
    environ = {"FACELEAK_CFG__FACES__SYNTH__PICTURES": "5"}
    config = load_config(path, overrides=["judges=[eigenfaces]"], environ=environ)
    assert config.faces.synth is not None
    assert (config.faces.synth.subjects, config.faces.synth.pictures) == (30, 5)
    assert config.judges == ("eigenfaces",)


def test_other_variables_of_the_environment_are_left_alone() -> None:
    environ = {"FACELEAK_LFW": "x", "PATH": "y", "FACELEAK_CFGTITLE": "z"}
    assert load_config(overrides=[PHOTOS], environ=environ) == load_config(overrides=[PHOTOS])


def test_null_drops_a_way_of_faces() -> None:
    config = load_config(bundled("demo"), overrides=["faces.synth=null", PHOTOS])
    assert config.faces.synth is None
    assert config.faces.path == Path("photos")


# --- values


@pytest.mark.parametrize(
    ("given", "label", "value"),
    [
        ("1e-2", "1e-2", 0.01),
        ("1e-02", "1e-2", 0.01),
        ("0.001", "1e-3", 0.001),
        (0.0001, "1e-4", 0.0001),
        ("5e-4", "5e-4", 0.0005),
        (0.1, "1e-1", 0.1),
    ],
)
def test_an_fmr_has_one_canonical_label(given: object, label: str, value: float) -> None:
    assert parse_fmr(given) == Fmr(label, value)


@given(digit=st.integers(1, 9), exponent=st.integers(1, 9))
def test_any_spelling_of_an_fmr_gives_the_same_label(digit: int, exponent: int) -> None:
    value = digit / 10**exponent
    for spelling in (value, repr(value), f"{value:.12f}", f"{digit}E-{exponent:02d}"):
        assert parse_fmr(spelling) == Fmr(f"{digit}e-{exponent}", float(f"{digit}e-{exponent}"))


@pytest.mark.parametrize(
    "given", ["0", "1", "-1e-3", "nan", "often", "", None, True, [1e-3], 2.5e-3]
)
def test_what_is_no_fmr_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="expected a false match rate such as 1e-3"):
        parse_fmr(given)


def test_fmr_from_set_stays_usable_though_yaml_reads_it_as_text() -> None:
    assert load_config(overrides=[PHOTOS, "fmr=[1e-2, 0.001]"]).fmr == (
        Fmr("1e-2", 0.01),
        Fmr("1e-3", 0.001),
    )


def test_one_value_where_a_list_belongs_is_a_list_of_one() -> None:
    config = load_config(overrides=[PHOTOS, "judges=dlib", "fmr=1e-3", "attacks=linear"])
    assert config.judges == ("dlib",)
    assert config.fmr == (Fmr("1e-3", 0.001),)
    assert config.attacks == (AttackChoice("linear", {}),)


def test_attacks_are_names_or_names_with_settings() -> None:
    text = "attacks=[linear, {landmark-texture: {epochs: 3}}, {other: null}]"
    assert load_config(overrides=[PHOTOS, text]).attacks == (
        AttackChoice("linear", {}),
        AttackChoice("landmark-texture", {"epochs": 3}),
        AttackChoice("other", {}),
    )


def test_paths_of_the_home_folder_are_resolved() -> None:
    config = load_config(overrides=["faces.path=~/photos", "weights.mobilefacenet=~/w.ckpt"])
    assert config.faces.path == Path.home() / "photos"
    assert config.weights == {"mobilefacenet": Path.home() / "w.ckpt"}


def test_numbers_are_text_where_text_is_meant() -> None:
    config = load_config(overrides=["faces.path=2024", "title=2024"])
    assert (config.title, config.faces.path) == ("2024", Path("2024"))


def test_the_defaults_of_the_sizes() -> None:
    config = load_config(overrides=[PHOTOS])
    assert config.appearance.model_dump() == {
        "texture_size": 112,
        "texture_components": 600,
        "shape_components": 30,
    }
    assert config.output.model_dump() == {
        "reveal": False,
        "formats": ("html", "json"),
        "samples": 12,
    }


def test_a_configuration_cannot_be_changed() -> None:
    config = load_config(overrides=[PHOTOS])
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


# --- unknown keys


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("judge=dlib", "unknown setting 'judge' in --set judge (did you mean 'judges'?)"),
        (
            "faces.synth.subject=3",
            "unknown setting 'faces.synth.subject' in --set faces.synth.subject "
            "(did you mean 'faces.synth.subjects'?)",
        ),
        (
            "faces.synt.subjects=3",
            "unknown setting 'faces.synt' in --set faces.synt.subjects "
            "(did you mean 'faces.synth'?)",
        ),
        (
            "reveal=true",
            "unknown setting 'reveal' in --set reveal (did you mean 'output.reveal'?)",
        ),
    ],
)
def test_an_unknown_key_names_itself_and_the_nearest(override: str, said: str) -> None:
    assert message(overrides=[PHOTOS, override]) == said


def test_an_unknown_key_names_the_file_or_the_variable(tmp_path: Path) -> None:
    path = write(tmp_path, "faces: {path: x}\noutput: {format: [html]}\n")
    assert message(path) == (
        f"unknown setting 'output.format' in {path} (did you mean 'output.formats'?)"
    )
    assert "'sed' in the environment variable FACELEAK_CFG__SED (did you mean 'seed'?)" in message(
        overrides=[PHOTOS], environ={"FACELEAK_CFG__SED": "1"}
    )


def test_a_key_unlike_all_others_lists_what_there_is() -> None:
    assert message(overrides=["xyzzy=1"]).endswith(", ".join(AuditConfig.model_fields))


def test_names_of_weights_are_free() -> None:
    assert load_config(overrides=[PHOTOS, "weights.my-own=x"]).weights == {"my-own": Path("x")}


# --- wrong values


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["faces.synth.subjects=1"], "faces.synth.subjects: input should be greater than or equal"),
        ([PHOTOS, "fmr=2"], "fmr.0: expected a false match rate such as 1e-3 or 5e-4; got 2"),
        ([PHOTOS, "fmr=[1e-2, 0.01]"], "'1e-2' is named twice"),
        ([PHOTOS, "judges=[dlib, dlib]"], "'dlib' is named twice"),
        ([PHOTOS, "attacks=[{linear: {}}, linear]"], "'linear' is named twice"),
        ([PHOTOS, "judges=[]"], "judges: needs at least one entry"),
        ([PHOTOS, "seed=often"], "seed: input should be a valid integer"),
        ([PHOTOS, "seed=-1"], "seed: input should be greater than or equal to 0"),
        ([PHOTOS, "title.sub=1"], "title: input should be a valid string"),
        ([PHOTOS, "attacks=[[linear]]"], "attacks.0: an attack is a name"),
        ([PHOTOS, "attacks=[{linear: {}, other: {}}]"], "attacks.0: an attack is a name"),
        (
            [PHOTOS, "output.formats=pdf"],
            "output.formats.0: unknown format 'pdf'; known: html, csv",
        ),
        (["faces=photos"], "faces: expected a group of settings"),
        ([PHOTOS, "seed"], "--set takes key.sub=value"),
        ([PHOTOS, "=1"], "--set takes key.sub=value"),
        ([PHOTOS, "fmr=[1e-2"], "--set fmr, line 1: not valid YAML"),
    ],
)
def test_a_wrong_value_names_its_key(overrides: list[str], said: str) -> None:
    assert message(overrides=overrides).startswith(said)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([], "no faces are given: set faces.path"),
        ([PHOTOS, "faces.synth={}"], "got path and synth (--set faces.synth=null drops one)"),
        (["faces.attacker=a"], "faces: attacker and leaked belong together"),
        (
            ["faces.synth={}", "faces.leak_most_pictured=2"],
            "faces: leak_most_pictured changes the split of one folder; give path",
        ),
        (
            ["faces.attacker=a", "faces.leaked=b", "faces.leak_most_pictured=2"],
            "faces: leak_most_pictured changes the split of one folder; give path",
        ),
        (["faces.leaked=a", PHOTOS], "faces: attacker and leaked belong together"),
        (["faces.attacker=a", "faces.leaked=b", PHOTOS], "got path and attacker"),
        (["faces.pairs=p.txt"], "got none"),
    ],
)
def test_faces_come_in_exactly_one_way(overrides: list[str], said: str) -> None:
    assert said in message(overrides=overrides)


def test_two_folders_are_one_way() -> None:
    faces = load_config(overrides=["faces.attacker=a", "faces.leaked=b"]).faces
    assert (faces.attacker, faces.leaked) == (Path("a"), Path("b"))


# --- files


def test_bad_yaml_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "title: x\nseed: 1\n  fmr: [\n")
    assert message(path).startswith(f"{path}, line 3: not valid YAML: ")


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "seed: 1\ntitle: x\nseed: 2\n")
    assert message(path) == f"{path}, line 3: not valid YAML: 'seed' is given twice"


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    path = write(tmp_path, "title: !!python/object/apply:os.getcwd []\n")
    assert "not valid YAML" in message(path)


@pytest.mark.parametrize("text", ["- a list\n", "just text\n", "1: x\n"])
def test_a_file_must_hold_settings(tmp_path: Path, text: str) -> None:
    assert "expected 'key: value' lines" in message(write(tmp_path, text))


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "# nothing\n")
    assert load_config(path, overrides=[PHOTOS]) == load_config(overrides=[PHOTOS])


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00title")
    assert message(path).endswith("it is not UTF-8 text")


def test_an_absent_file_lists_what_ships() -> None:
    said = message("lfw-dlibb")
    assert said.startswith("no configuration 'lfw-dlibb' (did you mean 'lfw-dlib'?)")
    assert all(name in said for name in bundled_names())


# --- what ships


def test_what_ships_is_found_by_name_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for source in ("demo", "demo.yaml", "configs/demo.yaml", Path("configs/demo.yaml")):
        assert load_config(source) == load_config(bundled("demo"))


def test_a_file_of_the_users_wins_over_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo.yaml").write_text("title: mine\nfaces: {path: x}\n", encoding="utf-8")
    assert load_config("demo.yaml").title == "mine"
    assert load_config(bundled("demo")).title != "mine"


def test_four_configurations_ship() -> None:
    assert {"demo", "lfw-dlib", "lfw-mobilefacenet", "lfw-eigenfaces"} <= set(bundled_names())


@pytest.mark.parametrize("name", bundled_names())
def test_what_ships_loads_and_survives_its_own_yaml(name: str, tmp_path: Path) -> None:
    overrides = [] if name.endswith("demo") else [PHOTOS]
    kinds = {"compare": CompareConfig, "stress": StressConfig, "protect": ProtectConfig}
    kind = kinds.get(name.partition("-")[0], AuditConfig)
    config = load_as(kind, name, overrides=overrides)
    assert load_as(kind, write(tmp_path, effective_yaml(config))) == config


def test_an_audit_of_several_targets_names_the_command_for_it() -> None:
    with pytest.raises(ConfigError, match=r"compare-lfw has 'formats'.*faceleak compare"):
        load_config("compare-lfw", overrides=[PHOTOS])


def test_a_comparison_is_one_audit_a_target_with_every_target_for_a_judge() -> None:
    config = load_as(CompareConfig, "compare-lfw", overrides=[PHOTOS, "judges=[lbp, dlib]"])
    audits = config.audits(["other"])
    assert [a.target for a in audits] == ["dlib", "mobilefacenet", "eigenfaces", "lbp"]
    expected = ("dlib", "mobilefacenet", "eigenfaces", "lbp", "other")
    assert {a.judges for a in audits} == {expected}
    for audit in audits:
        assert audit.title.endswith(f": {audit.target}")
        assert type(audit) is AuditConfig
        assert AuditConfig.model_validate(yaml.safe_load(effective_yaml(audit))) == audit


def test_the_effective_yaml_is_complete_and_plain(tmp_path: Path) -> None:
    config = load_config(
        overrides=[PHOTOS, "attacks=[linear, {other: {rate: 0.5}}]", "weights.x=~/w", "fmr=[0.01]"]
    )
    text = effective_yaml(config)
    values = yaml.safe_load(text)
    unset = {name for name in AuditConfig.model_fields if getattr(config, name) is None}
    assert unset <= {"search", "leak", "about"}
    assert set(values) == set(AuditConfig.model_fields) - unset
    assert values["attacks"] == ["linear", {"other": {"rate": 0.5}}]
    assert values["fmr"] == ["1e-2"]
    assert load_config(write(tmp_path, text)) == config


def test_a_search_of_degraded_templates_is_refused() -> None:
    with pytest.raises(ConfigError, match="drop search or leak"):
        load_config(overrides=["faces.path=/tmp", "search={}", "leak.occlude=eyes"])
