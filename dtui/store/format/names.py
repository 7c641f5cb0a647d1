"""Names of runs and the tokens that their frames carry.

Owns both mappings. A second copy would let writer and reader look for a run in different places.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from dtui.store.format.schema import SUFFIX


def run_token(run: str) -> int:
    """Return the 32-bit token of a run id, which every frame of the run carries."""
    return zlib.crc32(run.encode("utf-8", "surrogatepass"))


def with_suffix(path: str | Path) -> Path:
    """Return the directory of a run for a path with or without `.dtui`."""
    path = Path(path)
    return path if path.name.endswith(SUFFIX) or not path.name else path.with_name(path.name + SUFFIX)
