"""Settings for the whole suite; read before any test module imports torch."""

from __future__ import annotations

import os

# One thread in each parallel worker: several threads a worker fight over the same cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
