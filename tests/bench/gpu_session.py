"""Everything that only a GPU can tell, in one command of six minutes at most: `python -m tests.bench.gpu_session`.

A GPU is lent by the minute. So each part is a process of its own with a limit, the most important first, and each line
is printed when it is known. `DTUI_BENCH_DEVICE=cpu` tries the same script without a GPU, with small networks.

The machine with the GPU may reach no network. Then look first, which takes seconds: `nvidia-smi`, and for each Python
there, `python3 -c "import sys, torch; print(sys.version, torch.__version__, torch.cuda.is_available())"`.

- Torch for CUDA is several gigabytes, too much to carry: it has to be there, 2.4 or later, in a Python of 3.11 or
  later. It brings triton, jinja2 and sympy. Triton compiles its launcher when it is first used: it needs a C compiler
  (`cc`) and Python's headers (`python3-dev`). Without them it says so, and dtui measures with torch alone.
- Carry the checkout; it need not be installed. Start in its folder, so that `dtui` and `tests` are found.
- Carry the wheels below, for that Python and processor, in one folder. Make it where there is a network, with the
  version that was printed: `pip download -d wheels --only-binary :all: --python-version 3.12 --platform
  manylinux_2_28_x86_64 --platform manylinux2014_x86_64 NAMES`. Not known yet: make one folder for each of 3.11 to 3.13.
- NAMES: `numpy tables pillow` for all parts (what else tables needs comes with it); `numba` for the line `kernel` of
  the part `interpreter`; `pytest hypothesis` for the part `tests`. About 100 MB, llvmlite for numba half of it.
- There: `python3 -m venv --system-site-packages there`, then `there/bin/pip install --no-index --find-links wheels
  NAMES`, then `there/bin/python -m tests.bench.gpu_session | tee gpu.jsonl`. Where venv is missing:
  `pip install --no-index --find-links wheels --target more NAMES`, and PYTHONPATH=more. If pip puts a newer NumPy
  beside an older torch and torch warns of it, name the version that was there: `numpy==…`.

A part that cannot begin says why in its lines, and the others go on.
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


def main() -> int:
    """Measure. The other benchmarks, which need far more packages, are not imported."""
    gpu_session()
    return 0


def as_line(text: str) -> dict[str, object] | None:
    """Return a line of a part: JSON as it is, other text as text; None for an empty one."""
    try:
        found = json.loads(text)
    except ValueError:
        return {"text": text.rstrip()[:400]} if text.strip() else None
    return found if isinstance(found, dict) else {"text": text.rstrip()[:400]}


if __name__ == "__main__":
    sys.exit(main())
