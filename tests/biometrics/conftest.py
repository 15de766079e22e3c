from __future__ import annotations

from tests.biometrics.publisher import publisher  # noqa: F401
