"""The part of results.json that compares backbones: what ``faceleak compare`` found."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from reports.schema import ByFmr, Estimate, FmrKey, Grade, Model, NotMeasured

_NOT_RANKED = NotMeasured(not_measured="not ranked")


class CompareRow(Model):
    """One backbone (or run) in a comparison.

    ``sar`` is Type-I of ``attack`` by ``judge``: the attack that this judge accepts most, and the
    judge of the whole comparison, or where it has none the run's own.
    """

    name: str
    run: str = ""
    sar: ByFmr = Field(default_factory=dict)
    tmr: ByFmr = Field(default_factory=dict)  # how well it recognises the leaked people itself
    grade: Grade = "not graded"
    target: str = ""
    attack: str = ""
    judge: str = ""
    headline: Estimate = _NOT_RANKED  # what it is ranked by: sar at the FMR of the comparison
    rank: NonNegativeInt = 0  # rows whose paired difference is not clear share one; 0: not ranked
    type2: ByFmr = Field(default_factory=dict)
    type2_reference: ByFmr = Field(default_factory=dict)
    own: ByFmr = Field(default_factory=dict)  # Type-I of the attack by the attacked model itself
    image: dict[str, Estimate] = Field(default_factory=dict)  # likeness of the attack's pictures
    dim: PositiveInt | None = None
    similarity: str = ""
    licence: str = ""


class CompareDifference(Model):
    """Paired difference of two rows, ``left`` minus ``right``, over the same subjects."""

    left: str
    right: str
    sar: ByFmr = Field(default_factory=dict)
    image: dict[str, Estimate] = Field(default_factory=dict)


class CompareCell(Model):
    """Templates of ``source``, inverted by ``attack``, tried on ``judge``."""

    source: str  # name of the row
    judge: str
    attack: str
    unseen: bool
    type1: ByFmr = Field(default_factory=dict)
    type2: ByFmr = Field(default_factory=dict)
    type2_reference: ByFmr = Field(default_factory=dict)


class Predictability(Model):
    """How well templates of ``judge`` follow from templates of ``source`` by a linear map.

    No picture is made: both sides come from one template. ``same_picture`` compares a mapped
    template with the judge's own of the same picture, ``other_pictures`` with those of other
    pictures of the person; ``photographs`` is what the judge's own template of the picture reaches
    on the pairs of ``other_pictures``, and ``strangers`` how often a mapped template is accepted as
    somebody else.
    """

    source: str  # a backbone
    judge: str
    pairs: PositiveInt  # that the map was fitted on
    same_picture: ByFmr = Field(default_factory=dict)
    other_pictures: ByFmr = Field(default_factory=dict)
    photographs: ByFmr = Field(default_factory=dict)
    strangers: ByFmr = Field(default_factory=dict)


class FormatRow(Model):
    """A backbone whose templates are kept shortened or coarser; the first row is as they are."""

    backbone: str
    form: str  # such as "50 % of the dimensions" or "1 bit"
    dim: PositiveInt
    bytes: PositiveInt  # of one template
    attack: str
    judge: str
    tmr: ByFmr = Field(default_factory=dict)  # of the backbone with such templates
    type1: ByFmr = Field(default_factory=dict)
    type2: ByFmr = Field(default_factory=dict)
    difference: ByFmr = Field(default_factory=dict)  # paired Type-I, less that of the first row


class ProjectionCheck(Model):
    """The positive control: templates of eigenfaces hold the pictures' projection, so pictures made
    of them must come as near to the photographs, in decibels of PSNR over what eigenfaces see."""

    attack: str
    components: PositiveInt
    projection: Estimate
    reconstruction: Estimate
    difference: Estimate  # reconstruction minus projection, paired


class CompareSetting(Model):
    """A setting in which a run differs from the first; values as JSON text."""

    run: str
    key: str  # dotted
    before: str
    after: str


class CompareChange(Model):
    """What became of a judge's acceptance between two runs of one target.

    With ``which`` "strongest" each run's own strongest attack by this judge stands on its side,
    else both sides are of the same attack. ``difference`` is paired over the same people, after
    less before: above 0 more is accepted than before.
    """

    before: str
    after: str
    which: Literal["", "strongest"] = ""
    attack_before: str
    attack_after: str
    judge: str
    unseen: bool
    measure: Literal["type1", "type2"]
    was: ByFmr = Field(default_factory=dict)
    now: ByFmr = Field(default_factory=dict)
    difference: ByFmr = Field(default_factory=dict)


class CompareResult(Model):
    """Several backbones or runs, side by side."""

    judge: str = ""  # one unseen judge for all rows; empty where there is none
    fmr: FmrKey | None = None  # at which rows are ranked
    rows: list[CompareRow] = Field(default_factory=list)  # the most leaking first
    differences: list[CompareDifference] = Field(default_factory=list)
    judges: list[str] = Field(default_factory=list)  # columns of the matrix
    matrix: list[CompareCell] = Field(default_factory=list)
    predictability: list[Predictability] = Field(default_factory=list)
    formats: list[FormatRow] = Field(default_factory=list)
    projection: ProjectionCheck | None = None
    settings: list[CompareSetting] = Field(default_factory=list)  # of runs of one target
    changes: list[CompareChange] = Field(default_factory=list)  # empty where targets differ
    notes: list[str] = Field(default_factory=list)
