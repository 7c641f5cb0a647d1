"""Keeps the memory of a viewer small once the start is over."""

from __future__ import annotations

import gc


def collect_from_now_on() -> None:
    """Collect garbage again, if a start had put that off; what it made stays, and is not walked again and again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
