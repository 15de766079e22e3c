"""The score of every reconstruction, kept beside results.json where a format asks for it.

One row a reconstruction and judge, under pseudonyms: ``similarity`` is that of the reconstruction
to the judge's template of the picture whose template leaked, and ``accepted_1e-3`` whether the
judge takes it at that FMR. Means within a subject, then over subjects, are the Type-I rates of
results.json. It holds nobody's name, picture or template.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from audit.judging import Cut
from audit.outcomes import PSEUDONYM_BYTES
from audit.pseudonyms import pseudonym, pseudonym_salt
from biometrics.metrics.success import Attempts

if TYPE_CHECKING:
    from audit.assemble import Assembly
    from audit.attempted import Attempted
    from audit.store_assembly import StoreAssembly
    from audit.store_attack import StoreAttempt

COLUMNS = ("template", "subject", "attack", "control", "judge", "face_found", "similarity")
ACCEPTED = "accepted_"
"""Before the FMR in the name of each further column."""


class Scores:
    """Collects the scores of a run.

    Args:
        templates, subjects: pseudonyms of the leaked templates and of whose they are [N].
    """

    def __init__(self, templates: Sequence[str], subjects: Sequence[str]) -> None:
        self.templates, self.subjects = list(templates), list(subjects)
        self.parts: list[pd.DataFrame] = []

    def add(
        self, attack: str, judge: str, attempts: Attempts, cuts: Sequence[Cut], *, control: bool
    ) -> None:
        """All attempts of one attack as one judge sees them; where the judge has no threshold,
        nobody is accepted or refused."""
        score = attempts.type1_scores
        accepted = {
            ACCEPTED + cut.label: pd.array(
                [None] * len(score)
                if cut.value is None
                else (score >= cut.value) & attempts.usable,
                dtype="boolean",
            )
            for cut in cuts
        }
        similarity = pd.array(score.astype(np.float32), dtype="Float32")
        told = (self.templates, self.subjects, attack, control, judge, attempts.detected)
        columns = dict(zip(COLUMNS, (*told, similarity), strict=True))
        self.parts.append(pd.DataFrame(columns | accepted))

    def save(self, path: Path) -> None:
        """Write the table."""
        # Without a judge there is no score; the columns stay.
        none = pd.DataFrame(columns=list(COLUMNS))
        table = pd.concat(self.parts, ignore_index=True) if self.parts else none
        # The order of the pictures would give people away.
        table.sort_values(["subject", "template"], kind="stable").to_parquet(path, index=False)


def face_scores(assembly: Assembly, made: Sequence[Attempted]) -> Scores:
    """Those of an audit of faces."""
    hide = functools.partial(pseudonym, salt=pseudonym_salt(), size=PSEUDONYM_BYTES)
    faces = assembly.people.faces.table["face_id"].iloc[assembly.rows]
    scores = Scores(
        [hide(str(face), prefix="T") for face in faces],
        [hide(str(name), prefix="S") for name in assembly.subjects],
    )
    for one in made:
        for judge in assembly.judges:
            attempts = assembly.attempts(judge, one)
            scores.add(one.name, judge.name, attempts, judge.cuts, control=one.control)
    return scores


def store_scores(assembly: StoreAssembly, made: Sequence[StoreAttempt]) -> Scores:
    """Those of an audit of a store, whose templates have pseudonyms already."""
    leaked = assembly.leaked
    scores = Scores(leaked.templates, leaked.subjects.tolist())
    for one in made:
        attempts = assembly.attempts(one)
        scores.add(one.name, assembly.name, attempts, assembly.target.cuts, control=one.control)
    return scores
