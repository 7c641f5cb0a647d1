"""Makes the token in every frame of a run, so that frames of another run are recognised and refused."""

from __future__ import annotations

import zlib


def run_token(run: str) -> int:
    """Return the 32-bit token of a run id, which every frame of the run carries."""
    return zlib.crc32(run.encode("utf-8", "surrogatepass"))
