"""What the commands for runs on several targets share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from audit.targets_config import TargetsConfig
    from audit.watch import Watch
    from reports.results import Results

    C = TypeVar("C", bound=TargetsConfig)


def run_and_show(
    kind: type[C],
    run: Callable[[C, Path, Watch], Path],
    show: Callable[[Results, Path | None, Console], None],
    source: str,
    *,
    settings: Sequence[str] | None,
    out: Path | None,
    reveal: bool,
    salt: Path | None,
    json: bool,
) -> None:
    """Load a configuration, run it, and print what came of it, as JSON where that is asked for."""
    from audit.config import load_as
    from audit.console import stdout
    from audit.pseudonyms import salt_file
    from audit.watch import Watch
    from reports.html import REPORT_NAME
    from reports.results import load_results

    overrides = [*(settings or ()), *(["output.reveal=true"] if reveal else [])]
    chosen = load_as(kind, source, overrides=overrides, environ=os.environ)
    with salt_file(salt):
        path = run(chosen, out or Path("runs", Path(source).stem), Watch.on_stderr())
    if json:
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    page = path.parent / REPORT_NAME if "html" in chosen.output.formats else None
    show(load_results(path), page, stdout())
