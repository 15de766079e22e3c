"""``faceleak stress``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import Json, Reveal, RunOut, Salt, Set


def stress(
    config: Annotated[
        str, typer.Argument(help="A YAML file, or one that ships: stress-demo, stress-lfw.")
    ],
    settings: Set = None,
    out: RunOut = None,
    reveal: Reveal = False,
    salt: Salt = None,
    json: Json = False,
) -> None:
    """Cover, turn, attack, average and damage: what templates keep, and what inversion gets."""
    from audit.config import load_as
    from audit.pseudonyms import salt_file
    from audit.stress.config import StressConfig
    from audit.stress.run import run_stress
    from audit.watch import Watch

    overrides = [*(settings or ()), *(["output.reveal=true"] if reveal else [])]
    chosen = load_as(StressConfig, config, overrides=overrides, environ=os.environ)
    with salt_file(salt):
        path = run_stress(chosen, out or Path("runs", Path(config).stem), Watch.on_stderr())
    if json:
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    from audit.console import stdout
    from audit.stress.console import show_stress
    from reports.html import REPORT_NAME
    from reports.results import load_results

    page = path.parent / REPORT_NAME if "html" in chosen.output.formats else None
    show_stress(load_results(path), page, stdout())
