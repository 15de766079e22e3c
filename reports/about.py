"""Whose system the report is about, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.pictures import (
    PictureRemovedError,
    PictureUnusableError,
    load_picture,
    webp_data_uri,
)
from reports.results import Results

SIDE = 160  # pixels, of the logo on the page


@dataclass(frozen=True)
class AboutView:
    """Texts with what they are, and the logo as a data URI; both empty where nothing was said."""

    facts: list[tuple[str, str]]
    logo: str
    alt: str


def about_context(results: Results, run: Path) -> dict[str, Any]:
    """``about`` for a page's template; a logo that is gone or damaged is left out."""
    about = results.about
    named = (
        ("Organisation", about.organisation),
        ("System", about.system),
        ("Contact", about.contact),
    )
    facts = [(name, text) for name, text in named if text]
    alt = f"Logo of {about.organisation}" if about.organisation else "Logo"
    return {"about": AboutView(facts, _logo(about.logo, run), alt)}


def _logo(name: str | None, run: Path) -> str:
    try:
        return webp_data_uri(load_picture(run, name), side=SIDE, quality=90)
    except (PictureRemovedError, PictureUnusableError):
        return ""
