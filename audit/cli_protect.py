"""``faceleak protect``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import Json, Reveal, RunOut, Salt, Set


def protect(
    config: Annotated[
        str, typer.Argument(help="A YAML file, or one that ships: protect-demo, protect-lfw.")
    ],
    settings: Set = None,
    out: RunOut = None,
    reveal: Reveal = False,
    salt: Salt = None,
    json: Json = False,
) -> None:
    """Protect templates, attack them again: what would have helped, and what it costs."""
    from audit.config import load_as
    from audit.protect.config import ProtectConfig
    from audit.protect.run import run_protect
    from audit.pseudonyms import salt_file
    from audit.watch import Watch

    overrides = [*(settings or ()), *(["output.reveal=true"] if reveal else [])]
    chosen = load_as(ProtectConfig, config, overrides=overrides, environ=os.environ)
    with salt_file(salt):
        path = run_protect(chosen, out or Path("runs", Path(config).stem), Watch.on_stderr())
    if json:
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    from audit.console import stdout
    from audit.protect.console import show_protection
    from reports.html import REPORT_NAME
    from reports.results import load_results

    page = path.parent / REPORT_NAME if "html" in chosen.output.formats else None
    show_protection(load_results(path), page, stdout())
