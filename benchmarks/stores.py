"""Rows a second and memory: reading a store of templates in batches, beside pandas and pyarrow
reading the same file whole.

Each way runs in a process of its own, one after the other, and says its time without imports and
its peak memory with them.
Exits with 1 where the batches do not hold the peer's sum of all numbers, or where a million
templates of 512 numbers would take more than 60 s or 1 GiB.

    python benchmarks/stores.py --rows 1000000 --forms parquet --folder /tmp
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a checkout, not installed

import numpy as np
import pyarrow.parquet as pq
from _stores import DIM, GROUP, write_parquet

SECONDS, MEMORY, MILLION = 60.0, 1 << 30, 1_000_000


def main() -> int:
    args = parse_arguments()
    if args.way:
        print(json.dumps(run_way(args.way, args.path)))
        return 0
    good = True
    print(f"templates of {DIM} numbers, float32")
    print(f"{'file':<28}{'way':<20}{'rows/s':>12}{'s':>8}{'peak MiB':>10}")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for form in args.forms:
            rows = args.rows if form != "csv" else max(1, args.rows // 10)
            path = Path(folder) / f"templates.{form}"
            FORMS[form](path, rows)
            found = {way: measured(way, path) for way in PEERS[form]}
            good &= report(f"{form}, {rows:,} rows", rows, found)
            path.unlink()
    return 0 if good else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_npy(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    table = np.lib.format.open_memmap(path, "w+", np.float32, (rows, DIM))
    for start in range(0, rows, GROUP):
        part = table[start : start + GROUP]
        part[:] = random.standard_normal(part.shape, dtype=np.float32)
    table.flush()


def write_csv(path: Path, rows: int) -> None:
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join(f"v{i}" for i in range(DIM)) + "\n")
        for _ in range(rows):
            file.write(",".join(map(str, random.standard_normal(DIM, dtype=np.float32))) + "\n")


FORMS: dict[str, Callable[[Path, int], None]] = {
    "parquet": write_parquet,
    "fixed.parquet": lambda path, rows: write_parquet(path, rows, fixed=True),
    "npy": write_npy,
    "csv": write_csv,
}


def ours(path: Path) -> tuple[int, float]:
    from biometrics.stores.base import open_store

    rows, total = 0, 0.0
    with open_store(str(path)) as store:
        for batch in store.batches():
            rows += len(batch)
            total += float(batch.vectors.sum(dtype=np.float64))
    return rows, total


def with_pyarrow(path: Path) -> tuple[int, float]:
    table = pq.read_table(path)
    flat = table.column("embedding").combine_chunks().flatten().to_numpy()
    return len(table), float(flat.sum(dtype=np.float64))


def with_pandas(path: Path) -> tuple[int, float]:
    import pandas as pd

    if path.suffix == ".csv":
        values = pd.read_csv(path, dtype=np.float32).to_numpy()
    else:
        values = np.stack(pd.read_parquet(path)["embedding"].to_numpy())
    return len(values), float(values.sum(dtype=np.float64))


def with_numpy(path: Path) -> tuple[int, float]:
    values = np.load(path)
    return len(values), float(values.sum(dtype=np.float64))


OURS = "faceleak, batches"
WAYS: dict[str, Callable[[Path], tuple[int, float]]] = {
    OURS: ours,
    "pyarrow, whole": with_pyarrow,
    "pandas, whole": with_pandas,
    "NumPy, whole": with_numpy,
}
PEERS = {
    "parquet": (OURS, "pyarrow, whole", "pandas, whole"),
    "fixed.parquet": (OURS, "pyarrow, whole", "pandas, whole"),
    "npy": (OURS, "NumPy, whole"),
    "csv": (OURS, "pandas, whole"),
}


class Measured(dict[str, float]):
    """Rows, the sum of all numbers, seconds, and peak bytes of a process."""


def measured(way: str, path: Path) -> Measured:
    """One way, in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--path", str(path)]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return Measured(json.loads(said))


def run_way(way: str, path: Path) -> Measured:
    """The same, inside that process; imports do not count."""
    from biometrics.stores.base import STORES

    STORES.names()
    start = time.perf_counter()
    rows, total = WAYS[way](path)
    return Measured(
        rows=rows, total=total, seconds=time.perf_counter() - start, memory=peak_memory()
    )


def peak_memory() -> int:
    """Most bytes that this program held; what its parent held before does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def report(name: str, rows: int, found: dict[str, Measured]) -> bool:
    """Print the ways; whether ours met what is asked."""
    for way, one in found.items():
        speed, memory = one["rows"] / one["seconds"], one["memory"] / 2**20
        print(f"{name:<28}{way:<20}{speed:>12,.0f}{one['seconds']:>8.1f}{memory:>10,.0f}")
    own, peer = found[OURS], list(found.values())[1]
    same = own["rows"] == peer["rows"] == rows
    same &= abs(own["total"] - peer["total"]) <= 1e-4 * rows**0.5
    fast = own["seconds"] / rows * MILLION < SECONDS or own["seconds"] < 5 or "csv" in name
    return bool(same and fast and own["memory"] < MEMORY)


if __name__ == "__main__":
    sys.exit(main())
