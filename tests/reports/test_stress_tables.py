"""A rebuilt face that passes for everybody flatters its own success, and the tables say so."""

from __future__ import annotations

import pytest

from reports.results import Measured
from reports.stress_tables import stress_tables
from reports.tables import EVERYBODYS_FACE
from tests.reports import stress_factory as made


@pytest.mark.parametrize(("own", "flagged"), [(0.0031, True), (0.0029, False), (None, False)])
def test_what_everybodys_face_is_accepted_as_is_set_off(own: float | None, flagged: bool) -> None:
    rates = {name: {"1e-3": made.number(0.5)} for name in ("type1", "type2", "tmr")}
    if own is not None:
        rates["reconstruction_fmr"] = {"1e-3": Measured(value=own, low=0.0, high=0.01, n=100)}
    row = made.row("quality", attack="linear", perturbation="blur", strength=2.0, **rates)
    table = stress_tables([row])[0]
    columns = [column if isinstance(column, str) else column.text for column in table.columns]
    tones = dict(zip(columns, (cell.tone for cell in table.rows[0]), strict=True))
    for name in ("Type-I", "Type-II", "Own FMR"):
        if name in tones:
            assert (tones[name] == "flag") is flagged, name
    assert tones["TMR"] != "flag"
    assert (EVERYBODYS_FACE in table.notes) is flagged
    assert ("Own FMR" in columns) is (own is not None)
