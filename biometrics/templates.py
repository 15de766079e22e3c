"""TemplateSet: face embeddings of one backbone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from biometrics.errors import InputError

GENERATOR = "faceleak"
"""Who made the templates of a file that faceleak wrote from pictures."""


@dataclass(frozen=True)
class TemplateSet:
    """Templates with the table that says whose they are.

    Attributes:
        vectors: float32 [N, D], finite.
        table: one row a template: ``template_id`` and ``subject_id`` (text; may be empty).
        backbone: name of the backbone that made them.
        normalised: whether every vector has unit length.
        source: where they came from, in words.

    Raises:
        InputError: for a wrong shape, or for NaN or infinite values (the rows are counted).
    """

    vectors: NDArray[np.float32]
    table: pd.DataFrame
    backbone: str
    normalised: bool
    source: str

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.table):
            raise InputError(
                f"templates must be [N, D] with one table row each, got {list(self.vectors.shape)} "
                f"and {len(self.table)} rows"
            )
        check_finite(self.vectors)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def subject_ids(self) -> NDArray[np.str_]:
        """The subject of each template, text [N]."""
        return self.table["subject_id"].to_numpy(dtype=str)

    def take(self, rows: NDArray[np.integer] | Sequence[int]) -> TemplateSet:
        """The templates at those positions, in that order."""
        index = np.asarray(rows, dtype=np.intp)
        table = self.table.iloc[index].reset_index(drop=True)
        return TemplateSet(self.vectors[index], table, self.backbone, self.normalised, self.source)

    def save(self, path: Path, *, generator: str = GENERATOR) -> None:
        """Write one Parquet file; see :meth:`to_arrow`."""
        pq.write_table(self.to_arrow(generator), path)

    def to_arrow(self, generator: str = GENERATOR) -> pa.Table:
        """The table with a list column ``vector``, and the rest as metadata; ``generator`` says who
        made the templates, where that was not faceleak itself."""
        flat = pa.array(np.ascontiguousarray(self.vectors, dtype=np.float32).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(flat, self.vectors.shape[1])
        table = pa.Table.from_pandas(self.table, preserve_index=False)
        table = table.append_column("vector", vectors)
        return table.replace_schema_metadata(
            metadata(
                table.schema,
                backbone=self.backbone,
                normalised=self.normalised,
                source=self.source,
                generator=generator,
            )
        )

    @classmethod
    def load(cls, path: Path) -> TemplateSet:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: where the file is no Parquet file of templates.
        """
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path} is not a readable Parquet file: {error}") from error
        try:
            about = json.loads((table.schema.metadata or {})[b"faceleak"])
            column = table.column("vector").combine_chunks()
            # A copy, since pyarrow hands out read-only memory, which torch refuses.
            vectors = np.array(column.flatten(), dtype=np.float32)
            return cls(
                vectors.reshape(len(table), column.type.list_size),
                table.drop_columns(["vector"]).to_pandas(),
                about["backbone"],
                about["normalised"],
                about["source"],
            )
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise InputError(f"{path} holds no templates written by faceleak") from error


def metadata(
    schema: pa.Schema,
    *,
    backbone: str,
    normalised: bool,
    source: str,
    generator: str = GENERATOR,
) -> dict[bytes, bytes]:
    """A schema's metadata and what :meth:`TemplateSet.load` reads beside the columns."""
    about = {
        "backbone": backbone,
        "normalised": normalised,
        "source": source,
        "generator": generator,
    }
    return {**(schema.metadata or {}), b"faceleak": json.dumps(about).encode()}


def check_finite(vectors: NDArray[np.floating]) -> None:
    """Refuse NaN and infinite templates.

    Raises:
        InputError: naming the number of rows and the first of them.
    """
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise InputError(
            f"{bad.size} of {len(vectors)} templates hold NaN or infinite values "
            f"(first: row {bad[0]}); drop these rows first"
        )
