"""How long an audit of a leaked pickle takes, from nothing to the report, against its limit.

    python benchmarks/audit_store.py [--people 500] [--pictures 4]

The store is the best-known file of all, a pickle of dlib encodings and names, here of generated
people. It is signed for in a temporary folder; the caches start empty.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from audit.authorisation import PLACEHOLDERS, write_form
from audit.synthesis import generate_faces
from biometrics.backbones.base import load_backbone
from biometrics.backbones.embed import embed
from biometrics.stores.limits import DEFAULT_LIMITS
from biometrics.stores.source import open_source
from reports.results import Measured, load_results

LIMIT = 90.0
"""Seconds that 2,000 templates may take on two cores."""

SEED = 77


def main() -> None:
    """Make the store, audit it, print seconds and rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--pictures", type=int, default=4)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder), chosen.people, chosen.pictures)
        _sign(store)
        seconds = _audit(store, Path(folder))
        found = load_results(Path(folder) / "run")
    count = chosen.people * chosen.pictures
    print(f"audit of {count:,} templates: {seconds:.1f} s (limit for 2,000: {LIMIT:.0f} s)")
    for row in found.attacks:
        rate = row.judges["dlib"].type1["1e-3"]
        shown = f"{100 * rate.value:.1f} %" if isinstance(rate, Measured) else "not measured"
        print(f"  {row.attack}: {shown} accepted by dlib itself at FMR 1e-3")


def _store(folder: Path, people: int, pictures: int) -> Path:
    faces = generate_faces(people, pictures, SEED)
    vectors = embed(load_backbone("dlib"), faces.crops).astype(float)
    content = {"encodings": list(vectors), "names": faces.subject_ids.tolist()}
    path = folder / "encodings.pickle"
    path.write_bytes(pickle.dumps(content))
    return path


def _sign(store: Path) -> None:
    words = {"owner": "nobody", "purpose": "a benchmark", "legal_basis": "generated people"}
    form = write_form(open_source(str(store), DEFAULT_LIMITS), **words)
    text = form.read_text().replace(PLACEHOLDERS["authorised_by"], "nobody")
    form.write_text(text.replace("signed: no", "signed: yes"))


def _audit(store: Path, folder: Path) -> float:
    """Seconds of the command as a user starts it, imports included."""
    command = [sys.executable, "-m", "audit.cli", "audit", "--store", str(store)]
    own = {"HOME": folder, "XDG_CACHE_HOME": folder / "cache", "XDG_CONFIG_HOME": folder / "config"}
    environment = {**os.environ, **{name: str(path) for name, path in own.items()}}
    environment.pop("FACELEAK_CACHE_DIR", None)
    start = time.perf_counter()
    subprocess.run(
        [*command, "--out", str(folder / "run")],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
