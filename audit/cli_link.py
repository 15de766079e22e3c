"""``faceleak stores link``: parse, call one function, print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli_options import Json, echo_json

if TYPE_CHECKING:
    from biometrics.stores.source import Source

Backbone = typer.Option(metavar="NAME", help="Whose templates it holds.")
Same = typer.Option(metavar="CSV", help="Pairs a_subject,b_subject that are one person.")


def link_command(check_authorisation: Callable[[Source], object]) -> Callable[..., None]:
    """The command; what it is given raises where nobody signed for a store."""

    def link(
        a: Annotated[str, typer.Argument(metavar="A", help="A store.")],
        b: Annotated[str, typer.Argument(metavar="B", help="Another store.")],
        backbone_a: Annotated[str | None, Backbone] = None,
        backbone_b: Annotated[str | None, Backbone] = None,
        same: Annotated[Path | None, Same] = None,
        json: Json = False,
    ) -> None:
        """Find the people of one store in another; both need an authorisation."""
        from audit.linkage import link_stores
        from audit.linkage_words import sentences
        from audit.watch import Watch

        found = link_stores(
            a,
            b,
            check_authorisation=check_authorisation,
            backbone_a=backbone_a,
            backbone_b=backbone_b,
            same=same,
            watch=Watch.on_stderr(),
        )
        if json:
            echo_json(found.as_json())
        else:
            typer.echo("\n".join(sentences(found)))

    return link
