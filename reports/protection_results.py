"""The part of results.json about protection: the same attack again on protected templates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from reports.schema import HEADLINE_FMR, NOT_RUN, ByFmr, Estimate, FmrKey, Model, RelativePath

UNPROTECTED = "none"
"""The ``scheme`` of the rows that all others are compared with."""

ProtectionFamily = Literal["none", "keyed", "reduction", "disentangling", "encryption"]
"""What a scheme rests on."""

Knowledge = Literal["nothing", "scheme", "one-key", "key", "all-keys"]
"""What the attacker knows besides the protected templates.

``nothing``: takes them for plain ones. ``scheme``: how it works, but no key that is in use.
``one-key``: the whole system has one key, and the attacker knows it. ``key``: every leaked
template's own key. ``all-keys``: several protected templates of each person and all their keys.
"""

Leak = Literal["template", "score", "decision"]
"""What leaked: protected templates, or only the scores, or the yes and no, of a matcher."""


class ProtectionLimits(Model):
    """What a scheme has to keep before it is recommended, both at one FMR.

    ``max_sar`` is the highest upper bound of Type-I and Type-II by any judge; ``max_loss`` the most
    of recognition (TMR) that the protection may cost. Both are shares from 0 to 1.
    """

    fmr: FmrKey = HEADLINE_FMR
    max_sar: NonNegativeFloat | None = None
    max_loss: NonNegativeFloat | None = None


class Linkage(Model):
    """Whether protected templates under different keys can be told to be of one person.

    ``d_sys`` is that of Gomez-Barrero and others; ``null`` is what chance gives on as many scores
    in the same bins (mean, and the range that holds 95 % of it).
    """

    linker: str  # how two protected templates are compared, in words
    knowledge: Knowledge
    d_sys: Estimate
    null: Estimate
    maximal: Estimate  # maximal linkability, in bits: 0 none, 1 all
    maximal_null: Estimate = NOT_RUN  # what chance gives of it
    bins: PositiveInt
    mated: NonNegativeInt  # scores of one person under two keys
    non_mated: NonNegativeInt
    edges: list[float] = Field(default_factory=list)
    local: list[float] = Field(default_factory=list)  # D(s) of each bin
    mated_share: list[float] = Field(default_factory=list)  # of each bin
    non_mated_share: list[float] = Field(default_factory=list)


class ProtectionSample(Model):
    """Pictures of one person under one scheme."""

    template: str  # pseudonym
    subject: str = ""  # pseudonym
    original: RelativePath | None = None
    reconstruction: RelativePath | None = None


class ProtectionResult(Model):
    """The same attack again on protected templates, as one judge sees it.

    A row whose ``attack`` is empty tells of the scheme alone: what it costs in recognition, and
    whether its templates can be linked. A row with an attack tells what came of it: ``type1``
    against the template that leaked and ``type2`` against other pictures of the same person, in the
    protected system itself (``judged`` is "protected": pictures are put in, the system protects
    them under the person's key) or by a judge without protection ("plain"). ``revoked_type1`` and
    ``revoked_type2`` are the same against new templates under new keys.
    """

    scheme: str
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    key_known: bool
    attack: str
    backbone: str
    judge: str
    type1: ByFmr = Field(default_factory=dict)
    type2: ByFmr = Field(default_factory=dict)
    tmr: ByFmr = Field(default_factory=dict)  # what the protection costs in recognition
    note: str = ""
    label: str = ""  # the scheme with what matters of its settings, in words
    family: ProtectionFamily = "none"
    keyed: bool = False
    control: bool = False  # the row only gives the others their meaning
    # Of a scheme, in rows without an attack:
    tmr_plain: ByFmr = Field(default_factory=dict)  # of the same pairs, unprotected
    tmr_difference: ByFmr = Field(default_factory=dict)  # paired; protected less unprotected
    tmr_genuine_key: ByFmr = Field(default_factory=dict)  # where impostors have keys of their own
    realised_fmr: ByFmr = Field(default_factory=dict)
    linkage: list[Linkage] = Field(default_factory=list)
    keys: NonNegativeInt = 0  # under how many keys it was tried
    dim: NonNegativeInt = 0  # numbers that are compared
    stored_bits: NonNegativeInt = 0  # of one protected template, without its key
    microseconds: Estimate = NOT_RUN  # to protect one template
    measures: dict[str, Estimate] = Field(default_factory=dict)  # of this scheme alone
    # Of an attack:
    knowledge: Knowledge | Literal[""] = ""
    leak: Leak = "template"
    records: NonNegativeInt = 1  # protected templates of a person that leaked
    queries: NonNegativeInt = 0  # comparisons that the attacker asked for, of each template
    method: str = ""  # how templates or faces were got back, in words
    judged: Literal["protected", "plain"] = "plain"
    unseen: bool = False  # the judge took no part in the attack
    n_attempts: NonNegativeInt = 0
    n_failed: NonNegativeInt = 0  # attempts in which no face was found
    detection_rate: Estimate = NOT_RUN
    type2_reference: ByFmr = Field(default_factory=dict)  # genuine pictures in the same pairs
    reconstruction_fmr: ByFmr = Field(default_factory=dict)  # against pictures of others
    revoked_type1: ByFmr = Field(default_factory=dict)
    revoked_type2: ByFmr = Field(default_factory=dict)
    difference: ByFmr = Field(default_factory=dict)  # paired; type1 less that without protection
    type2_difference: ByFmr = Field(default_factory=dict)
    recovered_cosine: Estimate = NOT_RUN  # of the recovered template, both less the mean
    image: dict[str, Estimate] = Field(default_factory=dict)
    samples: list[ProtectionSample] = Field(default_factory=list)
