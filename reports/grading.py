"""How a success rate became a grade: the policy of the run, as data and as a table."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reports.schema import Grade, Model

Share = Annotated[float, Field(ge=0, le=1)]


class GradeCutoff(Model):
    """The highest success rate that still earns a grade, and why it is drawn there."""

    at_most: Share
    why: str


class Grading(Model):
    """The dated rules of the grade; above the last cut-off it is F."""

    date: str
    measure: str
    cutoffs: dict[Grade, GradeCutoff]
    best_without_unseen_judge: Grade
    why_capped: str
