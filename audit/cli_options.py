"""Options that several commands share, and how they print JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a setting, such as fmr=[1e-3]; repeatable."
    ),
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show photographed people unblurred.")]
Salt = Annotated[
    Path | None,
    typer.Option("--salt", metavar="FILE", help="Salt of the pseudonyms, to share them."),
]
Authorization = Annotated[
    Path | None,
    typer.Option(
        "--authorization",
        metavar="FILE",
        help="The signed form of faceleak authorize.",
        show_default="authorization.yaml beside the store, or here",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
RunOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="RUN", help="Run folder.", show_default="runs/NAME"),
]
FolderOut = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write into.")
]
Weights = Annotated[
    list[str] | None,
    typer.Option("--weights", metavar="NAME=PATH", help="A backbone's weight file; repeatable."),
]


def echo_json(value: Any) -> None:
    """Print for machines: indented, with letters as they are."""
    import json

    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))
