from __future__ import annotations

from tests.one_thread import one_thread  # noqa: F401
from tests.seeded_weights import weights_folder  # noqa: F401
