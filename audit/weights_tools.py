"""``faceleak weights``: which known weight files there are, and which of them are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from audit.watch import Watch
from biometrics import weights
from biometrics.weights import (
    Commercial,
    KnownWeights,
    State,
    known,
    verify,
    weight_path,
    weights_folder,
)
from biometrics.weights_pull import pull

if TYPE_CHECKING:
    from rich.console import Console


class WeightsLine(TypedDict):
    """One file as ``--json`` gives it.

    ``file`` is its publisher's name for it, ``path`` where it lies here, or would once pulled.
    ``published_digits`` is the part of the hash that its publisher states; ``sha256`` is empty
    where none is known. ``state`` of a list says only whether the file is there; that of a
    verification says whether its content is right.
    """

    name: str
    state: State
    file: str
    path: str
    url: str
    bytes: int | None
    sha256: str
    published_digits: str
    licence: str
    commercial: Commercial
    purpose: str


class WeightsPlace(TypedDict):
    """What ``weights where --json`` gives; without a name it is the folder."""

    name: str | None
    path: str
    there: bool


def list_weights() -> list[WeightsLine]:
    """Every known file, and whether it is there."""
    return [
        _line(record, "ready" if weight_path(record.name).is_file() else "missing")
        for record in weights.KNOWN
    ]


def verify_weights(names: Sequence[str]) -> list[WeightsLine]:
    """Hash those files again; all that are there where none is named.

    Raises:
        UnknownNameError: for a name that is not known.
    """
    wanted = names or [r.name for r in weights.KNOWN if weight_path(r.name).is_file()]
    return [_line(known(name), verify(name)) for name in wanted]


def where_weights(name: str | None) -> WeightsPlace:
    """The folder of weight files, or where one file lies or would lie.

    Raises:
        UnknownNameError: for a name that is not known.
    """
    path = weights_folder() if name is None else weight_path(name)
    return WeightsPlace(name=name, path=str(path), there=path.exists())


def all_sound(lines: Sequence[WeightsLine]) -> bool:
    """Whether a verification found nothing wrong."""
    return all(line["state"] == "ready" for line in lines)


def pull_weights(
    names: Sequence[str],
    watch: Watch,
    *,
    url: str | None = None,
    accept_hash: str | None = None,
) -> list[Path]:
    """Fetch those files, or what an interrupted pull left to fetch; the only command that touches
    the network.

    Args:
        names: which ones.
        watch: shows progress.
        url: from where, in place of their publisher.
        accept_hash: the sha256 to take for right, for a file of which no hash is known.

    Raises:
        UnknownNameError: before anything is fetched, for a name that is not known.
        WeightsError: a file could not be fetched, or is not what it should be.
    """
    records = [known(name) for name in names]
    paths = []
    for record in records:
        with watch.task(f"pull {record.file}", record.size, in_bytes=True) as step:
            got = pull(
                record.name, url=url, accept_hash=accept_hash, advance=step, expect=step.expect
            )
            paths.append(got)
    return paths


def show_weights(lines: Sequence[WeightsLine], console: Console) -> None:
    """A table for 80 columns, and below it the licences."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("weights", "state", "MB", "for", "file"):
        table.add_column(heading, justify="right" if heading == "MB" else "left")
    for line in lines:
        size = "-" if line["bytes"] is None else f"{line['bytes'] / 1e6:.0f}"
        file = Path(line["path"]).name  # one put there by hand may have another name
        cells = (line["name"], line["state"], size, line["purpose"], file)
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    for licence in sorted({line["licence"] for line in lines}):
        names = ", ".join(line["name"] for line in lines if line["licence"] == licence)
        use = next(line["commercial"] for line in lines if line["licence"] == licence)
        console.print(f"{names}: {licence}; commercial use: {use}", markup=False)


def _line(record: KnownWeights, state: State) -> WeightsLine:
    return WeightsLine(
        name=record.name,
        state=state,
        file=record.file,
        path=str(weight_path(record.name)),
        url=record.url,
        bytes=record.size,
        sha256=record.sha256,
        published_digits=record.published,
        licence=record.licence,
        commercial=record.commercial,
        purpose=record.purpose,
    )
