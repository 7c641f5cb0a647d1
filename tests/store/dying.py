"""Processes that die at their n-th call of the operating system, one after the other: every instant that differs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

CALLS = frozenset(
    [
        "open",
        "close",
        "write",
        "writev",
        "pwrite",
        "fsync",
        "fdatasync",
        "ftruncate",
        "truncate",
        "flush",
        "rename",
        "replace",
        "link",
        "unlink",
        "rmdir",
        "mkdir",
        "utime",
    ]
)
"""Names of C functions that change what another process can see on the disk."""


def shrink_parts(patch: pytest.MonkeyPatch, small: int, large: int) -> None:
    """Let few frames fill a journal and a part, wherever the store has the two numbers."""
    for name, module in list(sys.modules.items()):
        if name.startswith("dtui.store."):
            for constant, value in (("SMALL_PART", small), ("LARGE_PART", large)):
                if hasattr(module, constant):
                    patch.setattr(module, constant, value)


def die_at(call: int, torn: bool = False) -> Callable[[], int]:
    """Kill this process before its `call`-th call from now on; returns what counts them.

    Args:
        call: Counted from 1; 0 for never.
        torn: Write half of what is to be written before dying, where the call writes a frame.
    """
    count = 0

    def watch(frame: FrameType, event: str, function: Any) -> None:
        nonlocal count
        if event != "c_call" or getattr(function, "__name__", "") not in CALLS:
            return
        count += 1
        if count == call:
            if torn and function.__name__ == "writev":
                sys.setprofile(None)
                descriptor, pieces = frame.f_locals["descriptor"], frame.f_locals["pieces"]
                data = b"".join(pieces)
                os.write(descriptor, data[: len(data) * (call % 7) // 7])
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)
    return lambda: count


def in_child(work: Callable[[int], None], call: int, *, torn: bool = False) -> tuple[bytes, int]:
    """Fork, and let the child die at a call.

    Args:
        work: Given a descriptor to which it writes what it acknowledges.
        call: As in `die_at`.
        torn: As in `die_at`.

    Returns:
        What was acknowledged, and how many calls it made, -1 where it died.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            made = die_at(call, torn)
            work(write_end)
            sys.setprofile(None)
            os.write(write_end, f"|{made()}".encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    data = b""
    while piece := os.read(read_end, 65536):
        data += piece
    os.close(read_end)
    _, ending = os.waitpid(child, 0)
    acknowledged, found, count = data.partition(b"|")
    assert bool(found) == (ending == 0), f"call {call}: ended with {ending} after {data!r}"
    assert found or os.WTERMSIG(ending) == signal.SIGKILL, f"call {call}: ended with {ending}"
    return acknowledged, int(count) if found else -1


def seen_at_calls(work: Callable[[int], None], see: Callable[[str], bytes]) -> list[bytes]:
    """Let a child that lives do some work, and return what `see` said before each of its calls, given its name."""
    found: list[bytes] = []

    def watch(_: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__name__", "") in CALLS:
            found.append(see(function.__name__))

    def watched(pipe: int) -> None:
        unheard = os.open(os.devnull, os.O_WRONLY)
        sys.setprofile(watch)
        work(unheard)
        sys.setprofile(None)
        os.write(pipe, b" ".join(one.hex().encode() for one in found))

    return [bytes.fromhex(word.decode()) for word in in_child(watched, 0)[0].split(b" ")]


def count_calls(work: Callable[[int], None]) -> int:
    """Return how many calls a piece of work makes in a child that lives."""
    return in_child(work, 0)[1]
