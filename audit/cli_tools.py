"""``faceleak embed``: parse, call one function, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import Json, Weights, echo_json


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
    json: Json = False,
) -> None:
    """Turn pictures of faces into templates."""
    from audit.embedding import embed_folder, parse_weights
    from audit.watch import Watch

    given = parse_weights(weights or ())
    done = embed_folder(faces, backbone, out, Watch.on_stderr(), weights=given)
    if json:
        echo_json(done.as_record())
    else:
        typer.echo(done.as_text())
