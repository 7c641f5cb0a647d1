"""How Python collects garbage and lets threads take turns: for a start, which is to be over soon, and for keys."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TURN_SECONDS = 0.0005
"""How long a thread that finds an answer may compute while another, which writes what a key has drawn, waits. Python's
default is ten times as long, at each turn, and a key was seen late by as much as the whole answer."""


@contextmanager
def of_a_start() -> Iterator[None]:
    """Put garbage off until `of_keys` is called: what a start makes stays, and to walk it again and again takes long.

    Until then threads also take as few turns as Python lets them: each costs time, and a start is all work. When the
    block is left, all is as it was.
    """
    turn = sys.getswitchinterval()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(turn)


def of_keys() -> None:
    """Collect garbage again, except what the start made; threads take turns often, so that keys are answered."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(TURN_SECONDS)
