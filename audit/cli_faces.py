"""``faceleak faces``: parse, call one function, print."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import FolderOut

faces_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Align, filter, morph and average faces, or make people.",
)


class CompositeKind(StrEnum):
    """How ``faceleak faces morphs`` pastes a face onto a background."""

    least_squares = "least-squares"
    seamless = "seamless"


Aligned = Annotated[Path, typer.Argument(metavar="DIR", help="What faces align wrote.")]


@faces_app.command("align")
def faces_align(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One folder a person in it.")],
    out: FolderOut,
) -> None:
    """Find the face in each picture and bring it to the canonical crop."""
    from audit.faces_tools import align_folder
    from audit.watch import Watch

    typer.echo(align_folder(folder, out, Watch.on_stderr()))


@faces_app.command("synth")
def faces_synth(
    out: FolderOut,
    subjects: Annotated[int, typer.Option(min=1, help="People to make.")],
    pictures: Annotated[int, typer.Option(min=1, help="Pictures of each.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same people.")] = 7,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw a sheet of them.")
    ] = None,
) -> None:
    """Make pictures of people who do not exist."""
    from audit.faces_tools import synthesise
    from audit.watch import Watch

    typer.echo(synthesise(subjects, pictures, out, seed, sheet, Watch.on_stderr()))


@faces_app.command("filter")
def faces_filter(
    folder: Aligned,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Also write the faces that are kept."),
    ] = None,
) -> None:
    """Count which aligned faces are fit to train on, by rule."""
    from audit.faces_tools import filter_folder
    from audit.watch import Watch

    typer.echo(filter_folder(folder, out, Watch.on_stderr()))


@faces_app.command("morphs")
def faces_morphs(
    folder: Aligned,
    out: FolderOut,
    count: Annotated[int, typer.Option(min=1, help="Morphs to make.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same morphs.")] = 7,
    composite: Annotated[
        CompositeKind, typer.Option(help="How the face is pasted onto the background.")
    ] = CompositeKind.least_squares,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw a sheet of them.")
    ] = None,
) -> None:
    """Morph aligned faces with faces like them."""
    from audit.faces_tools import morph_folder
    from audit.watch import Watch

    typer.echo(morph_folder(folder, out, count, seed, composite.value, sheet, Watch.on_stderr()))


@faces_app.command("averages")
def faces_averages(
    folder: Aligned,
    out: FolderOut,
    minimum: Annotated[int, typer.Option(min=1, help="Pictures a subject needs.")] = 3,
) -> None:
    """Average each subject's aligned pictures."""
    from audit.faces_tools import average_folder
    from audit.watch import Watch

    typer.echo(average_folder(folder, out, minimum, Watch.on_stderr()))
