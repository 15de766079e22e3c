"""The commands beside ``audit``: what they hand on, what they print, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from audit.config import AuditConfig
from audit.watch import Watch
from biometrics.errors import UnknownNameError, WeightsError
from tests.audit.conftest import Faceleak
from tests.audit.test_cli import stand_in

COMMANDS = [
    ["train"],
    ["doctor"],
    ["embed"],
    ["invert"],
    ["reproduce"],
    ["faces", "filter"],
    ["faces", "morphs"],
    ["faces", "averages"],
    ["weights"],
    ["weights", "list"],
    ["weights", "pull"],
    ["weights", "verify"],
    ["weights", "where"],
    ["authorize"],
    ["purge"],
    ["journal"],
    ["journal", "verify"],
]

Calls = list[tuple[object, ...]]


def noting(calls: Calls, answer: object) -> Callable[..., object]:
    """A function that notes how it was called; its last plain argument is where progress goes."""

    def call(*given: object, **named: object) -> object:
        assert isinstance(given[-1], Watch)
        calls.append((*given[:-1], *named.values()))
        return answer

    return call


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(faceleak: Faceleak, command: list[str]) -> None:
    ended = faceleak(*command, "-h")
    assert ended.code == 0
    assert "Usage: faceleak " + " ".join(command) in ended.out


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "demo"],
        ["train", "demo", "--attack", "linear"],
        ["train", "--attack", "linear", "-o", "x"],
        ["embed"],
        ["embed", "in", "--backbone", "dlib"],
        ["embed", "in", "--out", "t.parquet"],
        ["invert"],
        ["invert", "a.npy"],
        ["reproduce"],
        ["reproduce", "dfd2024", "--half"],
        ["faces", "filter"],
        ["faces", "morphs", "in"],
        ["faces", "morphs", "in", "-o", "x", "--count", "0"],
        ["faces", "morphs", "in", "-o", "x", "--composite", "glue"],
        ["faces", "averages", "in"],
        ["faces", "averages", "in", "-o", "x", "--minimum", "0"],
        ["weights", "pull"],
        ["weights", "pull", "alexnet", "vgg16", "--url", "http://127.0.0.1"],
        ["weights", "pull", "alexnet", "vgg16", "--accept-hash", "00"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2(faceleak: Faceleak, argv: list[str]) -> None:
    ended = faceleak(*argv)
    assert (ended.code, ended.out) == (2, "")
    assert "Usage" in ended.err


def test_train_hands_on_the_configuration_and_names_the_folder(
    faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Calls = []
    answer = Path("mine/attack.json")
    stand_in(monkeypatch, "audit.trained", train_attack=noting(calls, answer))
    monkeypatch.setenv("FACELEAK_CFG__SEED", "5")
    ended = faceleak(
        "train", "demo", "--attack", "nagm:full", "--out", "mine", "--set", "quick=true"
    )
    assert (ended.code, ended.out) == (0, "mine\n")
    ((config, *rest),) = calls
    assert isinstance(config, AuditConfig)
    assert (config.seed, config.quick, rest) == (5, True, ["nagm:full", Path("mine")])


def test_invert_takes_the_attack_that_ships_for_dlib_unless_told(
    faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Calls = []
    done = SimpleNamespace(
        count=1234,
        attack="appearance",
        target="dlib",
        size=112,
        templates_per_second=5678.9,
        folder=Path("faces"),
        as_record=lambda: {"templates": 1234},
    )
    stand_in(monkeypatch, "attacks.trained", find_attack=lambda name: f"found {name}")
    stand_in(monkeypatch, "audit.trained", invert_store=noting(calls, done))
    ended = faceleak("invert", "a.npy", "-o", "faces")
    assert ended.out.splitlines() == [
        "1,234 faces of 112 x 112 pixels from dlib templates by appearance in faces",
        "  5,679 templates a second, without reading and writing",
        "  faces/sheet.png shows the first of them",
    ]
    signed = ["--authorization", "signed.yaml"]
    ended = faceleak("invert", "a.npy", "-o", "faces", "--attack", "mine", "--json", *signed)
    assert json.loads(ended.out) == {"templates": 1234}
    assert [call[1] for call in calls] == ["found dlib", "found mine"]
    assert calls[0] == ("a.npy", "found dlib", Path("faces"), None)
    assert calls[1][-1] == Path("signed.yaml")


def test_faces_commands_pass_their_options_on(
    faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Calls = []
    note = noting(calls, "done")
    stand_in(
        monkeypatch, "audit.faces_tools", filter_folder=note, morph_folder=note, average_folder=note
    )
    for argv in (
        "filter in",
        "filter in --out kept",
        "morphs in -o out",
        "morphs in -o out --count 5 --seed 3 --composite seamless --sheet s.png",
        "averages in -o out",
        "averages in -o out --minimum 2",
    ):
        assert faceleak("faces", *argv.split()).out == "done\n"
    assert calls == [
        (Path("in"), None),
        (Path("in"), Path("kept")),
        (Path("in"), Path("out"), 1000, 7, "least-squares", None),
        (Path("in"), Path("out"), 5, 3, "seamless", Path("s.png")),
        (Path("in"), Path("out"), 3),
        (Path("in"), Path("out"), 2),
    ]


def test_a_folder_without_aligned_faces_says_how_to_make_some(faceleak: Faceleak) -> None:
    Path("in").mkdir()
    for command in ("filter", "morphs", "averages"):
        ended = faceleak("faces", command, "in", "-o", "out")
        assert ended.code == 2
        assert "in holds no aligned faces; make some with: faceleak faces align" in ended.error
    assert not Path("out").exists()


# --- weights


def test_the_list_of_weights_is_a_table_or_json(faceleak: Faceleak) -> None:
    listed = json.loads(faceleak("weights", "list", "--json").out)
    assert {line["state"] for line in listed} == {"missing"}, "the home of a test is empty"
    ended = faceleak("weights", "list")
    assert ended.code == 0
    assert all(line["name"] in ended.out for line in listed)
    assert max(map(len, ended.out.splitlines())) <= 80


def test_pull_prints_where_files_lie(faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Calls = []
    paths = [Path("a/alexnet.pth"), Path("a/vgg16.pth")]
    stand_in(monkeypatch, "audit.weights_tools", pull_weights=noting(calls, paths))
    assert faceleak("weights", "pull", "alexnet", "vgg16").out == "a/alexnet.pth\na/vgg16.pth\n"
    ended = faceleak("weights", "pull", "alexnet", "--url", "file:x", "--json")
    assert json.loads(ended.out) == ["a/alexnet.pth", "a/vgg16.pth"]
    faceleak("weights", "pull", "facenet-casia", "--accept-hash", "ab")
    assert calls == [
        (["alexnet", "vgg16"], None, None),
        (["alexnet"], "file:x", None),
        (["facenet-casia"], None, "ab"),
    ]


@pytest.mark.parametrize(
    "error", [WeightsError("x is damaged"), UnknownNameError("weights", "x", ["y"])]
)
def test_what_cannot_be_pulled_is_one_line(
    faceleak: Faceleak, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise error

    stand_in(monkeypatch, "audit.weights_tools", pull_weights=fail)
    ended = faceleak("weights", "pull", "x")
    assert (ended.code, ended.error) == (2, f"faceleak: error: {error}")


@pytest.mark.parametrize(("sound", "code"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("json_too", [[], ["--json"]], ids=["table", "json"])
def test_verify_ends_with_1_where_something_is_wrong(
    faceleak: Faceleak,
    monkeypatch: pytest.MonkeyPatch,
    sound: bool,
    code: int,
    json_too: list[str],
) -> None:
    asked: list[list[str]] = []

    def verify(names: list[str]) -> list[dict[str, str]]:
        asked.append(names)
        return [{"name": "vgg16"}]

    stand_in(
        monkeypatch,
        "audit.weights_tools",
        verify_weights=verify,
        all_sound=lambda _lines: sound,
        show_weights=lambda lines, console: console.print(lines[0]["name"]),
    )
    ended = faceleak("weights", "verify", *json_too)
    assert ended.code == code
    assert "vgg16" in ended.out, "what is wrong is shown either way"
    faceleak("weights", "verify", "alexnet")
    assert asked == [[], ["alexnet"]]


def test_verify_knows_its_files_by_name(faceleak: Faceleak) -> None:
    missing = faceleak("weights", "verify", "vgg16")
    assert (missing.code, "missing" in missing.out) == (1, True)
    assert faceleak("weights", "verify").code == 0, "none is there, none is damaged"
    unknown = faceleak("weights", "verify", "vgg17")
    assert unknown.code == 2
    assert "did you mean 'vgg16'" in unknown.error


def test_where_prints_a_path(faceleak: Faceleak) -> None:
    folder = Path.home() / ".cache" / "faceleak" / "weights"
    assert faceleak("weights", "where").out == f"{folder}\n"
    path = folder / "vgg16-397923af.pth"
    assert faceleak("weights", "where", "vgg16").out == f"{path}\n"
    found = json.loads(faceleak("weights", "where", "vgg16", "--json").out)
    assert found == {"name": "vgg16", "path": str(path), "there": False}
    unknown = faceleak("weights", "where", "vgg17")
    assert (unknown.code, unknown.out) == (2, "")
    assert "unknown weights 'vgg17' (did you mean 'vgg16'?)" in unknown.error
