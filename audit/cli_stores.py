"""``faceleak stores``: parse, call one function, print."""

from __future__ import annotations

from typing import Annotated

import typer

from audit.cli_link import link
from audit.cli_options import Json, Weights, echo_json

stores_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look into leaked databases of templates.",
)


@stores_app.callback()
def _stores() -> None:
    pass


@stores_app.command("inspect")
def stores_inspect(
    store: Annotated[
        str, typer.Argument(metavar="STORE", help="A file, a folder or a database's address.")
    ],
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            "--backbone", metavar="NAME", help="A further model that may be it; repeatable."
        ),
    ] = None,
    weights: Weights = None,
    min_coverage: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit 4 where less of the rows can be read.")
    ] = 0.95,
    json: Json = False,
) -> None:
    """Say what a store holds and which model made its templates."""
    from audit.stores_tools import inspect_store
    from audit.watch import Watch

    given = {}
    if weights:
        from audit.embedding import parse_weights  # torch takes seconds

        given = parse_weights(weights)
    found = inspect_store(store, Watch.on_stderr(), backbones=backbone or (), weights=given)
    if json:
        echo_json(found.as_record())
    else:
        from audit.console import stdout
        from audit.stores_console import show_store

        show_store(found, stdout())
    found.check_coverage(min_coverage)


stores_app.command("link")(link)
