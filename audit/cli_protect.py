"""``faceleak protect``."""

from __future__ import annotations

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
    from audit.cli_targets import run_and_show
    from audit.protect.config import ProtectConfig
    from audit.protect.console import show_protection
    from audit.protect.run import run_protect

    run_and_show(
        ProtectConfig,
        run_protect,
        show_protection,
        config,
        settings=settings,
        out=out,
        reveal=reveal,
        salt=salt,
        json=json,
    )
