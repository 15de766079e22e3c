"""What is installed: one version, everything that is read at run time, nothing else."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import faceleak

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("attacks", "audit", "biometrics", "configs", "reports", "templates")
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "faceleak.py", *PACKAGES)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def shipped_files() -> set[str]:
    """What must be in the wheel: every module and every data file of the packages."""
    found = {"faceleak.py"}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                found.add(path.relative_to(ROOT).as_posix())
    return found


def setuptools_is_new_enough() -> bool:
    if find_spec("setuptools") is None:
        return False
    return int(importlib.metadata.version("setuptools").split(".")[0]) >= 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from a copy of the sources, so that no build folder is left in them."""
    if not setuptools_is_new_enough():
        pytest.skip("building a wheel without the network needs setuptools >= 77")
    folder = tmp_path_factory.mktemp("build")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    command = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", "out"]
    done = subprocess.run(
        [sys.executable, *command, "."], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (folder / "out").glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(
    wheel: zipfile.ZipFile,
) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == shipped_files()


def test_the_wheel_holds_what_is_read_at_run_time(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    for kind in (r"configs/demo\.yaml", r"templates/.+\.j2", r"templates/.+\.css"):
        assert any(re.fullmatch(kind, name) for name in names), f"no {kind} in the wheel"


def test_the_wheel_carries_version_licence_and_command(wheel: zipfile.ZipFile) -> None:
    info = f"faceleak-{faceleak.__version__}.dist-info"
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"\nVersion: {faceleak.__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "Apache License" in wheel.read(f"{info}/licenses/LICENSE").decode()
    assert "faceleak = audit.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_the_version_is_written_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", faceleak.__version__)
    assert "version" in project()["project"]["dynamic"]
    assert "version" not in project()["project"]
    written = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pyproject.toml", *ROOT.glob("*.py"), *ROOT.glob("[abcrt]*/**/*.py"))
        if re.search(
            r"^(__version__|version)\s*=\s*[\"']", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert written == ["faceleak.py"]


def pins() -> dict[str, str]:
    """Canonical name to version, as requirements/constraints.txt has them."""
    utils = pytest.importorskip("packaging.utils")
    text = (ROOT / "requirements/constraints.txt").read_text(encoding="utf-8")
    lines = [line.split("==") for line in text.splitlines() if line and not line.startswith("#")]
    return {utils.canonicalize_name(name): version for name, version in lines}


def test_the_constraints_pin_every_dependency_inside_its_range() -> None:
    requirements = pytest.importorskip("packaging.requirements")
    utils = pytest.importorskip("packaging.utils")
    pinned = pins()
    declared = project()["project"]
    wanted = [*declared["dependencies"], *declared["optional-dependencies"]["test"]]
    for text in wanted:
        requirement = requirements.Requirement(text)
        name = utils.canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not pinned"
        assert requirement.specifier.contains(pinned[name]), f"{text} excludes {pinned[name]}"
    assert (pinned["torch"], pinned["torchvision"]) == ("2.13.0", "0.28.0")


def test_what_the_extras_bring_is_tested() -> None:
    extras = project()["project"]["optional-dependencies"]
    tested = extras.pop("test")
    assert [line for lines in extras.values() for line in lines if line not in tested] == []


def no_deps() -> list[str]:
    """The lines of requirements/no-deps.txt that name a package."""
    text = (ROOT / "requirements/no-deps.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_packages_with_foreign_pins_are_exact_and_installed_without_their_dependencies() -> None:
    assert [line.split("==")[0] for line in no_deps()] == ["facenet-pytorch", "insightface"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^(\S+):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE))
    assert "$(INSTALL) --no-deps -r requirements/no-deps.txt\n" in rules["$(VENV)/.installed"]
    ordinary = [*project()["project"]["dependencies"], *pins()]
    assert not [name for name in ordinary if re.match("(facenet|insightface)", name)]


def test_what_they_really_need_is_declared() -> None:
    utils = pytest.importorskip("packaging.utils")
    requirements = pytest.importorskip("packaging.requirements")
    declared = {
        utils.canonicalize_name(requirements.Requirement(text).name)
        for text in project()["project"]["dependencies"]
    }
    ours = {"opencv-python": "opencv-python-headless"}
    for line in no_deps():
        name, version = line.split("==")
        try:
            installed = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed")
        assert installed.version == version
        for text in installed.requires or []:
            need = requirements.Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                wanted = utils.canonicalize_name(need.name)
                assert ours.get(wanted, wanted) in declared, f"{name} needs {wanted}"


def test_exactly_one_opencv_is_installed() -> None:
    """Two of them write into one folder, and which files win depends on their order."""
    utils = pytest.importorskip("packaging.utils")
    names = {utils.canonicalize_name(d.name) for d in importlib.metadata.distributions()}
    assert [name for name in names if name.startswith("opencv-")] == ["opencv-python-headless"]


def test_every_make_install_goes_through_the_constraints() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    installs = [line for line in makefile.splitlines() if "pip install" in line]
    assert installs
    assert all("-c requirements/constraints.txt" in line for line in installs)
