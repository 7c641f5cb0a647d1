"""The token that the frames of a run carry, so that those of another one are not taken for its own."""

from __future__ import annotations

import zlib


def run_token(run: str) -> int:
    """Return the 32-bit token of a run id, which every frame of the run carries."""
    return zlib.crc32(run.encode("utf-8", "surrogatepass"))
