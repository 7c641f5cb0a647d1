"""Names the folder of a run. Only this module knows the suffix `.dtui`."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".dtui"


def with_suffix(path: str | Path) -> Path:
    """Return the folder of a run for a path with or without `.dtui`; a path without a name is returned as it is."""
    path = Path(path)
    return path if path.name.endswith(SUFFIX) or not path.name else path.with_name(path.name + SUFFIX)
