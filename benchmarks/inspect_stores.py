"""``faceleak stores inspect`` on a Parquet file and on a gzip dump of Immich, as a whole command:
seconds and memory, beside the plainest programs that read the same file.

Memory is that of all processes of a command together, with its imports; so are the seconds. The
dump is read by the passes for its tables, for whose the templates are, and for these. Exits with 1
where a row is missing, the product or a length is not told, or a million rows would take longer
than 60 s (Parquet) and 5 min (dump), or 1 GiB.

    python benchmarks/inspect_stores.py --rows 1000000 --folder /tmp
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from _stores import DIM, Cost, cost_of, write_dump, write_parquet

ROOT = Path(__file__).resolve().parents[1]
OURS = "stores inspect"
FIXED = 10.0
"""Seconds that a store of any size may take, on a busy machine."""

MEMORY, MILLION = 1 << 30, 1_000_000


class Form(NamedTuple):
    """A kind of file: who writes it, the product that it is, seconds for a million rows, and the
    peers by name, as commands with the path in place of ``{}``."""

    write: Callable[[Path, int], None]
    product: str
    seconds: float
    peers: dict[str, list[str]]


_WHOLE = "import sys, pyarrow.parquet as pq; pq.read_table(sys.argv[1])"
FORMS = {
    "parquet": Form(
        write_parquet, "file", 60.0, {"pyarrow, whole": [sys.executable, "-c", _WHOLE, "{}"]}
    ),
    "sql.gz": Form(
        write_dump,
        "immich",
        300.0,
        {"gzip -dc | wc -l": ["sh", "-c", 'gzip -dc "$0" | wc -l', "{}"]},
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed")
    args = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    good = True
    print(f"{args.rows:,} templates of {DIM} numbers")
    print(f"{'file':<10}{'MB':>7}  {'way':<20}{'s':>8}{'rows/s':>12}{'peak MiB':>10}")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for name in args.forms:
            path = Path(folder) / f"store.{name}"
            FORMS[name].write(path, args.rows)
            good &= measure(name, path, args.rows)
            path.unlink()
    print("floors: " + ("met" if good else "MISSED"))
    return 0 if good else 1


def measure(name: str, path: Path, rows: int) -> bool:
    """Print what each way costs; whether ours is right, fast and small."""
    form = FORMS[name]
    ways = {
        OURS: [sys.executable, "-m", "audit.cli", "stores", "inspect", "{}", "--json"],
        **form.peers,
    }
    found: dict[str, Cost] = {}
    for way, command in ways.items():
        cost = found[way] = cost_of([str(path) if word == "{}" else word for word in command])
        megabytes = path.stat().st_size / 1e6
        print(
            f"{name:<10}{megabytes:>7,.0f}  {way:<20}{cost.seconds:>8.1f}"
            f"{rows / cost.seconds:>12,.0f}{cost.memory / 2**20:>10,.0f}",
            flush=True,
        )
    told = json.loads(found[OURS].said)
    main = told["collections"][0]
    right = (
        told["store"]["product"] == form.product and main["norms"]["count"] == rows == told["rows"]
    )
    right &= main["dim"] == DIM and main["duplicates"] == 0
    allowed = max(FIXED, form.seconds * rows / MILLION)
    return right and found[OURS].seconds <= allowed and found[OURS].memory <= MEMORY


if __name__ == "__main__":
    sys.exit(main())
