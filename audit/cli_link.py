"""``faceleak stores link``: parse, call one function, print."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import Json, Weights, echo_json

Backbone = typer.Option(metavar="NAME", help="What made its templates.", show_default="recognised")
Same = typer.Option(metavar="CSV", help="Pairs a_subject,b_subject that are one person.")


def link(
    a: Annotated[str, typer.Argument(metavar="A", help="A store.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another store.")],
    backbone_a: Annotated[str | None, Backbone] = None,
    backbone_b: Annotated[str | None, Backbone] = None,
    same: Annotated[Path | None, Same] = None,
    authorization: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A signed form of faceleak authorize; repeat it for the other store.",
            show_default="authorization.yaml beside each store, or here",
        ),
    ] = None,
    weights: Weights = None,
    json: Json = False,
) -> None:
    """Find the people of one store in another; both need an authorisation."""
    from audit.authorisation import check_one_of
    from audit.embedding import parse_weights
    from audit.linkage import link_stores
    from audit.linkage_words import sentences
    from audit.watch import Watch

    found = link_stores(
        a,
        b,
        check_authorisation=partial(check_one_of, forms=authorization or ()),
        backbone_a=backbone_a,
        backbone_b=backbone_b,
        same=same,
        weights=parse_weights(weights or ()),
        watch=Watch.on_stderr(),
    )
    if json:
        echo_json(found.as_json())
    else:
        typer.echo("\n".join(sentences(found)))
