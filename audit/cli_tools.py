"""``faceleak embed`` and ``faceleak doctor``: parse, call one function, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import Json, Weights, echo_json
from audit.precision import PrecisionChoice


def embed(
    faces: Annotated[
        Path,
        typer.Argument(
            metavar="FACES", help="One folder a person in it, or what faces align wrote."
        ),
    ],
    backbone: Annotated[
        str, typer.Option("--backbone", metavar="NAME", help="Which recognition model.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.parquet", help="File to write.")
    ],
    weights: Weights = None,
    precision: Annotated[
        PrecisionChoice, typer.Option(help="What the network computes in; auto: see docs.")
    ] = PrecisionChoice.AUTO,
    json: Json = False,
) -> None:
    """Turn pictures of faces into templates."""
    from audit.embedding import embed_folder, parse_weights
    from audit.watch import Watch

    given = parse_weights(weights or ())
    watch = Watch.on_stderr()
    done = embed_folder(faces, backbone, out, watch, weights=given, precision=precision)
    if json:
        echo_json(done.as_record())
    else:
        typer.echo(done.as_text())


def doctor(
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="NAME", help="Check how it is declared.")
    ] = None,
    faces: Annotated[
        Path | None, typer.Option("--faces", metavar="DIR", help="On these pictures of people.")
    ] = None,
    weights: Weights = None,
    json: Json = False,
) -> None:
    """Say what this installation can do, or check a backbone."""
    if (backbone is None) != (faces is None):
        raise typer.BadParameter("--backbone and --faces go together")
    from audit.console import stdout
    from audit.doctor import check_on_folder, check_record, examine, show_check, show_health
    from audit.embedding import parse_weights
    from audit.watch import Watch

    given = parse_weights(weights or ())
    if backbone is None or faces is None:
        health = examine(given)
        if json:
            echo_json(health)
        else:
            show_health(health, stdout())
        return
    check = check_on_folder(backbone, faces, Watch.on_stderr(), weights=given)
    if json:
        echo_json(check_record(check))
    else:
        show_check(check, stdout())
