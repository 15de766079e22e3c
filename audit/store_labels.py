"""What somebody knows of the people of a store, from a CSV beside it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from biometrics.errors import InputError
from biometrics.stores.limits import MIB

KEYS = ("template_id", "subject_id", "name")
"""One of these columns says whom a line is about."""

MOST_BYTES = 256 * MIB
MOST_COLUMNS = 64


@dataclass(frozen=True)
class StoreLabels:
    """Attributes of the templates of a store.

    Attributes:
        values: by column, one of each template, None where nothing is known.
        matched: templates that a line speaks of.
        unknown: lines that speak of nobody in the store.
    """

    values: Mapping[str, list[str | None]]
    matched: int
    unknown: int


def read_store_labels(
    path: Path,
    template_ids: Sequence[str],
    subject_ids: Sequence[str | None],
    names: Sequence[str | None],
) -> StoreLabels:
    """Attributes of templates by their own id, or their subject's id or name.

    Names are compared here and kept nowhere.

    Args:
        path: UTF-8, commas, a first line of column names: one of ``KEYS``, and the attributes.
        template_ids, subject_ids, names: of the templates, as the store has them.

    Raises:
        InputError: not such a file, or two lines contradict each other; the message has the number
            of the line, and nothing that stands in it.
    """
    columns = dict(zip(KEYS, (template_ids, subject_ids, names), strict=True))
    key, attributes, lines = _read(path)
    known = {who.strip() for who in columns[key] if who}
    found = {who: values for who, values in lines.items() if who in known}
    rows = [found.get((who or "").strip()) for who in columns[key]]
    return StoreLabels(
        values={
            name: [None if row is None else row[place] or None for row in rows]
            for place, name in enumerate(attributes)
        },
        matched=sum(row is not None for row in rows),
        unknown=len(lines) - len(found),
    )


def read_same(path: Path) -> dict[str, str]:
    """A CSV of ``a_subject,b_subject``: who of the first store is who of the second, by the
    second's.

    Raises:
        InputError: not such a file, or somebody is two people.
    """
    pairs: dict[str, str] = {}
    of_a: set[str] = set()
    for number, (a, b) in _lines(path, _pair_columns):
        if not a or not b:
            raise InputError(f"{path}, line {number}: a subject is missing")
        if pairs.get(b) == a:
            continue
        if b in pairs or a in of_a:
            raise InputError(f"{path}, line {number}: this subject was said to be somebody else")
        pairs[b] = a
        of_a.add(a)
    return pairs


def _pair_columns(path: Path, header: list[str]) -> None:
    if header != ["a_subject", "b_subject"]:
        raise InputError(f"{path}: expected the two columns a_subject,b_subject")


def _label_columns(path: Path, header: list[str]) -> None:
    keys = [name for name in header if name in KEYS]
    if len(keys) != 1:
        got = " and ".join(keys) or "none"
        raise InputError(f"{path}: expected one column of {', '.join(KEYS)}; got {got}")
    if len(header) < 2:
        raise InputError(f"{path}: there is no column of an attribute beside {keys[0]}")


def _read(path: Path) -> tuple[str, list[str], dict[str, tuple[str, ...]]]:
    """The column that says who, the other columns, and their values by who."""
    lines = _lines(path, _label_columns, with_header=True)
    _, header = next(lines)
    key = next(name for name in header if name in KEYS)
    place = header.index(key)
    found: dict[str, tuple[str, ...]] = {}
    first: dict[str, int] = {}
    for number, values in lines:
        who = values.pop(place)
        if not who:
            raise InputError(f"{path}, line {number}: {key} is missing")
        if found.setdefault(who, tuple(values)) != tuple(values):
            raise InputError(f"{path}, line {number} contradicts line {first[who]}")
        first.setdefault(who, number)
    return key, [name for name in header if name != key], found


def _lines(
    path: Path, check: Callable[[Path, list[str]], None], *, with_header: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Number and values of each line, without blanks around them; empty lines are left out."""
    number = 1
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is larger than {MOST_BYTES // MIB} MiB; no list of labels")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            check(path, header)
            if with_header:
                yield number, header
            for line in reader:
                number = reader.line_num
                if not line:
                    continue
                if len(line) != len(header):
                    raise InputError(
                        f"{path}, line {number}: {len(line)} values, the first line has "
                        f"{len(header)} columns"
                    )
                yield number, [value.strip() for value in line]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8; save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{path}, after line {number}: {error}") from error


def _check_header(path: Path, header: list[str]) -> None:
    if not header or not all(header):
        raise InputError(f"{path}: the first line names the columns, and one is empty")
    if len(header) > MOST_COLUMNS:
        raise InputError(f"{path}: {len(header)} columns, at most {MOST_COLUMNS} are read")
    if len(set(header)) < len(header):
        raise InputError(f"{path}: a column is named twice")
