"""The command line: parse, call one function, print. Nothing heavy is imported before a command
runs, so that help comes at once."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from audit.cli_audit import audit, demo
from audit.cli_care import authorize, journal_app, purge
from audit.cli_compare import compare
from audit.cli_faces import faces_app
from audit.cli_gate import gate
from audit.cli_options import Authorization, FolderOut, Json, Reveal, Set, echo_json
from audit.cli_protect import protect
from audit.cli_stores import stores_app
from audit.cli_stress import stress
from audit.cli_tools import doctor, embed
from audit.cli_weights import weights_app
from audit.failures import Interrupted, explain
from reports.formats import FORMATS, write_format


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # typer would end without a word
            raise Interrupted from None


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help takes twice as long to come
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Audit what a leaked database of face templates gives away.",
)
app.add_typer(faces_app, name="faces")
app.add_typer(stores_app, name="stores")
app.add_typer(weights_app, name="weights")
app.add_typer(journal_app, name="journal")


def main(argv: Sequence[str] | None = None) -> None:
    """The entry point: run a command; anything that goes wrong is one line and an exit code."""
    # On a busy machine torch's threads otherwise spin while they wait for each other: ten times
    # slower, measured on two cores. Read by OpenMP when torch is imported, hence here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given = list(sys.argv[1:] if argv is None else argv)
    # Taken out here, so that it may stand anywhere: one adds it to the end of a failed command.
    debug = "--debug" in given
    try:
        app(args=[word for word in given if word != "--debug"], prog_name="faceleak")
    except Exception as error:
        if debug:
            traceback.print_exc()
        failure = explain(error)
        print(f"faceleak: {failure.line}", file=sys.stderr)
        sys.exit(failure.code)


def _print_version(wanted: bool) -> None:
    if wanted:
        from faceleak import __version__

        typer.echo(f"faceleak {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


app.command()(demo)
app.command()(audit)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    reveal: Reveal = False,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"What to write: {', '.join(FORMATS)}; repeatable.",
            show_default="html",
        ),
    ] = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Print report.pdf too, by an installed Chromium.")
    ] = False,
) -> None:
    """Write the report of a finished run again; needs no model."""
    from audit.journal import Journal
    from biometrics.errors import UnknownNameError

    wanted = list(dict.fromkeys(formats or ["html"]))
    for name in wanted:
        if name not in FORMATS:
            raise UnknownNameError("format", name, FORMATS)
    browser = None
    if pdf:
        from reports.pdf import find_browser

        browser = find_browser(os.environ)  # before anything is written
    for name in wanted:
        typer.echo(write_format(name, run, reveal=reveal))
    if browser is not None:
        from reports.html import render_pdf

        typer.echo(render_pdf(run, browser, reveal=reveal))
    names = ",".join([*wanted, *(["pdf"] if pdf else [])])
    Journal(run).record("report rendered", formats=names, revealed=reveal)


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A YAML file, or one that ships.")],
    attack: Annotated[str, typer.Option("--attack", metavar="NAME", help="Which attack.")],
    out: FolderOut,
    settings: Set = None,
) -> None:
    """Train one attack on what CONFIG describes, for faceleak invert."""
    from audit.config import load_config
    from audit.trained import train_attack
    from audit.watch import Watch

    effective = load_config(config, overrides=settings or (), environ=os.environ)
    typer.echo(train_attack(effective, attack, out, Watch.on_stderr()).parent)


app.command()(gate)
app.command()(compare)
app.command()(stress)
app.command()(protect)
app.command()(embed)


@app.command()
def invert(
    store: Annotated[
        str, typer.Argument(metavar="STORE", help="A file, a folder or a database's address.")
    ],
    out: FolderOut,
    attack: Annotated[
        str,
        typer.Option(
            "--attack",
            metavar="DIR",
            help="A trained attack, or a backbone for which one ships.",
        ),
    ] = "dlib",
    authorization: Authorization = None,
    json: Json = False,
) -> None:
    """Turn templates into faces, each marked as a reconstruction."""
    from attacks.trained import find_attack
    from audit.trained import invert_store
    from audit.watch import Watch

    done = invert_store(
        store, find_attack(attack), out, Watch.on_stderr(), authorization=authorization
    )
    if json:
        echo_json(done.as_record())
        return
    typer.echo(
        f"{done.count:,} faces of {done.size} x {done.size} pixels from {done.target} templates by "
        f"{done.attack} in {done.folder}\n"
        f"  {done.templates_per_second:,.0f} templates a second, without reading and writing\n"
        f"  {done.folder / 'sheet.png'} shows the first of them"
    )


@app.command()
def reproduce(
    paper: Annotated[str, typer.Argument(help="nagm2026, cole2017, dfd2024 or gan2024.")],
    settings: Set = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Folder of its runs.", show_default="runs/PAPER"
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full/--quick", help="The paper's sizes, or what two cores train.")
    ] = False,
    row: Annotated[
        list[str] | None, typer.Option("--row", metavar="ATTACK", help="Only this row; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Train a paper's systems and print its table beside yours."""
    from audit.reproduce import reproduce as run
    from audit.watch import Watch

    result = run(
        paper,
        out or Path("runs", paper),
        Watch.on_stderr(),
        full=full,
        rows=row or (),
        overrides=settings or (),
        environ=os.environ,
    )
    if json:
        echo_json(result.model_dump(mode="json"))
        return
    from audit.console import stdout
    from audit.papers_console import show_reproduction

    show_reproduction(result, stdout())


@app.command()
def backbones(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Look at this one, such as onnx:FILE.")
    ] = None,
    json: Json = False,
) -> None:
    """List the recognition models and what they lack, or look at one."""
    from audit.backbone_list import list_backbones, look_at

    lines = list_backbones({}) if name is None else [look_at(name, {})]
    if json:
        echo_json(lines)
        return
    from audit.console import show_backbones, stdout

    show_backbones(lines, stdout())


for command in (doctor, authorize, purge):
    app.command()(command)


if __name__ == "__main__":
    main()
