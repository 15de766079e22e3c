"""The part of results.json that tells of a leaked store: what it is and what its templates give
away. Counts and rates only: no vector, and people under salted pseudonyms at most."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveInt

from reports.schema import NOT_RUN, ByFmr, Estimate, Model


class StoreCollection(Model):
    """Templates that lie together in a store: one column, one array, one file."""

    name: str
    rows: NonNegativeInt
    dim: PositiveInt
    stored_as: str = ""
    mean: bool = False  # every row is a mean of several templates
    model: str = ""  # what the store itself says made them
    subjects: NonNegativeInt | None = None
    names: NonNegativeInt = 0  # distinct readable names
    norm_mean: float | None = None
    norm_std: float | None = None
    unit_share: float | None = None  # rows of length 1
    nan_rows: NonNegativeInt = 0
    zero_rows: NonNegativeInt = 0
    constant_rows: NonNegativeInt = 0
    duplicate_rows: NonNegativeInt = 0
    backbone: str = ""  # the probable one
    evidence: list[str] = Field(default_factory=list)


class PredictedAgreement(Model):
    """Another judge on the reconstructions, though its own templates did not leak.

    They are predicted from the leaked ones by a linear map that was fitted on sampled faces.
    ``same_picture`` and ``strangers`` are the map's calibration on sampled people left out: how
    often the judge's own template is accepted as the predicted one of the same picture, and of
    somebody else. Without them the agreement says nothing, and with them it is no success rate.
    """

    judge: str
    pairs: PositiveInt  # sampled pictures that the map was fitted on
    agreement: ByFmr = Field(default_factory=dict)
    same_picture: ByFmr = Field(default_factory=dict)
    strangers: ByFmr = Field(default_factory=dict)


class AttributeLeak(Model):
    """How well an attribute of the person is read off the template alone.

    Balanced accuracy: mean of the shares that are right in each class, cross-validated with whole
    people left out; guessing the commonest class gives one over the number of classes.
    """

    attribute: str
    classes: dict[str, NonNegativeInt] = Field(default_factory=dict)  # people in each
    balanced_accuracy: Estimate = NOT_RUN
    majority: float | None = None  # plain accuracy of always guessing the commonest class
    permuted: Estimate = NOT_RUN  # the same with labels permuted between people
    note: str = ""


class StoreSummary(Model):
    """What is known of a leaked store without its vectors or names."""

    name: str
    kind: str  # the product
    sha256: str = ""
    n_templates: NonNegativeInt = 0
    n_subjects: NonNegativeInt | None = None
    dim: PositiveInt | None = None
    backbone: str = ""
    normalised: bool | None = None
    problems: list[str] = Field(default_factory=list)
    form: str = ""
    family: str = ""
    model: str = ""  # the product's own, in words
    evidence: list[str] = Field(default_factory=list)
    collections: list[StoreCollection] = Field(default_factory=list)
    coverage: float | None = None  # share of the rows that could be read
    unreadable: dict[str, NonNegativeInt] = Field(default_factory=dict)  # reason: rows
    broken: str = ""  # why the rest could not be read at all
    empty_rows: NonNegativeInt = 0
    n_named: NonNegativeInt = 0
    pictures: dict[str, NonNegativeInt] = Field(default_factory=dict)  # where: how many
    encrypted: bool | None = None
    executable: bool = False
    stock_password: bool | None = None
    audited: str = ""  # which collection was inverted
    n_audited_templates: NonNegativeInt = 0
    n_audited_subjects: NonNegativeInt = 0
    n_audited_of_nobody: NonNegativeInt = 0  # templates of which the store says no person
    calibration: str = ""  # what the thresholds rest on
    all_pairs_rate: ByFmr = Field(default_factory=dict)  # upper bound where nobody says who is who
    told_apart: Estimate = NOT_RUN  # reconstructions nearest to their own person in the store
    predicted: list[PredictedAgreement] = Field(default_factory=list)
    attributes: list[AttributeLeak] = Field(default_factory=list)
    not_inverted: str = ""  # why there is no attack in this report
    authorised_by: str = ""
    purpose: str = ""
