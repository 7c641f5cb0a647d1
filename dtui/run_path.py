"""Names the folder of a run, and the cache in it: how a path is told elsewhere, and near ones.

Only this module knows the suffix `.dtui`.
"""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".dtui"
CACHE_FILE = "findings.h5"
"""In the folder of a run: answers that a viewer keeps. It says nothing new of the run, and may come and go."""


def with_suffix(path: str | Path) -> Path:
    """Return the folder of a run for a path with or without `.dtui`; a path without a name is returned as it is."""
    path = Path(path)
    return path if path.name.endswith(SUFFIX) or not path.name else path.with_name(path.name + SUFFIX)


def nearest_run(path: Path) -> Path | None:
    """Return the run with nearly the name of one that is not there, in the same folder; None where there is none.

    Without its suffix, as people type it.
    """
    import difflib  # only for who mistyped

    try:
        names = [entry.name.removesuffix(SUFFIX) for entry in path.parent.iterdir() if entry.suffix in (SUFFIX, ".h5")]
    except OSError:
        return None
    found = difflib.get_close_matches(path.name.removesuffix(SUFFIX), names, n=1)
    return path.with_name(found[0]) if found else None


def told_path(path: str | Path) -> Path:
    """Return a path that is right in every working directory, the same however it was given: without `.` and `..`.

    Links are kept, for people know a run by them, but where `..` behind a link leads elsewhere than it reads.
    """
    plain = Path(os.path.abspath(path))
    real = Path(os.path.realpath(path))
    return plain if Path(os.path.realpath(plain)) == real else real
