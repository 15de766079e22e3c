"""The tables of requirements that ship, read and checked once."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from reports.compliance.model import Assessment, Row, Source
from reports.schema import Model, first_problem

ORDER = ("iso24745", "iso30136", "iso19795", "gdpr", "aiact", "bipa", "nist")
"""The sources, as the page shows them; the name of the file and of its rows."""
ASSESSMENT = "dpia"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, and ten times as fast

T = TypeVar("T", bound=Model)


class ComplianceError(ValueError):
    """A table that does not hold what it must; the message is one readable line."""

    exit_code = 2


def load_source(file: Traversable | Path) -> Source:
    """One table.

    Raises:
        ComplianceError: in one line, what does not fit and where.
    """
    source = _read(file, Source)
    key = file.name.removesuffix(".yaml")
    if strange := [row.id for row in source.rows if not row.id.startswith(f"{key}.")]:
        raise ComplianceError(f"{file.name}: row '{strange[0]}' should begin with '{key}.'")
    return source


def load_assessment(file: Traversable | Path) -> Assessment:
    """The rows of the impact assessment.

    Raises:
        ComplianceError: in one line, what does not fit and where.
    """
    return _read(file, Assessment)


@functools.cache
def shipped_sources() -> Mapping[str, Source]:
    """The tables that ship, by the name of their file, in the order of the page."""
    return {name: load_source(_file(name)) for name in ORDER}


@functools.cache
def shipped_assessment() -> Assessment:
    """The impact assessment that ships."""
    return load_assessment(_file(ASSESSMENT))


def clause_of(row_id: str) -> str:
    """How a finding cites a row: the source, its clause where one was read, and the property.

    Raises:
        KeyError: no such row.
    """
    source = shipped_sources()[row_id.partition(".")[0]]
    row = next((row for row in source.rows if row.id == row_id), None)
    if row is None:
        raise KeyError(row_id)
    return f"{cited(source, row)}: {row.name}"


def cited(source: Source, row: Row) -> str:
    """The source and the clause, as far as it was read."""
    return " ".join(filter(None, [source.short, row.clause]))


def _file(name: str) -> Traversable:
    return files("reports.compliance").joinpath(f"{name}.yaml")


def _read(file: Traversable | Path, kind: type[T]) -> T:
    try:
        return kind.model_validate(yaml.load(file.read_text(encoding="utf-8"), _LOADER))
    except ValidationError as error:
        raise ComplianceError(f"{file.name}: {first_problem(error)}") from error
    except yaml.YAMLError as error:
        raise ComplianceError(f"{file.name}: not YAML: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise ComplianceError(f"{file.name}: cannot be read ({error.strerror})") from error
