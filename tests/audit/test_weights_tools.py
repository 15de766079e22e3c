from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Task

from audit import weights_tools
from audit.watch import Watch
from audit.weights_tools import (
    all_sound,
    list_weights,
    pull_weights,
    show_weights,
    verify_weights,
    where_weights,
)
from biometrics.errors import UnknownNameError
from biometrics.progress import Advance
from tests.seeded_weights import WeightsFolder, weights_folder  # noqa: F401


def states(lines: list[weights_tools.WeightsLine]) -> dict[str, str]:
    return {line["name"]: line["state"] for line in lines}


def test_a_list_says_what_is_there_and_a_verification_whether_it_is_sound(
    weights_folder: WeightsFolder,  # noqa: F811
) -> None:
    path = weights_folder.add("squeezenet1_1", {})
    listed = states(list_weights())
    assert listed.pop("squeezenet1_1") == "ready"
    absent = "alexnet vgg16 fid-inception facenet-vggface2 facenet-casia mobilefacenet vggface"
    assert listed == dict.fromkeys(absent.split(), "missing")
    assert states(verify_weights([])) == {"squeezenet1_1": "ready"}
    assert all_sound(verify_weights([]))
    path.write_bytes(b"")
    found = verify_weights(["squeezenet1_1", "vgg16"])
    assert states(found) == {"squeezenet1_1": "damaged", "vgg16": "missing"}
    assert not all_sound(found)
    with pytest.raises(UnknownNameError):
        verify_weights(["nothing"])


def test_the_table_fits_80_columns_and_names_licences(
    weights_folder: WeightsFolder,  # noqa: F811
) -> None:
    out = io.StringIO()
    show_weights(list_weights(), Console(file=out, width=80, highlight=False))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for line in list_weights():
        assert line["name"] in text
    assert "alexnet, squeezenet1_1, vgg16: BSD-3-Clause" in text.replace("\n", " ") or (
        "alexnet, vgg16, squeezenet1_1: BSD-3-Clause" in text.replace("\n", " ")
    )


def test_an_unknown_name_is_refused_before_anything_is_pulled(
    weights_folder: WeightsFolder,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pulled: list[str] = []
    path = weights_folder.path / "x"
    monkeypatch.setattr(weights_tools, "pull", lambda name, **_: pulled.append(name) or path)
    with pytest.raises(UnknownNameError):
        pull_weights(["vgg16", "nothing"], Watch.quiet())
    assert pulled == []
    assert pull_weights(["vgg16", "alexnet"], Watch.quiet()) == [path, path]
    assert pulled == ["vgg16", "alexnet"]


def test_a_pull_tells_its_bytes_and_their_total(
    weights_folder: WeightsFolder,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pull(_name: str, *, advance: Advance, expect: Advance, **_: object) -> Path:
        expect(4_000_000)
        advance(1_000_000)
        shown.append(watch._bars.tasks[0])
        return weights_folder.path

    shown: list[Task] = []
    with open(os.devnull, "w") as nowhere:
        watch = Watch(Console(file=nowhere, force_terminal=True, width=80))
        monkeypatch.setattr(weights_tools, "pull", pull)
        pull_weights(["facenet-casia"], watch)
    assert (shown[0].completed, shown[0].total) == (1_000_000, 4_000_000)
    assert shown[0].fields["in_bytes"]


def test_where_is_the_folder_or_a_files_place(weights_folder: WeightsFolder) -> None:  # noqa: F811
    folder = weights_folder.path
    assert where_weights(None) == {"name": None, "path": str(folder), "there": False}
    path = folder / "vgg16-397923af.pth"
    assert where_weights("vgg16") == {"name": "vgg16", "path": str(path), "there": False}
    weights_folder.add("vgg16", {})
    assert where_weights("vgg16") == {"name": "vgg16", "path": str(path), "there": True}
    with pytest.raises(UnknownNameError, match="did you mean 'vgg16'"):
        where_weights("vgg17")


def test_a_file_under_another_name_is_listed_with_it(
    weights_folder: WeightsFolder,  # noqa: F811
) -> None:
    path = weights_folder.add("vgg16", {})
    weights_folder.pin("vgg16", path.read_bytes(), size=path.stat().st_size)
    own = path.rename(path.with_name("mine.pth"))
    assert states(list_weights())["vgg16"] == "ready"
    assert states(verify_weights([])) == {"vgg16": "ready"}
    assert where_weights("vgg16")["path"] == str(own)
    out = io.StringIO()
    show_weights(verify_weights([]), Console(file=out, width=80, highlight=False))
    assert "mine.pth" in out.getvalue()
