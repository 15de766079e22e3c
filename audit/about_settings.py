"""What heads a report: texts and a logo from the configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from audit.config_values import UserPath
from reports.extensions import Words


class AboutSettings(BaseModel):
    """Whose system it is; each text is one line of at most 200 characters.

    Attributes:
        organisation, system, contact: whose system was audited, which, and whom to ask.
        logo: a PNG, JPEG or WebP of at most 200 kB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    organisation: Words = ""
    system: Words = ""
    contact: Words = ""
    logo: UserPath | None = None
