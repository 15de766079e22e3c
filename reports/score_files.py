"""Scores of single reconstructions, as the audit kept them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from reports.exports import harmless
from reports.files import write_private
from reports.formats import SCORES
from reports.results import RESULTS_NAME, ResultsError


def find_scores(run: Path) -> Path:
    """The file of a run folder.

    Raises:
        ResultsError: there is none; the message says how to get one.
    """
    path = run / SCORES
    if not (run / RESULTS_NAME).is_file():
        raise ResultsError(f"{run}: holds no {RESULTS_NAME}; is this a run?")
    if not path.is_file():
        raise ResultsError(
            f"{path}: there is none, and results.json does not hold single scores; audit again "
            "with parquet among output.formats (an audit alone keeps them, until faceleak purge)"
        )
    return path


def write_scores_csv(scores: Path, path: Path) -> None:
    """The table as CSV (0600, in one step); a cell without a value is empty.

    Raises:
        ResultsError: the file is damaged.
    """
    from pyarrow import ArrowException, parquet  # half a second

    try:
        table = parquet.read_table(scores)
    except (ArrowException, OSError) as error:
        raise ResultsError(f"{scores}: damaged ({error})") from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=10_000):
        columns = [column.to_pylist() for column in batch.columns]
        writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))
    write_private(path, text.getvalue().encode())


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return harmless(value) if isinstance(value, str) else repr(value)
