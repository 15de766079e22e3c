"""What a protection run tries: schemes, what the attacker knows, and how many keys and people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from audit.config_values import SchemeChoice, SchemeEntry, UserPath, listed, refuse_twice
from audit.sizes import Ascending, Sizes
from reports.results import UNPROTECTED, Knowledge, Leak

LANDMARKS = "landmarks"
"""Instead of a file of labels: attributes as the landmarks of the pictures show them."""

FEWEST_KEYS = 20
"""Below this an interval over keys says little."""

SCHEMES: tuple[SchemeChoice, ...] = (
    SchemeChoice("random-projection", {}),
    SchemeChoice("biohash", {}),
    SchemeChoice("iom-grp", {}),
    SchemeChoice("iom-urp", {}),
    SchemeChoice("mlp-hash", {}),
    SchemeChoice("polyprotect", {}),
    SchemeChoice("block-permutation", {}),
    SchemeChoice("pca", {"keep": 32}),
    SchemeChoice("quantise:8-bit", {"bits": 8}),
    SchemeChoice("quantise:1-bit", {"bits": 1}),
    SchemeChoice("noise", {}),
    SchemeChoice("average", {"pictures": 3}),
    SchemeChoice("disentangle", {}),
    SchemeChoice("ckks", {}),
)


class ProtectSettings(Sizes):
    """A whole protection run.

    Attributes:
        schemes: what is tried; templates as they are always come first.
        subjects: leaked people whose protected templates are attacked; null for all. People with
            two or more pictures are drawn first: Type-II and TMR speak of them alone.
        pictures: pictures of each of them whose templates leak, at most; null for all.
        keys: under so many keys the leaked templates lie, each person's under one; as many keys set
            the thresholds, and are renewed after the leak.
        threshold_pictures: pictures of each of the threshold people that are tried under every
            key, at most; null for all. Schemes without keys take all.
        knowledge: what the attacker knows.
        records: numbers of protected templates of a person that leak together, each under another
            key.
        leaks: what leaks: templates, scores, or decisions.
        queries: comparisons of each template that an attacker without templates asks for.
        pairs: pairs that a decoder learns from anew for every key, at most, where a protected
            template holds more than ``wide`` numbers; null for all.
        wide: see ``pairs``.
        sample: of the attacker's own people, on whom pre-image attacks are tried to choose one.
        strangers: people with whom each person is compared to see whether templates can be linked.
        gate: a scheme is recommended only where the upper bound of its strongest SAR is no higher.
        max_loss: of the TMR, that a recommended scheme may cost at most.
        labels: CSV of attributes of people or pictures, or ``landmarks``; null where there is none.
            Which of them is hidden is a setting of the scheme.
        likeness: leaked pictures whose reconstructions are compared with them; null for all.
        shown: people in the strips of pictures.
    """

    schemes: Annotated[tuple[SchemeEntry, ...], BeforeValidator(listed), Field(min_length=1)] = (
        SCHEMES
    )
    subjects: int | None = Field(default=None, ge=2)
    pictures: int | None = Field(default=None, ge=1)
    keys: int = Field(default=FEWEST_KEYS, ge=2, le=1000)
    threshold_pictures: int | None = Field(default=None, ge=1)
    knowledge: Annotated[tuple[Knowledge, ...], BeforeValidator(listed), Field(min_length=1)] = (
        "nothing",
        "scheme",
        "one-key",
        "key",
        "all-keys",
    )
    records: Ascending = (2, 5, 10)
    leaks: Annotated[tuple[Leak, ...], BeforeValidator(listed), Field(min_length=1)] = (
        "template",
        "score",
        "decision",
    )
    queries: int = Field(default=1000, ge=2)
    pairs: int | None = Field(default=None, ge=2)
    wide: int = Field(default=1024, ge=1)
    sample: int = Field(default=200, ge=2)
    strangers: int = Field(default=10, ge=1)
    gate: float = Field(default=0.05, gt=0, lt=1)
    max_loss: float = Field(default=0.05, ge=0, lt=1)
    labels: Literal["landmarks"] | UserPath | None = None
    likeness: int | None = Field(default=None, ge=1)
    shown: int = Field(default=4, ge=0, le=12)

    QUICK: ClassVar[dict[str, Any]] = {
        "subjects": 500,
        "pictures": 1,
        "threshold_pictures": 1,
        "knowledge": ("scheme", "key", "all-keys"),
        "records": (5,),
        "leaks": ("template", "score"),
        "queries": 500,
        "pairs": 2000,
        "sample": 100,
        "likeness": 100,
    }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [scheme.name for scheme in self.schemes]
        refuse_twice(names)
        refuse_twice(self.knowledge)
        refuse_twice(self.leaks)
        if UNPROTECTED in names:
            raise ValueError(f"schemes: '{UNPROTECTED}' always comes first; leave it out")
        if self.keys <= self.records[-1] and "all-keys" in self.knowledge:
            raise ValueError(
                f"records: {self.records[-1]} templates of a person need more keys than "
                f"{self.keys}, one of them to renew"
            )
        return self

    @property
    def label_file(self) -> Path | None:
        """The CSV of labels, where there is one."""
        return None if self.labels in (None, LANDMARKS) else Path(str(self.labels))
