"""``faceleak stress``."""

from __future__ import annotations

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
    from audit.cli_targets import run_and_show
    from audit.stress.config import StressConfig
    from audit.stress.console import show_stress
    from audit.stress.run import run_stress

    run_and_show(
        StressConfig,
        run_stress,
        show_stress,
        config,
        settings=settings,
        out=out,
        reveal=reveal,
        salt=salt,
        json=json,
    )
