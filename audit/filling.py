"""Folders that a command fills from nothing: whole, or as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.run_folder import full_disk_as_error, private_files, remove
from biometrics.errors import InputError


def check_empty(out: Path) -> None:
    """Refuse a folder that holds something, before any work.

    Raises:
        InputError: it is a file, or not empty.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out names a folder")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty; choose another --out")


@contextmanager
def filling(out: Path) -> Iterator[None]:
    """A new or empty folder to fill with private files; as it was where that fails, so that one can
    try again.

    Raises:
        InputError: it is a file, or not empty.
    """
    check_empty(out)
    with private_files(), full_disk_as_error(out):
        new = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
        try:
            yield
        except BaseException:
            for path in [out] if new else list(out.iterdir()):
                remove(path)
            raise
