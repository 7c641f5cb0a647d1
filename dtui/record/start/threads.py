"""Refuses a process in which threads do not run beside each other."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from dtui.errors import RecorderError

_ASKED = {"gevent.monkey": ("is_module_patched", "threading"), "eventlet.patcher": ("is_monkey_patched", "thread")}
"""Modules that put greenlets in the place of threads, and how each is asked whether it did."""


def check_threads() -> None:
    """Check that a thread of ours runs beside the training.

    Raises:
        RecorderError: gevent or eventlet has replaced threads: one that waits for a signal or the disk would hold up
            the training for ever.
    """
    for name, (function, what) in _ASKED.items():
        module: Any = sys.modules.get(name)
        is_replaced = False
        with suppress(Exception):
            is_replaced = module is not None and bool(getattr(module, function)(what))
        if is_replaced:
            raise RecorderError(
                f"{name.partition('.')[0]} has replaced the threads of this process, and the recorder needs real ones; "
                "train in a process of its own, or patch with thread=False, subprocess=False"
            )
