"""``faceleak compare``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from audit.cli_options import FolderOut, Json, Salt, Set


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG|RUN",
            help="YAML files or ones that ship (compare-lfw), and folders of finished runs.",
        ),
    ],
    out: FolderOut,
    settings: Set = None,
    salt: Salt = None,
    json: Json = False,
) -> None:
    """Audit several backbones alike and say which leaks most."""
    from audit.compare import compare as run
    from audit.pseudonyms import salt_file
    from audit.watch import Watch

    with salt_file(salt):
        path = run(sources, out, Watch.on_stderr(), overrides=settings or (), environ=os.environ)
    if json:
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    from audit.compare_console import show_compare
    from audit.console import stdout
    from reports.compare_changes import verdict
    from reports.html import REPORT_NAME
    from reports.results import load_results

    found = load_results(path)
    assert found.compare is not None
    show_compare(found.compare, verdict(found.compare), path.parent / REPORT_NAME, stdout())
