"""Names of plug-ins as names of files."""

from __future__ import annotations

import hashlib
import re


def file_name(name: str) -> str:
    """A backbone's or an attack's name as one safe file name; names that differ in more than
    ``:`` against ``-`` give different ones.

    ``control:mean`` becomes ``control-mean``; a name with anything but ASCII letters, digits, and
    ``._-`` gets a few digits of its hash, for two such names may be equal in what is left.
    """
    plain = name.replace(":", "-")
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", plain):
        return plain
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:60]
    return f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
