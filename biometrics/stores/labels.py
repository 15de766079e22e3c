"""Lists of names and ids that lie beside an array of templates in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from biometrics.errors import FaceleakError
from biometrics.stores.arrays import npy_header, read_texts
from biometrics.stores.limits import MIB, Limits
from biometrics.stores.loose import roles_of
from biometrics.stores.readers.csv import table_rows
from biometrics.stores.source import FileSource

MOST = 256 * MIB
"""A larger file is no list of names."""


class Labels(NamedTuple):
    """One value a row; None where the list does not say it."""

    ids: list[str] | None
    subjects: list[str] | None
    names: list[str] | None

    def __len__(self) -> int:
        return len(self.ids or self.subjects or ())


def array_labels(path: Path, limits: Limits) -> Labels | None:
    """An array [N] of text or whole numbers; None for others."""
    try:
        with path.open("rb") as file:
            form = npy_header(file, path.name)
            texts = read_texts(file, form, limits)
    except (FaceleakError, OSError, ValueError, TypeError, OverflowError):
        return None
    if texts is None:
        return None
    roles = roles_of([path.stem])
    if roles.id is not None:
        return Labels(texts, None, None)
    return Labels(None, texts, texts if form.dtype.kind in "US" else None)


def table_labels(source: FileSource, limits: Limits) -> Labels | None:
    """A table with one row a template and a header that names an id, a subject or a name, or plain
    lines; None for others."""
    if source.form not in ("csv", "text") or source.path.stat().st_size > MOST:
        return None
    mark = max(",\t;|", key=source.head.split(b"\n", 1)[0].decode("latin-1").count)
    rows = [row for row in table_rows(source, mark, limits) if isinstance(row, list) and row]
    if not rows or len({len(row) for row in rows}) != 1:
        return None
    header = [cell.strip() for cell in rows[0]]
    roles = roles_of(header)
    if roles == roles_of([]):
        plain = [row[0].strip() for row in rows]
        return Labels(None, plain, plain) if len(header) == 1 else None

    def column(name: str | None) -> list[str] | None:
        return None if name is None else [row[header.index(name)].strip() for row in rows[1:]]

    return Labels(column(roles.id), column(roles.subject), column(roles.name))
