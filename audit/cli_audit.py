"""``faceleak demo`` and ``faceleak audit``: of faces, or of a leaked store."""

from __future__ import annotations

import json as json_text
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from audit.cli_options import Authorization, Json, Reveal, RunOut, Salt, Set, echo_json

if TYPE_CHECKING:
    from audit.config import AuditConfig
    from audit.store_config import StoreAuditConfig
    from audit.watch import Watch


def demo(
    settings: Set = None,
    out: RunOut = None,
    reveal: Reveal = False,
    salt: Salt = None,
    json: Json = False,
) -> None:
    """Audit generated people: offline, without any data of yours."""
    from audit.config import load_config
    from audit.config_sources import bundled

    config = load_config(bundled("demo"), overrides=_with(settings, reveal), environ=os.environ)
    _audit(config, out or Path("runs/demo"), salt, json)


def audit(
    config: Annotated[
        str | None,
        typer.Argument(help="A YAML file, or one that ships: demo, lfw-dlib and others."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="X",
            help="Leaked templates without pictures: a file, a folder, a database's address.",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option("--backbone", metavar="NAME", help="What made the store's templates."),
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option("--attack", metavar="DIR", help="A trained attack for the store's templates."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="CSV", help="Attributes of the store's people."),
    ] = None,
    authorization: Authorization = None,
    min_coverage: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Exit 4 where less of the store's rows can be read.",
            show_default="0.95",
        ),
    ] = None,
    settings: Set = None,
    out: RunOut = None,
    reveal: Reveal = False,
    salt: Salt = None,
    json: Json = False,
) -> None:
    """Audit what CONFIG describes, or a leaked STORE, and write a report."""
    from audit.config import load_as, load_config
    from audit.config_sources import names_store
    from audit.store_config import StoreAuditConfig
    from biometrics.errors import ConfigError

    given = {
        "store": store,
        "target": backbone,
        "attack": attack,
        "labels": None if labels is None else str(labels),
        "authorization": None if authorization is None else str(authorization),
        "min_coverage": min_coverage,
    }
    # JSON is YAML: a path may look like a number or hold a colon.
    own = [f"{key}={json_text.dumps(value)}" for key, value in given.items() if value is not None]
    overrides = _with([*(settings or ()), *own], reveal)
    if names_store(config, overrides, os.environ):
        chosen = load_as(StoreAuditConfig, config, overrides=overrides, environ=os.environ)
        name = Path(config or chosen.store.split("?")[0]).name.partition(".")[0] or "store"
        _audit_store(chosen, out or Path("runs", name), salt, json)
        return
    if own:
        raise ConfigError(f"{own[0].partition('=')[0]}: only for an audit of a store; add --store")
    if config is None:
        raise ConfigError("nothing to audit: give a CONFIG (such as demo), or --store X")
    effective = load_config(config, overrides=overrides, environ=os.environ)
    _audit(effective, out or Path("runs", Path(config).stem), salt, json)


def _with(settings: Sequence[str] | None, reveal: bool) -> list[str]:
    return [*(settings or ()), *(["output.reveal=true"] if reveal else [])]


def _audit(config: AuditConfig, out: Path, salt: Path | None, json: bool) -> None:
    from audit.pipeline import run_audit
    from audit.pseudonyms import salt_file
    from audit.watch import Watch

    with salt_file(salt):
        path = run_audit(config, out, Watch.on_stderr())
    _show(path, config.output.formats, json)


def _audit_store(config: StoreAuditConfig, out: Path, salt: Path | None, json: bool) -> None:
    from audit.pseudonyms import salt_file
    from audit.store_audit import run_store_audit
    from audit.watch import Watch
    from biometrics.errors import CoverageError, NotAuthorisedError

    watch = Watch.on_stderr()
    with salt_file(salt):
        try:
            path = run_store_audit(config, out, watch)
        except NotAuthorisedError:
            _show_inspected(config.store, watch, json)
            raise
        except CoverageError:
            _show(out / "results.json", config.output.formats, json)
            raise
    _show(path, config.output.formats, json)


def _show_inspected(store: str, watch: Watch, json: bool) -> None:
    """What may be said of a store that nobody signed for."""
    from audit.console import stdout
    from audit.stores_console import show_store
    from audit.stores_tools import inspect_store

    found = inspect_store(store, watch)
    if json:
        echo_json(found.as_record())
    else:
        show_store(found, stdout())


def _show(path: Path, formats: Sequence[str], json: bool) -> None:
    if json:
        typer.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    from audit.console import show_audit, stdout
    from reports.results import load_results

    page = path.parent / "report.html"
    show_audit(load_results(path), page if "html" in formats else None, stdout())
