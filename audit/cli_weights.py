"""``faceleak weights``: parse, call one function, print."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from audit.cli_options import Json, echo_json

weights_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Known weight files: list, pull, verify, where.",
)


@weights_app.command("list")
def weights_list(json: Json = False) -> None:
    """List the known weight files and which are there."""
    from audit.weights_tools import list_weights

    _show_weights(list_weights(), json)


@weights_app.command("pull")
def weights_pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Which files.")],
    url: Annotated[str | None, typer.Option(help="Fetch from here; one NAME only.")] = None,
    accept_hash: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="Take this for right where none is known; one NAME."),
    ] = None,
    json: Json = False,
) -> None:
    """Fetch weight files; the only command that uses the network. An interrupted one goes on."""
    from audit.watch import Watch
    from audit.weights_tools import pull_weights

    if url is not None and len(names) > 1:
        raise typer.BadParameter("--url goes with one NAME")
    if accept_hash is not None and len(names) > 1:
        raise typer.BadParameter("--accept-hash goes with one NAME")
    pulled = pull_weights(names, Watch.on_stderr(), url=url, accept_hash=accept_hash)
    paths = [str(path) for path in pulled]
    if json:
        echo_json(paths)
    else:
        typer.echo("\n".join(paths))


@weights_app.command("verify")
def weights_verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...")] = None,
    json: Json = False,
) -> None:
    """Hash the files again; exit 1 where one is missing or damaged."""
    from audit.weights_tools import all_sound, verify_weights

    lines = verify_weights(names or [])
    _show_weights(lines, json)
    if not all_sound(lines):
        raise typer.Exit(1)


@weights_app.command("where")
def weights_where(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Of a file.")] = None,
    json: Json = False,
) -> None:
    """Print the folder of weight files, or where one of them lies."""
    from audit.weights_tools import where_weights

    place = where_weights(name)
    if json:
        echo_json(place)
    else:
        typer.echo(place["path"])


def _show_weights(lines: list[Any], json: bool) -> None:
    if json:
        echo_json(lines)
        return
    from audit.console import stdout
    from audit.weights_tools import show_weights

    show_weights(lines, stdout())
