"""Names the folder of a run. Only this module knows the suffix `.dtui`, and how a path is told elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".dtui"


def with_suffix(path: str | Path) -> Path:
    """Return the folder of a run for a path with or without `.dtui`; a path without a name is returned as it is."""
    path = Path(path)
    return path if path.name.endswith(SUFFIX) or not path.name else path.with_name(path.name + SUFFIX)


def told_path(path: str | Path) -> Path:
    """Return a path that is right in every working directory, the same however it was given: without `.` and `..`.

    Links are kept, for people know a run by them, but where `..` behind a link leads elsewhere than it reads.
    """
    plain = Path(os.path.abspath(path))
    real = Path(os.path.realpath(path))
    return plain if Path(os.path.realpath(plain)) == real else real
