"""What became of every leaked person, kept beside results.json so that runs can be paired.

One row a person, under a pseudonym that two runs of one installation share; one column for each
attack, judge, measure and FMR. It holds shares of accepted attempts and likenesses, and nobody's
name, picture or template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.pseudonyms import pseudonym
from biometrics.errors import InputError
from biometrics.metrics.intervals import subject_means
from biometrics.metrics.pairs import group
from biometrics.metrics.success import BySubject

OUTCOMES = "outcomes.parquet"
PSEUDONYM_BYTES = 12
"""Long enough that two of a million people do not share one."""

Vector = NDArray[np.float64]


class Column(NamedTuple):
    """Which outcome: ``measure`` is ``type1``, ``type2`` or a likeness such as ``psnr_crop``;
    ``judge`` and ``fmr`` are empty for likenesses."""

    attack: str
    judge: str
    measure: str
    fmr: str


class OutcomeLog:
    """Collects the outcomes of a run.

    Args:
        subjects: whose the leaked pictures are, names [N].
        salt: of the pseudonyms.
    """

    def __init__(self, subjects: NDArray[np.str_], salt: bytes) -> None:
        groups = group(subjects)
        names = np.unique(subjects)
        self.people = [pseudonym(str(n), salt, "S", size=PSEUDONYM_BYTES) for n in names]
        self.index, self.several = groups.index, groups.counts > 1
        self.columns: dict[str, NDArray[np.float32]] = {}

    def add_rates(self, attack: str, judge: str, fmr: str, found: BySubject) -> None:
        """The success rates of every person by one judge at one FMR; who has a single picture has
        no Type-II."""
        self._add(Column(attack, judge, "type1", fmr), found.type1)
        type2 = np.full(len(self.people), np.nan)
        type2[self.several] = found.type2
        self._add(Column(attack, judge, "type2", fmr), type2)

    def add_likeness(self, attack: str, images: Mapping[str, Vector]) -> None:
        """Likenesses of every picture [N]; those that were not measured on all are left out."""
        for measure, values in images.items():
            if np.isfinite(values).all():
                means = subject_means(values, self.index)
                self._add(Column(attack, "", measure, ""), means)

    def save(self, path: Path) -> None:
        """Write the table."""
        table = pd.DataFrame(self.columns)
        table.insert(0, "subject", self.people)
        # The order of the names would give them away.
        table.sort_values("subject").to_parquet(path, index=False)

    def _add(self, column: Column, values: Vector) -> None:
        self.columns[json.dumps(column)] = values.astype(np.float32)


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of a finished run, people in the order of their pseudonyms."""

    people: tuple[str, ...]
    columns: Mapping[Column, Vector]

    @classmethod
    def load(cls, run: Path) -> Outcomes:
        """Read those of a run folder.

        Raises:
            InputError: there are none, or the file is damaged.
        """
        path = run / OUTCOMES
        if not path.is_file():
            raise InputError(
                f"{run} holds no {OUTCOMES}: it is no finished run, or one of an older faceleak; "
                "run its audit again"
            )
        try:
            table = pd.read_parquet(path).sort_values("subject")
            columns = {
                Column(*json.loads(name)): table[name].to_numpy(dtype=np.float64)
                for name in table.columns
                if name != "subject"
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged: {error}") from error
        return cls(tuple(table["subject"]), columns)

    def values(self, attack: str, judge: str, measure: str, fmr: str = "") -> Vector | None:
        """One value a person, without those who have none; None where it was not measured."""
        found = self.columns.get(Column(attack, judge, measure, fmr))
        return None if found is None else found[np.isfinite(found)]
