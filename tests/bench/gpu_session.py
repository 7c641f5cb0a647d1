"""Everything that only a GPU can tell, in one command of six minutes at most: `python -m tests.bench gpu_session`.

A GPU is lent by the minute. So each part is a process of its own with a limit, the most important first, and each line
is printed when it is known. `DTUI_BENCH_DEVICE=cpu` tries the same script without a GPU, with small networks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.registry import Measurement, benchmark

BUDGET = 350.0
"""Seconds of all parts together."""
LIMITS = {
    "step": 80,
    "record": 35,
    "waits": 30,
    "tests": 90,
    "interpreter": 30,
    "twin": 25,
    "activations": 30,
    "judge": 15,
    "look": 25,
    "graphs": 30,
    "fsdp": 30,
}
"""Parts in the order in which they run, with the most seconds of each."""
TESTS = "tests/record/backends/test_gpu.py", "tests/record/backends/test_sums.py"
VARIABLE = "DTUI_BENCH_DEVICE"


def device() -> str | None:
    """Return the device to measure: the GPU, or what the environment says; None without one."""
    import torch

    return os.environ.get(VARIABLE) or ("cuda" if torch.cuda.is_available() else None)


@benchmark
def gpu_session() -> list[Measurement]:
    """All figures of a GPU, as JSON lines, in six minutes at most: step, waits, twin, activations, judge, FSDP2, …"""
    where = device()
    if where is None:
        print(f"gpu_session: there is no GPU; {VARIABLE}=cpu tries the script without one", file=sys.stderr)
        return []
    for line in run_parts(lambda name: command_of(name, where)):
        print(json.dumps(line), flush=True)
    return []


def command_of(name: str, where: str) -> list[str]:
    """Return the command of a part."""
    if name == "tests":
        return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    return [sys.executable, "-m", "tests.bench.gpu_parts", name, where]


def run_parts(
    command: Callable[[str], list[str]], budget: float = BUDGET, clock: Callable[[], float] = time.monotonic
) -> Iterator[dict[str, object]]:
    """Run the parts one after the other, and yield what they print, and how each ended.

    Args:
        command: Returns the command of a part; its lines on standard output are JSON, or are yielded as text.
        budget: Seconds of all parts.
        clock: In seconds.
    """
    begin = clock()
    for name, most in LIMITS.items():
        left = budget - (clock() - begin)
        if left < 5:
            yield {"part": name, "ended": "left out: no time is left"}
            continue
        limit, start = min(most, left), clock()
        words = ["timeout", "--kill-after=5", str(round(limit)), *command(name)]
        root = Path(__file__).parents[2]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if found := as_line(line):
                    yield {"part": name, **found}
        ended = {0: "done", 124: f"stopped after {limit:.0f} s"}.get(child.returncode, f"exit code {child.returncode}")
        yield {"part": name, "ended": ended, "seconds": round(clock() - start, 1)}


def as_line(text: str) -> dict[str, object] | None:
    """Return a line of a part: JSON as it is, other text as text; None for an empty one."""
    try:
        found = json.loads(text)
    except ValueError:
        return {"text": text.rstrip()[:400]} if text.strip() else None
    return found if isinstance(found, dict) else {"text": text.rstrip()[:400]}
