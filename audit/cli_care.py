"""``faceleak authorize``, ``faceleak purge``, ``faceleak journal verify``."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import Json, echo_json

journal_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The record of what was done in a run."
)
Run = Annotated[Path, typer.Argument(help="A run folder.")]


def authorize(
    store: Annotated[
        str, typer.Argument(metavar="STORE", help="A file, a folder, or a database's address.")
    ],
    owner: Annotated[str, typer.Option("--owner", metavar="TEXT", help="Who owns it.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", metavar="TEXT", help="What for.")] = "",
    legal_basis: Annotated[
        str, typer.Option("--legal-basis", metavar="TEXT", help="On what legal basis.")
    ] = "",
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until",
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="Last day, such as 2026-12-31.",
            show_default="in 90 days",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="The form.",
            show_default="authorization.yaml beside the store",
        ),
    ] = None,
) -> None:
    """Write the form that inverting a store needs, to be filled in and signed."""
    from contextlib import closing

    from audit.authorisation import read_form, write_form
    from biometrics.stores.limits import DEFAULT_LIMITS
    from biometrics.stores.source import open_source

    with closing(open_source(store, DEFAULT_LIMITS)) as source:
        path = write_form(
            source,
            out,
            owner=owner,
            purpose=purpose,
            legal_basis=legal_basis,
            until=None if until is None else until.date(),
        )
    typer.echo(path)
    missing = ", ".join(read_form(path).missing)
    typer.echo(f"fill in {missing}; then let that person set 'signed: yes'", err=True)


def purge(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove vectors, pictures and names of a run; its figures stay."""
    from audit.purge import check_run
    from audit.purge import purge as remove
    from biometrics.errors import UsageError

    check_run(run)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"purge {run}: nobody is there to confirm it; give --yes")
        typer.confirm(f"Remove vectors, pictures and names of {run} for good?", abort=True)
    done = remove(run)
    typer.echo(f"{run}: {done.files:,} files removed, {done.cached:,} pictures forgotten")


@journal_app.command("verify")
def verify_journal(
    run: Run,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="HASH", help="A last hash that was noted earlier."),
    ] = None,
    json: Json = False,
) -> None:
    """Say whether the journal's chain holds, and its last hash, to be noted elsewhere."""
    from audit.journal import JOURNAL, verify

    found = verify(run)
    added = None if expect is None else found.since(expect.lower())
    problem = "" if found.broken is None else str(found.broken)
    if not problem and expect is not None and added is None:
        problem = "no record has the hash that was noted: it was cut, or written anew"
    if json:
        echo_json(
            {
                "ok": not problem,
                "records": found.records,
                "last": found.last,
                "cut_lines": found.cut,
                "line": None if found.broken is None else found.broken.line,
                "problem": problem or None,
                "since_expected": added,
            }
        )
    if problem:
        from biometrics.errors import InputError

        raise InputError(f"{run / JOURNAL}: {problem}")
    if json:
        return
    cut = f", {found.cut} cut by a crash and noted" if found.cut else ""
    since = "" if added is None else f", {added:,} since the hash that was noted"
    typer.echo(f"ok: {found.records:,} records{since}{cut}; last hash {found.last}")
