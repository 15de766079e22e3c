"""What runs in the process of its own: sets the limits, then parses. Started as a file, by
:mod:`biometrics.stores.limited` alone; it must stay cheap to start and import nothing heavy."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

FILES = 64
"""Files that may be open at once; libraries are loaded through them too."""


def set_limits(memory: int, seconds: int, written: int) -> None:
    """Cap this process for good: bytes of address space and of any file, seconds of processor."""
    caps = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: written,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, cap in caps.items():
        hard = resource.getrlimit(kind)[1]
        most = cap if hard == resource.RLIM_INFINITY else min(cap, hard)
        # A system that knows no such limit, as macOS for memory, is left with the others.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def main() -> None:
    """Read the order, call the function, write ``{"result": …}`` or ``{"error": line}``."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    set_limits(order["memory"], order["seconds"], order["written"])
    sys.path.extend(path for path in order["path"] if path not in sys.path)
    from biometrics.errors import FaceleakError
    from biometrics.stores.plain_file import read_plain, write_plain

    answer = Path(order["answer"])
    try:
        module, _, name = order["function"].partition(":")
        function = getattr(import_module(module), name)
        write_plain({"result": function(*read_plain(Path(order["arguments"])))}, answer)
    except FaceleakError as error:
        write_plain({"error": str(error)}, answer)
    except MemoryError:
        write_plain({"error": f"needs more than {order['memory'] >> 20:,} MiB of memory"}, answer)
    except OSError as error:
        write_plain({"error": f"failed ({error.strerror or type(error).__name__})"}, answer)
    except Exception as error:  # a parser of foreign bytes may raise anything; texts may hold names
        write_plain({"error": f"failed ({type(error).__name__})"}, answer)


if __name__ == "__main__":
    main()
