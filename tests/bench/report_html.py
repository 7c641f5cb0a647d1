"""How long a report takes and how large it is, beside the least that any such report could cost, and its budget."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dtui.reports import write_report
from dtui.reports.output.bundle import vega_bundle
from dtui.reports.output.convert import ChartConverter
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented

RUN = Path(__file__).parents[2] / "sample_runs" / "mnist-faults.dtui"
ROUNDS = 3


@benchmark
def report_html() -> list[Measurement]:
    """A report of a sample run: time beside starting the converter and writing the bundle, bytes beside the bundle."""
    with ChartConverter() as converter:
        bundle = vega_bundle(converter.bundle).encode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.html"

        def floor() -> None:
            with ChartConverter() as converter:
                converter.bundle()
                out.write_bytes(bundle)

        least = _median(floor)
        taken = _median(lambda: write_report([RUN], out))
        size = out.stat().st_size
    return [
        Measurement(
            "report_html_seconds", taken, "converter started, bundle made and written", least, "s", taken / least
        ),
        Measurement("report_html_bytes", size, "the Vega bundle alone", len(bundle), "bytes", size / len(bundle)),
    ]


BUDGET = {"html": (4.5, 4e6), "pdf": (4.5, 2e6)}
"""Seconds of processor time beyond starting the converter, and bytes, of a report on a run as large as the paper's."""
MEMORY = 300.0
_CONVERTER = """
from dtui.reports.document import Chart
from dtui.reports.output.convert import ChartConverter
with ChartConverter() as converter:
    converter.draw(Chart("a", "", "vega", lambda: {"width": 20, "height": 10}, ""))
"""
_REPORT = """
import sys
from pathlib import Path
from dtui.reports import write_report
write_report([Path(sys.argv[1])], sys.argv[2])
"""
_COST = """
import json, resource
own, child = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime, own.ru_maxrss / 1024]))
"""


@benchmark
def report_paper() -> list[Measurement]:
    """A report of a run as large as the paper's, in a process of its own: processor time, memory and bytes."""
    run = invented("paper")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        start = statistics.median(_cost(_CONVERTER)[0] for _ in range(ROUNDS))
        for ending, (seconds, bytes) in BUDGET.items():
            out = Path(folder) / f"report.{ending}"
            _cost(_REPORT, run, out)  # leaves the incidents cached
            costs = [_cost(_REPORT, run, out) for _ in range(ROUNDS)]
            taken = statistics.median(cost[0] for cost in costs) - start
            most = max(cost[1] for cost in costs)
            size = out.stat().st_size
            name = f"report_paper {ending}"
            found += [
                Measurement(f"{name} processor", taken, "budget", seconds, "s", taken / seconds),
                Measurement(f"{name} memory", most, "budget", MEMORY, "MB", most / MEMORY),
                Measurement(f"{name} bytes", size, "budget", bytes, "bytes", size / bytes),
            ]
    return found


def _cost(program: str, *arguments: Path) -> tuple[float, float]:
    """Return seconds of processor time with children, and megabytes of memory without, of a program."""
    command = [sys.executable, "-c", program + _COST, *map(str, arguments)]
    seconds, memory = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seconds, memory


def _median(work: Callable[[], object]) -> float:
    """Return the middle of a few times that `work` takes, in seconds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
