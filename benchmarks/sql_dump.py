"""A gzip dump of PostgreSQL read as a store: MB of text a second, beside ``gzip -dc | wc -l``.

Writes a dump of vectors of 512 numbers, then times the pass that finds the tables and the pass
over the rows; each reads and unpacks all of it. Exits with 1 where a row is missing, or where both
passes together would take 100 s or more for a million rows.

    python benchmarks/sql_dump.py --rows 20000
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

import numpy as np
from _timing import best_times

from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.source import FileSource
from biometrics.stores.sql_dump import SqlDump

DIM, ROUNDS, MOST_SECONDS = 512, 3, 100.0
HEAD = (
    b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n"
    b'CREATE TABLE public.face_search ("faceId" uuid NOT NULL, embedding public.vector(512));\n\n'
    b'COPY public.face_search ("faceId", embedding) FROM stdin;\n'
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dump.sql.gz")
        size = write(path, rows)
        packed = path.stat().st_size

        def read() -> int:
            dump = SqlDump(FileSource(path, DEFAULT_LIMITS), DEFAULT_LIMITS)
            return sum(map(len, dump.rows("face_search", ["faceId", "embedding"])))

        ways = {
            "gzip -dc | wc -l": lambda: subprocess.run(
                f"gzip -dc '{path}' | wc -l", shell=True, check=True, stdout=subprocess.DEVNULL
            ),
            "tables": lambda: SqlDump(FileSource(path, DEFAULT_LIMITS), DEFAULT_LIMITS).tables,
            "tables and rows": read,
        }
        found = read()
        seconds = best_times(ways, ROUNDS)
    print(f"{rows:,} rows, {size / 1e6:.0f} MB of text, {packed / 1e6:.0f} MB packed")
    print(f"{'way':<20}{'seconds':>9}{'MB/s':>8}{'a million rows':>16}")
    for name, taken in seconds.items():
        print(f"{name:<20}{taken:>9.2f}{size / 1e6 / taken:>8.0f}{taken * 1e6 / rows:>14.0f} s")
    whole = seconds["tables and rows"] * 1e6 / rows
    print(f"floor {MOST_SECONDS:.0f} s: {'met' if whole < MOST_SECONDS else 'MISSED'}")
    return 0 if found == rows and whole < MOST_SECONDS else 1


def write(path: Path, rows: int) -> int:
    """A dump of that many vectors; how many bytes it unpacks to."""
    rng = np.random.default_rng(0)
    size = 0
    with gzip.open(path, "wb", compresslevel=1) as file:
        size += file.write(HEAD)
        for i in range(rows):
            if i % 1000 == 0:
                texts = rng.standard_normal((1000, DIM)).astype(np.float32).astype(str)
            vector = ",".join(texts[i % 1000])
            size += file.write(f"{i:032x}\t[{vector}]\n".encode())
        size += file.write(b"\\.\n")
    return size


if __name__ == "__main__":
    sys.exit(main())
