"""Writing a file in one step, readable by its owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``: a temporary name beside it, mode 0600, then a rename.

    A reader sees the old file or the new one, never a part. Raises OSError; nothing is left behind.
    """
    # mkstemp creates with 0600, so the content is never readable by others, not even for a moment.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
