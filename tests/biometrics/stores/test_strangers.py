"""Another package brings a reader for a form of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from audit.cli import app
from biometrics.errors import StoreError
from biometrics.stores.base import STORES, open_store
from tests.strangers import install

STRANGER = """
import numpy as np
from faceleak import Claim, Collection, Store, StoreFacts, StoreReader, make_batch, register_store

class MineStore(Store):
    facts = StoreFacts("mine", "a table of mine", evidence=("begins with MINE",))

    def batches(self):
        rows = np.frombuffer(self.source.read_whole()[4:], "<f4").reshape(-1, 20)
        self.tally.read = len(rows)
        ids = [str(row) for row in range(len(rows))]
        yield make_batch(Collection("faces", 20, "float32"), rows, ids, None, ["Ann"] * len(rows))

@register_store
class Mine(StoreReader):
    name = "mine"

    def claim(self, source):
        head = getattr(source, "head", b"")
        return Claim(3, ("begins with MINE",)) if head[:4] == b"MINE" else None

    def open(self, source, claim, limits):
        return MineStore(source, limits)
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is installed, and announces the reader."""
    install(monkeypatch, tmp_path, STORES, STRANGER)


def made(folder: Path) -> Path:
    path = folder / "faces.bin"
    rows = np.random.default_rng(1).normal(size=(40, 20)).astype("<f4")
    path.write_bytes(b"MINE" + rows.tobytes())
    return path


@pytest.mark.usefixtures("stranger")
def test_a_file_of_a_strangers_form_is_inspected(tmp_path: Path) -> None:
    assert {"mine", "npy", "tables"} <= set(STORES.names())
    told = CliRunner().invoke(app, ["stores", "inspect", str(made(tmp_path)), "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["store"]["product"] == "mine"
    assert (found["rows"], found["coverage"]) == (40, 1.0)
    assert (found["collections"][0]["dim"], found["collections"][0]["names"]) == (20, 1)
    assert "Ann" not in told.stdout


def test_without_the_package_nobody_reads_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"faces\.bin"):
        open_store(str(made(tmp_path)))
