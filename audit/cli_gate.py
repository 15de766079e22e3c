"""``faceleak gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.cli_options import Json, echo_json

Limits = list[str] | None


def gate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    max_sar: Annotated[
        Limits,
        typer.Option(
            "--max-sar",
            metavar="LIMIT@FMR",
            help="Highest upper bound of Type-I, such as 0.05@1e-3; repeatable.",
        ),
    ] = None,
    max_type2: Annotated[
        Limits,
        typer.Option("--max-type2", metavar="LIMIT@FMR", help="The same of Type-II; repeatable."),
    ] = None,
    min_coverage: Annotated[
        float | None,
        typer.Option("--min-coverage", metavar="X", min=0.0, max=1.0, help="Lowest coverage."),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on", metavar="SEVERITY", help="Mildest severity that no finding may have."
        ),
    ] = None,
    gates: Annotated[
        Path | None, typer.Option("--gates", metavar="FILE", help="The same as YAML.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", metavar="NAME", help="Only this judge.", show_default="every measured one"
        ),
    ] = None,
    ignore: Annotated[
        Path | None,
        typer.Option("--ignore", metavar="FILE", help="Findings that are accepted, as YAML."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", metavar="FILE", help="Also write SARIF 2.1.0.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write a summary.")
    ] = None,
    json: Json = False,
) -> None:
    """Decide limits on a finished run: exit 3 where one fails, 4 where one is not measured."""
    from audit.gate_files import as_record, check_gates, gate_rules, limits

    given = {
        "max_sar": limits("--max-sar", max_sar or ()),
        "max_type2": limits("--max-type2", max_type2 or ()),
        "min_coverage": min_coverage,
        "fail_on": fail_on,
        "judge": judge,
    }
    report = check_gates(run, gate_rules(gates, given), ignore)
    for name, file in (("junit", junit), ("sarif", sarif), ("markdown", markdown)):
        if file is not None:
            from reports.formats import write_gated

            write_gated(name, run, report, file)
    if json:
        echo_json(as_record(report))
    else:
        from audit.console import stdout
        from audit.gate_console import show_gates

        show_gates(report, stdout())
    raise typer.Exit(report.exit_code)
