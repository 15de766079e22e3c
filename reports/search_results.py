"""What an audit reports of templates that were not read but searched for, or fused."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from reports.schema import NOT_RUN, ByFmr, Estimate, Model


class SearchJudge(Model):
    """What one judge said; a SAR of every false match rate. With several fused templates, Type-I is
    the share accepted against each of their pictures."""

    unseen: bool
    type1: ByFmr = Field(default_factory=dict)
    type2: ByFmr = Field(default_factory=dict)


class SearchResult(Model):
    """One attack on templates that are known in one way. Rows of one ``part`` were tried on the
    same subjects; in ``fusion``, all rows are judged against the same other pictures.

    ``scores`` is how many similarity scores the template was worked out from, null where the
    template itself leaked; ``decimals`` how they were rounded, null where they were not;
    ``templates`` how many templates of the subject were fused; ``n`` how many subjects were tried.
    ``template_similarity`` compares what was inverted with the true templates, by the attacked
    model's own comparison (cosine, or minus the L2 distance); it is no rate.
    """

    attack: str
    backbone: str
    part: Literal["scores", "fusion"]
    scores: PositiveInt | None = None
    decimals: NonNegativeInt | None = None
    templates: PositiveInt = 1
    n: NonNegativeInt
    template_similarity: Estimate = NOT_RUN
    judges: dict[str, SearchJudge] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.scores is None and self.decimals is not None:
            raise ValueError("decimals belong to scores; this row has none")
        return self
