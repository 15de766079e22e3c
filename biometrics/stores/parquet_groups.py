"""How wide the row groups of a Parquet file are. The library aborts the process on some damaged
footers when it is asked for a column's figures, so it is asked in a process of its own."""

from __future__ import annotations

from pathlib import Path

from biometrics.stores.plain_file import Plain


def widths(path: str) -> Plain:
    """Numbers a row of the largest column of each row group; for
    :func:`biometrics.stores.limited.run_limited` only.

    Args:
        path: absolute.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(Path(path), pre_buffer=False) as file:
        groups = [file.metadata.row_group(place) for place in range(file.num_row_groups)]
        return [
            max((group.column(place).num_values for place in range(group.num_columns)), default=0)
            // max(1, group.num_rows)
            for group in groups
        ]
