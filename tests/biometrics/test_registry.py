from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from biometrics import registry as module
from biometrics.errors import ConfigError, FaceleakError, UnknownNameError, UsageError, did_you_mean
from biometrics.registry import DuplicateNameError, Registry

Make = Callable[..., Registry[object]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Registries over a package ``plugs_under_test`` made of the given modules."""
    package = tmp_path / "plugs_under_test"
    package.mkdir()
    (package / "__init__.py").write_text("from biometrics.registry import Registry\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "entry_points", lambda *, group: [])

    def build(**modules: str) -> Registry[object]:
        for name, source in modules.items():
            (package / f"{name}.py").write_text(source)
        registry: Registry[object] = Registry("shape", group="g", builtin="plugs_under_test")
        monkeypatch.setattr(sys.modules["builtins"], "PLUGS", registry, raising=False)
        return registry

    yield build  # type: ignore[misc]
    for name in [name for name in sys.modules if name.startswith("plugs_under_test")]:
        del sys.modules[name]


CIRCLE = "PLUGS.register('circle')('round')"
SQUARE = "PLUGS.register('square')('edged')"


def test_nothing_is_imported_before_the_first_look_up(make: Make) -> None:
    registry = make(a=CIRCLE, b=SQUARE)
    assert "plugs_under_test" not in sys.modules
    assert registry.names() == ["circle", "square"]
    assert "plugs_under_test.b" in sys.modules
    assert registry.get("circle") == "round"


def test_an_unknown_name_lists_the_known_and_suggests_the_nearest(make: Make) -> None:
    registry = make(a=CIRCLE, b=SQUARE)
    expected = r"^unknown shape 'sqare' \(did you mean 'square'\?\); known: circle, square$"
    with pytest.raises(UnknownNameError, match=expected) as raised:
        registry.get("sqare")
    assert isinstance(raised.value, UsageError)
    assert raised.value.exit_code == 2
    with pytest.raises(UnknownNameError, match=r"^unknown shape 'xyz'; known: circle, square$"):
        registry.get("xyz")


FILES = "PLUGS.register_family('file', 'PATH', packages=('json',))(lambda rest: f'<{rest}>')"


def test_a_prefix_makes_plug_ins_of_what_stands_behind_it(make: Make) -> None:
    registry = make(a=CIRCLE, b=FILES)
    assert registry.get("file:a/b:c.txt") == "<a/b:c.txt>"
    assert registry.names() == ["circle"]
    (usage, family), *others = registry.families().items()
    assert (usage, family.packages, others) == ("file:PATH", ("json",), [])
    with pytest.raises(ConfigError, match=r"^shape 'file:' names nothing: write file:PATH$"):
        registry.get("file:")
    with pytest.raises(UnknownNameError, match=r"^unknown shape 'files'.*: circle, file:PATH$"):
        registry.get("files")


def test_a_misspelt_prefix_suggests_the_whole_name(make: Make) -> None:
    registry = make(a=CIRCLE, b=FILES)
    with pytest.raises(UnknownNameError) as raised:
        registry.get("fiel:x/y")
    assert str(raised.value) == (
        "unknown shape 'fiel:x/y' (did you mean 'file:x/y'?); known: circle, file:PATH"
    )


def test_a_registered_name_goes_before_a_prefix(make: Make) -> None:
    registry = make(a="PLUGS.register('file:x')('mine')", b=FILES)
    assert registry.get("file:x") == "mine"
    assert registry.get("file:y") == "<y>"


def test_a_prefix_taken_twice_is_refused(make: Make) -> None:
    registry = make(a=FILES, b=FILES)
    with pytest.raises(DuplicateNameError, match="shape 'file:' is registered twice"):
        registry.names()


def test_a_name_taken_twice_is_refused(make: Make) -> None:
    registry = make()
    first, second = object(), object()
    assert registry.register("one")(first) is first
    registry.register("one")(first)  # the same plug-in again, as in a reloaded module
    with pytest.raises(DuplicateNameError, match="shape 'one' is registered twice"):
        registry.register("one")(second)
    assert registry.get("one") is first


def point(value: str) -> EntryPoint:
    return EntryPoint(name="theirs", value=value, group="g")


def test_other_packages_plug_ins_are_loaded_by_their_entry_point(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    registry = make(a=CIRCLE)
    (tmp_path / "theirs_under_test.py").write_text("PLUGS.register('star')('pointed')")
    asked = []

    def points(*, group: str) -> list[EntryPoint]:
        asked.append(group)
        return [point("theirs_under_test")]

    monkeypatch.setattr(module, "entry_points", points)
    assert registry.names() == ["circle", "star"]
    registry.get("star")
    assert asked == ["g"]
    del sys.modules["theirs_under_test"]


def test_a_plug_in_that_does_not_load_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = make(a=CIRCLE)
    monkeypatch.setattr(module, "entry_points", lambda *, group: [point("no_such_module_here")])
    expected = r"the shape plug-in 'theirs' \(no_such_module_here\) cannot be loaded: No module"
    with pytest.raises(FaceleakError, match=expected):
        registry.names()


def test_a_plug_in_that_takes_a_built_in_name_is_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    registry = make(a=CIRCLE)
    (tmp_path / "theirs_under_test.py").write_text("PLUGS.register('circle')('mine')")
    monkeypatch.setattr(module, "entry_points", lambda *, group: [point("theirs_under_test")])
    with pytest.raises(DuplicateNameError, match="shape 'circle' is registered twice"):
        registry.names()


def test_a_failed_load_fails_again_instead_of_hiding_plug_ins(make: Make) -> None:
    registry = make(a=CIRCLE, b="raise RuntimeError('broken')")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            registry.get("square")


def test_a_plug_in_may_look_up_another_while_it_is_imported(make: Make) -> None:
    registry = make(a=CIRCLE, b="PLUGS.register('disc')(PLUGS.get('circle'))")
    assert registry.get("disc") == "round"


def test_no_suggestion_where_nothing_is_near() -> None:
    assert did_you_mean("dlip", ["dlib", "lbp"]) == " (did you mean 'dlib'?)"
    assert did_you_mean("qqq", ["dlib", "lbp"]) == ""
    assert did_you_mean("dlib", []) == ""
