"""Refuses to record where the address space of the process is limited to hardly more than it has.

Owns how much a recording needs: libraries that find no room for their code end the process, and the training with it.
"""

from __future__ import annotations

import resource
from pathlib import Path

from dtui.errors import RecorderError

NEEDED = 500_000_000
"""Bytes of address space: of numba's compiler, the libraries that write a run, and the stacks of threads."""
STATM = Path("/proc/self/statm")


def check_address_space() -> None:
    """Refuse where RLIMIT_AS leaves less than a recording needs; what the process has is not known without /proc.

    Raises:
        RecorderError: It does.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    try:
        taken = int(STATM.read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return
    left = limit - taken
    if left < NEEDED:
        raise RecorderError(
            f"recorder: of {limit / 1e9:.2f} GB of address space, as ulimit -v allows, {max(0, left) / 1e9:.2f} GB "
            f"are left, and recording takes {NEEDED / 1e9:.1f} GB; raise the limit, or lift it with ulimit -v unlimited"
        )
